// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/wording/language"
)

func TestTheFormsForForgottenCredentials(t *testing.T) {
	w := worldWith(t, acmeMember(t, "jane")...)
	w.Organization(func(o *accountsv1.Organization) { o.Spec.SupportContact = "help@acme.example" })
	expect(t, w.get("/reset?organization=acme&lang=en&sign-in-name=jane"), 200,
		"User name or email address", `action="/reset?lang=en&organization=acme"`, `value=""`, `autocomplete="username"`,
		`href="/user-names?lang=en&organization=acme"`, `href="/sign-in?lang=en&organization=acme"`,
		"Need help? Contact Acme Rocket Works: help@acme.example", "!jane")
	expect(t, w.get("/user-names?organization=acme&lang=en&address=jane.doe@example.com"), 200,
		"Email address", `action="/user-names?lang=en&organization=acme"`, `value=""`, `autocomplete="email"`,
		`href="/reset?lang=en&organization=acme"`, "help@acme.example", "!jane")
	for _, path := range []string{"/reset", "/user-names"} {
		expect(t, w.get(path+"?organization=../acme"), 200, "!help@acme.example", "!organization=")
		expect(t, w.get(path+"?organization=globex&lang=en"), 200, "!help@acme.example", `action="`+path+`?lang=en"`)
	}
	expect(t, w.post("/reset?organization=acme&lang=en", resetRequest("nobody")), 200,
		"It is valid for one hour", "spam folder", "Then request it again", "help@acme.example", `href="/sign-in?lang=en"`, "!nobody")
	expect(t, w.post("/user-names?organization=acme&lang=en", namesRequest("nobody@example.com")), 200,
		"spam folder", "help@acme.example", "!nobody")
}

func TestWhatCannotBeLookedForIsSaidBesideTheField(t *testing.T) {
	w := worldWith(t, acmeMember(t, "jane")...)
	for _, typed := range []string{"", "   ", "\t"} {
		expect(t, w.post("/reset", resetRequest(typed)), 422,
			`<a href="#sign-in-name">`, `aria-invalid="true"`, "Enter your user name or email address.", "<title>Please check: Forgot your password?")
	}
	for _, typed := range []string{"", "jane", "janet"} {
		expect(t, w.post("/user-names", namesRequest(typed)), 422,
			`<a href="#address">`, `aria-invalid="true"`, "Enter a complete email address", `value="`+typed+`"`)
	}
	if got := w.Account("jane").Status; len(got.ResetTimes)+len(got.UserNameTimes) != 0 {
		t.Errorf("status: %+v", got)
	}
}

// resetPages are requests that lead to every page about a forgotten password or
// user name.
var resetPages = map[string]func(w *world, query string) *httptest.ResponseRecorder{
	"the form for a link":        func(w *world, query string) *httptest.ResponseRecorder { return w.get("/reset" + query) },
	"a link without a user name": func(w *world, query string) *httptest.ResponseRecorder { return w.post("/reset"+query, url.Values{}) },
	"a link was requested": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post("/reset"+query, resetRequest("x"))
	},
	"the form for user names": func(w *world, query string) *httptest.ResponseRecorder { return w.get("/user-names" + query) },
	"user names without an address": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post("/user-names"+query, url.Values{})
	},
	"user names were requested": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post("/user-names"+query, namesRequest("x@example.com"))
	},
	"no answer from the API server": func(w *world, query string) *httptest.ResponseRecorder {
		w.meddle(down)
		return w.post("/reset"+query, resetRequest("x"))
	},
	"the form for a password": func(w *world, query string) *httptest.ResponseRecorder {
		return w.get(w.resetPath("jane", storetest.Start) + query)
	},
	"no password": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post(w.resetPath("jane", storetest.Start)+query, url.Values{})
	},
	"two passwords that differ": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post(w.resetPath("jane", storetest.Start)+query, newPasswords(otherPassword, validPassword))
	},
	"the portal is busy": func(w *world, query string) *httptest.ResponseRecorder {
		w.config.Hasher = storetest.PlainHasher{Err: account.ErrBusy}
		return w.build().post(w.resetPath("jane", storetest.Start)+query, newPasswords(otherPassword))
	},
	"a write fails at the end": func(w *world, query string) *httptest.ResponseRecorder {
		w.meddle(interceptor.Funcs{Update: down.Update})
		return w.post(w.resetPath("jane", storetest.Start)+query, newPasswords(otherPassword))
	},
	"the password is changed": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post(w.resetPath("jane", storetest.Start)+query, newPasswords(otherPassword))
	},
	"an unknown link": func(w *world, query string) *httptest.ResponseRecorder { return w.get("/reset/abc" + query) },
	"used": func(w *world, query string) *httptest.ResponseRecorder {
		w.post(w.resetPath("jane", storetest.Start), newPasswords(otherPassword))
		return w.get(w.resetPath("jane", storetest.Start) + query)
	},
	"expired": func(w *world, query string) *httptest.ResponseRecorder {
		w.Clock.Step(time.Hour)
		return w.get(w.resetPath("jane", storetest.Start) + query)
	},
	"the second factor was lost": func(w *world, query string) *httptest.ResponseRecorder {
		w.alterJane(reportedTOTP)
		w.Must(w.Client.Delete(context.Background(), w.Secret("jane")))
		return w.get(w.resetPath("jane", storetest.Start) + query)
	},
	"superseded": func(w *world, query string) *httptest.ResponseRecorder {
		return w.get(w.resetPath("jane", storetest.Start.Add(-time.Minute)) + query)
	},
}

func TestEveryResetPageExistsInEveryLanguage(t *testing.T) {
	known := []string{"Usher", "usher.example.com", "jane", "✓", ".", ":", "English", "Italiano", "Français", "Deutsch", "Español", "Português"}
	withFactor := func(_ *accountsv1.Account, c *account.Credentials) { c.TOTP.Secret = "JBSWY3DPEHPK3PXP" }
	next := worlds(t)
	for name, visit := range resetPages {
		english := visit(next(t, janes(t, withFactor)...), "?lang=en")
		if switches := len(switchLink.FindAllString(english.Body.String(), -1)); switches != map[bool]int{false: len(language.All())}[strings.HasSuffix(name, "requested") || name == "the password is changed"] {
			t.Errorf("%s: %d links to languages", name, switches)
		}
		for _, tag := range language.All() {
			t.Run(name+" in "+tag.Name(), func(t *testing.T) {
				got := visit(next(t, janes(t, withFactor)...), "?lang="+tag.String())
				expect(t, got, english.Code, `<html lang="`+tag.String()+`">`, "!portal.", "!no value")
				for _, text := range textsOf(t, got) {
					if tag != language.Default && !slices.Contains(known, text) && slices.Contains(textsOf(t, english), text) {
						t.Errorf("%q is English", text)
					}
				}
			})
		}
	}
}

func TestResetFormsAreGuarded(t *testing.T) {
	for name, tc := range map[string]struct {
		path func(w *world) string
		form url.Values
	}{
		"requests a link":        {func(*world) string { return "/reset" }, resetRequest("jane")},
		"requests user names":    {func(*world) string { return "/user-names" }, namesRequest("jane.doe@example.com")},
		"chooses a new password": {func(w *world) string { return w.resetPath("jane", storetest.Start) }, newPasswords(otherPassword)},
	} {
		t.Run(name, func(t *testing.T) {
			w := worldWithResetLink(t)
			w.config.Writer = failOnWrite{t}
			w.build()
			path, body, field := tc.path(w), tc.form.Encode(), ""
			for field = range tc.form {
				break
			}
			sent := func(body string, change func(http.Header)) *httptest.ResponseRecorder {
				r := formRequest(path, body)
				change(r.Header)
				return w.do(r)
			}
			for want, got := range map[int]*httptest.ResponseRecorder{
				403: sent(body, func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") }),
				415: sent(body, func(h http.Header) { h.Set("Content-Type", "application/json") }),
				400: sent(body+"&"+field+"=again", func(http.Header) {}),
				413: sent(field+"="+strings.Repeat("x", maxBody), func(http.Header) {}),
				405: w.do(newRequest(http.MethodPut, path, strings.NewReader(body))),
				422: w.post(path+"?"+body, url.Values{}),
			} {
				expect(t, got, want)
			}
			got := w.get(path + "?" + body)
			expect(t, got, 200)
			policy := map[bool]string{false: "same-origin", true: "no-referrer"}[strings.HasPrefix(path, "/reset/")]
			if got.Header().Get("Referrer-Policy") != policy || got.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("headers: %v", got.Header())
			}
		})
	}
}

// TestTheOriginOfAFormWithoutHTTPS is about browsers that do not send the site of
// a form. On a page whose address is secret they name no origin. Other sites
// still cannot send the form, because they do not know the link.
func TestTheOriginOfAFormWithoutHTTPS(t *testing.T) {
	w := worldWithResetLink(t)
	base, err := url.Parse("http://usher.example.com")
	w.Must(err)
	w.config.BaseURL = base
	w.build()
	sent := func(path string, form url.Values) *httptest.ResponseRecorder {
		r := formRequest(path, form.Encode())
		r.Header.Del("Sec-Fetch-Site")
		r.Header.Set("Origin", "null")
		return w.do(r)
	}
	expect(t, sent("/reset", resetRequest("jane")), 403)
	expect(t, sent("/user-names", namesRequest("jane.doe@example.com")), 403)
	expect(t, sent(w.resetPath("jane", storetest.Start), newPasswords(otherPassword)), 200, "Your password has been changed")
}

func TestNothingOfAResetIsLogged(t *testing.T) {
	w := worldWithResetLink(t, withTOTP, lockedNow)
	w.Clock.Step(time.Minute)
	w.post("/reset", resetRequest("jane"))
	w.post("/reset", resetRequest("another person"))
	w.post("/user-names", namesRequest("jane.doe@example.com"))
	path := w.resetPath("jane", w.Clock.Now())
	w.get(path)
	w.post(path, newPasswords(otherPassword, validPassword))
	w.post(path, newPasswords(otherPassword))
	w.post(path, newPasswords(otherPassword))
	w.get(w.resetPath("jane", storetest.Start))
	w.get("/reset/abcdef")
	for _, secret := range []string{
		strings.TrimPrefix(path, "/reset/"), "abcdef", otherPassword, validPassword, "jane", "another person", "example.com\"", uidOf("jane"), "JBSWY3DPEHPK3PXP",
	} {
		if strings.Contains(w.logs.String(), secret) {
			t.Errorf("%q is in the log:\n%s", secret, w.logs)
		}
	}
	if !strings.Contains(w.logs.String(), `"route"="/reset/{link}"`) {
		t.Errorf("log:\n%s", w.logs)
	}
}

func TestResetsBelowAPath(t *testing.T) {
	w := worldWithResetLink(t)
	base, err := url.Parse("https://example.com/usher/")
	w.Must(err)
	w.config.BaseURL = base
	w.build()
	path := "/usher" + w.resetPath("jane", storetest.Start)
	expect(t, w.get("/usher/reset?lang=en"), 200, `action="/usher/reset?lang=en"`, `href="/usher/sign-in?lang=en"`)
	expect(t, w.get("/usher/reset/abc?lang=en"), 404, `href="/usher/reset?lang=en"`)
	expect(t, w.get(path+"?lang=en"), 200, `action="`+path+`?lang=en"`)
	expect(t, w.post(path+"?lang=en", newPasswords(otherPassword)), 200, `href="/usher/sign-in?lang=en"`)
	expect(t, w.get(strings.TrimPrefix(path, "/usher")), 404, "There's nothing here")
}
