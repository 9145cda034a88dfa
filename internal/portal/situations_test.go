// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/wording/language"
)

// situations are requests that lead to every page. Each takes a query, which can
// be empty.
var situations = map[string]func(w *world, query string) *httptest.ResponseRecorder{
	"the form": func(w *world, query string) *httptest.ResponseRecorder { return w.get(w.Link() + query) },
	"the form with everything wrong": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post(w.Link()+query, url.Values{fieldGivenName: {strings.Repeat("x", 101)}, fieldFamilyName: {"a\nb"}})
	},
	"two passwords that differ": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post(w.Link()+query, but(fieldAgain, "another"))
	},
	"a user name that is taken": func(w *world, query string) *httptest.ResponseRecorder {
		w.Must(w.Client.Create(context.Background(), storetest.MadeFor("another's", "taken")))
		return w.post(w.Link()+query, but(fieldUserName, "taken"))
	},
	"the account is ready": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post(w.Link()+query, filled())
	},
	"the portal is busy": func(w *world, query string) *httptest.ResponseRecorder {
		w.config.Hasher = storetest.PlainHasher{Err: account.ErrBusy}
		return w.build().post(w.Link()+query, filled())
	},
	"a write fails at the end": func(w *world, query string) *httptest.ResponseRecorder {
		w.config.Writer = failing{}
		return w.build().post(w.Link()+query, filled())
	},
	"another address is offered": func(w *world, query string) *httptest.ResponseRecorder {
		w.takeAnyAddress()
		return w.get(w.Link() + query)
	},
	"the other address is invalid": func(w *world, query string) *httptest.ResponseRecorder {
		w.takeAnyAddress()
		return w.post(w.Link()+"/address"+query, url.Values{fieldEmail: {"jane"}})
	},
	"the other address is the invited one": func(w *world, query string) *httptest.ResponseRecorder {
		w.takeAnyAddress()
		return w.post(w.Link()+"/address"+query, url.Values{fieldEmail: {"jane.doe@example.com"}})
	},
	"a code was requested": func(w *world, query string) *httptest.ResponseRecorder {
		w.takeAnyAddress()
		return w.post(w.Link()+"/address"+query, url.Values{fieldEmail: {"jane@example.net"}})
	},
	"another address is not accepted": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post(w.Link()+"/address"+query, url.Values{fieldEmail: {"jane@example.net"}})
	},
	"no more codes and passwords": func(w *world, query string) *httptest.ResponseRecorder {
		w.takeAnyAddress()
		w.Update(func(inv *accountsv1.Invitation) { inv.Status.Guesses = invitation.MostGuesses })
		return w.get(w.Link() + query)
	},
	"signing in with an empty form": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post(w.Link()+"/sign-in"+query, url.Values{})
	},
	"signing in with an unknown name": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post(w.Link()+"/sign-in"+query, url.Values{fieldSignInName: {"john"}, fieldSignInPassword: {validPassword}})
	},
	"signed in at the invitation": func(w *world, query string) *httptest.ResponseRecorder {
		return w.resident("jane.doe@example.com").visit(w.Link() + query)
	},
	"halfway at the invitation": func(w *world, query string) *httptest.ResponseRecorder {
		return w.halfwayHere().visit(w.Link() + query)
	},
	"the code at the invitation is missing": func(w *world, query string) *httptest.ResponseRecorder {
		return w.halfwayHere().fill(w.Link()+"/code"+query, nil)
	},
	"the code at the invitation is wrong": func(w *world, query string) *httptest.ResponseRecorder {
		return w.halfwayHere().fill(w.Link()+"/code"+query, url.Values{fieldSignInCode: {"000000"}})
	},
	"accepting while not signed in": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post(w.Link()+"/accept"+query, nil)
	},
	"an account with another address": func(w *world, query string) *httptest.ResponseRecorder {
		return w.resident("jane@example.net").visit(w.Link() + query)
	},
	"an account of another company": func(w *world, query string) *httptest.ResponseRecorder {
		for _, o := range globex(func(*accountsv1.Organization) {}) {
			w.Must(w.Client.Create(context.Background(), o))
		}
		return w.resident("jane.doe@example.com").visit(w.Link() + query)
	},
	"an account without the required second factor": func(w *world, query string) *httptest.ResponseRecorder {
		w.RequireFactor()
		return w.resident("jane.doe@example.com").visit(w.Link() + query)
	},
	"accepting with an account fails": func(w *world, query string) *httptest.ResponseRecorder {
		b, tap := w.resident("jane.doe@example.com"), storetest.Refuse("record invitation", storetest.ErrDown)(w.World)
		tap.Client, w.config.Writer = w.Client, tap
		b.handler = w.build().handler
		return b.fill(w.Link()+"/accept"+query, nil)
	},
	"accepted with an account": func(w *world, query string) *httptest.ResponseRecorder {
		return w.resident("jane.doe@example.com").fill(w.Link()+"/accept"+query, nil)
	},
	"a second factor is required": func(w *world, query string) *httptest.ResponseRecorder {
		w.RequireFactor()
		return w.get(w.Link() + query)
	},
	"the second factor of a new account is missing": func(w *world, query string) *httptest.ResponseRecorder {
		w.RequireFactor()
		return w.post(w.Link()+query, filledWithApp(""))
	},
	"a browser without cookies": func(w *world, query string) *httptest.ResponseRecorder {
		w.RequireFactor()
		return w.post(w.Link()+query, filledWithApp("123456"))
	},
	"the code of a new app is wrong, and so is a passkey": func(w *world, query string) *httptest.ResponseRecorder {
		w.RequireFactor()
		b := w.agent()
		form := filledWithApp(otherDigits(codeAt(w.T, b.scanned(), storetest.Start)))
		form.Set(fieldPasskeyAnswer, "{}")
		return b.fill(w.Link()+query, form)
	},
	"a new passkey is ready": func(w *world, query string) *httptest.ResponseRecorder {
		w.RequireFactor()
		b := w.agent()
		form := filledWithKey(aKey(w.T).made(passkeyOptions(w.T, b.visit(w.Link()))))
		form.Set(fieldAgain, "x")
		return b.fill(w.Link()+query, form)
	},
	"the account is ready, with recovery codes": func(w *world, query string) *httptest.ResponseRecorder {
		w.RequireFactor()
		b := w.agent()
		return b.fill(w.Link()+query, filledWithApp(codeAt(w.T, b.scanned(), storetest.Start)))
	},
	"the account page": func(w *world, query string) *httptest.ResponseRecorder {
		return w.resident("jane.doe@example.com").visit("/account" + query)
	},
	"the account page with everything": func(w *world, query string) *httptest.ResponseRecorder {
		for _, o := range globex(func(o *accountsv1.Organization) {
			o.Spec.SupportContact, o.Spec.SignIn.TwoFactor = "support@example.com", accountsv1.TwoFactorRequired
		}) {
			w.Must(w.Client.Create(context.Background(), o))
		}
		b := w.resident("jane.doe@example.com")
		w.seated("jane", session.StageSignedIn, time.Hour)
		return b.visit("/account" + query + "&done=password")
	},
	"the account page with a second factor": func(w *world, query string) *httptest.ResponseRecorder {
		b := w.resident("jane.doe@example.com")
		w.Change("jane", func(c *account.Credentials) { c.TOTP.Secret, c.RecoveryCodes = appSecret, []string{"a"} })
		return b.visit("/account" + query + "&done=recovery-code")
	},
	"the address is not confirmed": func(w *world, query string) *httptest.ResponseRecorder {
		return w.newcomer().visit("/account" + query)
	},
	"the address was confirmed": func(w *world, query string) *httptest.ResponseRecorder {
		return w.resident("jane.doe@example.com").visit("/account" + query + "&done=email")
	},
	"the form for a code to the address": func(w *world, query string) *httptest.ResponseRecorder {
		return w.newcomer().visit("/account/email" + query)
	},
	"a code was mailed to the address": func(w *world, query string) *httptest.ResponseRecorder {
		b := w.newcomer()
		b.fill("/account/email"+query, nil)
		return b.visit("/account/email" + query)
	},
	"no code for the address was typed": func(w *world, query string) *httptest.ResponseRecorder {
		b := w.newcomer()
		b.fill("/account/email"+query, nil)
		return b.fill("/account/email/code"+query, nil)
	},
	"a code for the address is over": func(w *world, query string) *httptest.ResponseRecorder {
		return w.newcomer().fill("/account/email/code"+query, url.Values{fieldCode: {"12345678"}})
	},
	"another code for the address comes too soon": func(w *world, query string) *httptest.ResponseRecorder {
		b := w.newcomer()
		b.fill("/account/email"+query, nil)
		return b.fill("/account/email"+query, nil)
	},
	"the account has to confirm its address first": func(w *world, query string) *httptest.ResponseRecorder {
		w.takeAnyAddress()
		w.Update(func(inv *accountsv1.Invitation) { inv.Status.Deliveries[0].Medium = accountsv1.MediumLink })
		return w.newcomer().visit(w.Link() + query)
	},
	"the password form": func(w *world, query string) *httptest.ResponseRecorder {
		return w.resident("jane.doe@example.com").visit("/account/password" + query)
	},
	"the password form with everything wrong": func(w *world, query string) *httptest.ResponseRecorder {
		return w.resident("jane.doe@example.com").fill("/account/password"+query, url.Values{fieldNewPassword: {validPassword}})
	},
	"the current password is wrong": func(w *world, query string) *httptest.ResponseRecorder {
		return w.resident("jane.doe@example.com").fill("/account/password"+query, url.Values{
			fieldCurrentPassword: {"wrong"}, fieldNewPassword: {validPassword + "!"}, fieldNewPasswordAgain: {validPassword + "!"},
		})
	},
	"about to leave": func(w *world, query string) *httptest.ResponseRecorder {
		for _, o := range globex(func(*accountsv1.Organization) {}) {
			w.Must(w.Client.Create(context.Background(), o))
		}
		return w.resident("jane.doe@example.com").visit("/account/leave" + query + "&membership=globex-people/jane")
	},
	"the only owner cannot leave": func(w *world, query string) *httptest.ResponseRecorder {
		for _, o := range globex(func(o *accountsv1.Organization) { o.Spec.Roles[0].Standing = accountsv1.StandingOwner }) {
			w.Must(w.Client.Create(context.Background(), o))
		}
		return w.resident("jane.doe@example.com").visit("/account/leave" + query + "&membership=globex-people/jane")
	},
	"about to decline": func(w *world, query string) *httptest.ResponseRecorder {
		return w.get(w.Link() + "/decline" + query)
	},
	"declining without the tick": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post(w.Link()+"/decline"+query, url.Values{})
	},
	"the invitation is declined": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post(w.Link()+"/decline"+query, url.Values{fieldDecline: {ticked}})
	},
	"used": func(w *world, query string) *httptest.ResponseRecorder {
		w.RecordAcceptance("somebody", "u")
		return w.get(w.Link() + query)
	},
	"declined": func(w *world, query string) *httptest.ResponseRecorder {
		now := metav1.NewTime(storetest.Start)
		w.Update(func(inv *accountsv1.Invitation) { inv.Status.Decline = accountsv1.Decline{DeclinedTime: &now} })
		return w.get(w.Link() + query)
	},
	"expired": func(w *world, query string) *httptest.ResponseRecorder {
		w.Clock.SetTime(storetest.Start.Add(48 * time.Hour))
		return w.get(w.Link() + query)
	},
	"no seat is free": func(w *world, query string) *httptest.ResponseRecorder {
		taken := int32(1)
		org := storetest.Acme()
		w.Must(w.Client.Delete(context.Background(), storetest.Acme()))
		org.Spec.Seats, org.Status.Seats.Taken = 1, &taken
		w.Must(w.Client.Create(context.Background(), org))
		return w.get(w.Link() + query)
	},
	"a newer link was sent": func(w *world, query string) *httptest.ResponseRecorder {
		w.Update(func(inv *accountsv1.Invitation) {
			old := inv.Status.Attempt
			inv.Status.Attempt.Number = 2
			inv.Status.Attempt.Earlier = []accountsv1.EarlierAttempt{{Number: old.Number, KeyID: old.KeyID, ClaimTime: old.ClaimTime}}
		})
		return w.get(w.Link() + query)
	},
	"withdrawn": func(w *world, query string) *httptest.ResponseRecorder {
		w.Must(w.Client.Delete(context.Background(), storetest.Acme()))
		return w.get(w.Link() + query)
	},
	"an unknown link": func(w *world, query string) *httptest.ResponseRecorder { return w.get("/invitation/abc" + query) },
	"about to sign in": func(w *world, query string) *httptest.ResponseRecorder {
		w.Organization(func(o *accountsv1.Organization) { o.Spec.SupportContact = "support@acme.example" })
		return w.get("/sign-in" + query + "&organization=acme")
	},
	"signed out": func(w *world, query string) *httptest.ResponseRecorder {
		return w.get("/sign-in" + query + "&done=signed-out")
	},
	"an empty sign-in form": func(w *world, query string) *httptest.ResponseRecorder {
		return w.post("/sign-in"+query, nil)
	},
	"a failed sign-in": func(w *world, query string) *httptest.ResponseRecorder {
		return w.atOnce().post("/sign-in"+query, signInForm("jane-doe", validPassword))
	},
	"too many people are signing in": func(w *world, query string) *httptest.ResponseRecorder {
		w.config.Hasher = storetest.PlainHasher{Err: account.ErrBusy}
		return w.atOnce().post("/sign-in"+query, signInForm("jane-doe", validPassword))
	},
	"signing in fails": func(w *world, query string) *httptest.ResponseRecorder {
		w.config.Live = unreadableReader{}
		return w.atOnce().post("/sign-in"+query, signInForm("jane-doe", validPassword))
	},
	"the second factor": func(w *world, query string) *httptest.ResponseRecorder {
		return w.halfway("AAAA").visit("/sign-in/code" + query)
	},
	"the second factor is a passkey": func(w *world, query string) *httptest.ResponseRecorder {
		return w.halfway("").visit("/sign-in/code" + query)
	},
	"the second factor is missing": func(w *world, query string) *httptest.ResponseRecorder {
		return w.halfway("AAAA").fill("/sign-in/code"+query, nil)
	},
	"the second factor is wrong": func(w *world, query string) *httptest.ResponseRecorder {
		return w.halfway("AAAA").fill("/sign-in/code"+query, url.Values{fieldCode: {"wrong"}})
	},
	"codes are locked": func(w *world, query string) *httptest.ResponseRecorder {
		return enterWrongCodes(w.halfway("AAAA").fill, "/sign-in/code"+query, fieldCode)
	},
	"nothing here": func(w *world, query string) *httptest.ResponseRecorder { return w.get("/other" + query) },
	"too many requests": func(w *world, query string) *httptest.ResponseRecorder {
		w.config.Limits = Limits{Requests: 0.1, RequestsBurst: 1, Posts: 1, PostsBurst: 1, Clients: 10}
		w.build().get("/")
		return w.get("/" + query)
	},
	"another method": func(w *world, query string) *httptest.ResponseRecorder {
		return w.do(newRequest(http.MethodDelete, w.Link()+query, nil))
	},
	"a form from another site": func(w *world, query string) *httptest.ResponseRecorder {
		r := formRequest(w.Link()+query, filled().Encode())
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		return w.do(r)
	},
	"a form that is too large": func(w *world, query string) *httptest.ResponseRecorder {
		return w.do(formRequest(w.Link()+query, strings.Repeat("x", maxBody+1)))
	},
	"a form that cannot be parsed": func(w *world, query string) *httptest.ResponseRecorder {
		return w.do(formRequest(w.Link()+query, "%zz"))
	},
	"no answer from the API server": func(w *world, query string) *httptest.ResponseRecorder {
		w.config.Keys = brokenKeys
		return w.build().get(w.Link() + query)
	},
	"a panic": func(w *world, query string) *httptest.ResponseRecorder {
		w.config.Keys = func(context.Context) (invitation.Keyring, error) { panic("broken") }
		return w.build().get(w.Link() + query)
	},
}

// resident returns the browser of a signed-in person in an existing world.
func (w *world) resident(email string) *cookieBrowser {
	for _, o := range owned("jane", email, validPassword) {
		w.Must(w.Client.Create(context.Background(), o))
	}
	return w.signedInAs("jane")
}

// newcomer is the same for a person whose address is not confirmed.
func (w *world) newcomer() *cookieBrowser {
	b := w.resident("jane.doe@example.com")
	a := w.Account("jane")
	unproved(a)
	w.Must(w.Client.Update(context.Background(), a))
	return b
}

// halfwayHere is the same for a person whose second factor is still missing.
func (w *world) halfwayHere() *cookieBrowser {
	w.resident("jane.doe@example.com")
	w.Change("jane", func(c *account.Credentials) {
		c.TOTP.Secret, c.Passkeys = appSecret, []account.Passkey{{ID: "x", Name: "x", Record: []byte("{}")}}
	})
	return w.seated("jane", session.StagePassword, time.Minute)
}

// takeAnyAddress lets Jane accept with another address.
func (w *world) takeAnyAddress() {
	w.Update(func(inv *accountsv1.Invitation) { inv.Spec.AddressMatch = accountsv1.AddressMatchAnyAddress })
}

// names appear unchanged on pages in every language.
var names = []string{
	"Usher", "usher.example.com", "Acme Rocket Works", "Mara Voss", "Developer", "jane.doe@example.com", "jane@example.net",
	"Deploy applications", "See what runs", "jane-doe", "usher:jane-doe", "✓", ".", ":",
	"jane", "usher:jane", "Firefox", "Globex", "support@example.com", "kubectl", "192.0.2.0/24", "203.0.113.0/24", "Linux", "macOS", "Windows",
	"English", "Italiano", "Français", "Deutsch", "Español", "Português",
}

// sameInEnglish are the texts that are the same in a language as in English.
var sameInEnglish = map[language.Tag][]string{
	"it": {"Password", "In Kubernetes"},
	"fr": {"Code", "Application", "Applications"},
	"de": {"In Kubernetes", "Code"},
}

func TestEveryPageExistsInEveryLanguage(t *testing.T) {
	for name, visit := range allSituations() {
		english := visit(aWorld(t), "?lang=en")
		status := english.Code
		if failed := status == http.StatusInternalServerError; failed != (name == "a panic") {
			t.Errorf("%s: status %d", name, status)
		}
		for _, tag := range language.All() {
			t.Run(name+" in "+tag.Name(), func(t *testing.T) {
				got := visit(aWorld(t), "?lang="+tag.String())
				expect(t, got, status, `<html lang="`+tag.String()+`">`, "!portal.", "!no value")
				for _, text := range textsOf(t, got) {
					known := slices.Contains(names, text) || slices.Contains(sameInEnglish[tag], text)
					if tag != language.Default && !known && slices.Contains(textsOf(t, english), text) {
						t.Errorf("%q is English", text)
					}
				}
			})
		}
	}
}

// textAttributes are the attributes that contain text for people.
var textAttributes = []string{
	"aria-label", "data-missing-one", "data-missing", "data-enough", "data-show", "data-hide", "data-show-label", "data-busy",
	"data-ready", "data-failed", "data-cancelled", "data-known",
}

// textsOf returns all texts of a page.
func textsOf(t *testing.T, page *httptest.ResponseRecorder) []string {
	t.Helper()
	document, err := html.Parse(strings.NewReader(page.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for node := range document.Descendants() {
		if text := strings.TrimSpace(node.Data); node.Type == html.TextNode && text != "" && !isProposal(node.Parent) && !isCode(node.Parent) {
			texts = append(texts, text)
		}
		for _, a := range node.Attr {
			if slices.Contains(textAttributes, a.Key) {
				texts = append(texts, a.Val)
			}
		}
	}
	return texts
}

// isProposal reports whether an element contains a user name.
func isProposal(element *html.Node) bool {
	return slices.ContainsFunc(element.Attr, func(a html.Attribute) bool { return a.Key == "data-user-name" })
}

// isCode reports whether an element contains a command or a file.
func isCode(element *html.Node) bool { return element.Data == "code" }

// shownOnce are the pages that a browser cannot request again.
var shownOnce = []string{
	"the account is ready", "the account is ready, with recovery codes", "accepted with an account", "the invitation is declined",
	"a device is approved",
}

func TestTheSwitchIsOnEveryPageThatCanBeAskedForAgain(t *testing.T) {
	for name, visit := range allSituations() {
		links := switchLink.FindAllString(visit(aWorld(t), "").Body.String(), -1)
		if want := !slices.Contains(shownOnce, name); (len(links) == len(language.All())) != want {
			t.Errorf("%s: %d links", name, len(links))
		}
	}
}

func TestEverySentenceThatPagesSayIsInTheCatalogue(t *testing.T) {
	known := sentences(t)
	for _, id := range regexp.MustCompile(`"(portal\.[a-z-]+\.[a-z-]*[a-z])"`).FindAllStringSubmatch(sources(t), -1) {
		if !slices.Contains(known, id[1]) {
			t.Errorf("%s is used but not in the catalogue", id[1])
		}
	}
}

func TestEverySentenceOfTheCatalogueIsUsed(t *testing.T) {
	text := sources(t)
	quoted := func(word string) bool { return strings.Contains(text, `"`+word+`"`) }
	for _, id := range sentences(t) {
		page, last, _ := strings.Cut(strings.TrimPrefix(id, "portal."), ".")
		switch {
		case quoted(id):
		case page == "field" && quoted(last):
		case page == "problem" && (strings.HasPrefix(last, "password-") || strings.HasPrefix(last, "user-name-")):
			// Built from the names of reasons: see
			// TestEveryProblemHasATextInEveryLanguage.
		case quoted(page) && (last == "title" || quoted(last)):
			// A sentence of a message.
		default:
			t.Errorf("%s is in the catalogue but not used", id)
		}
	}
}

// sources returns the code and the templates of the portal.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range []string{"*.go", "pages/*.html", "pages/parts/*.html"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				all.Write(contentOf(t, file))
			}
		}
	}
	return all.String()
}

// sentences returns the ids of the portal's part of the catalogue.
func sentences(t *testing.T) []string {
	t.Helper()
	var ids []string
	files, err := filepath.Glob("../wording/language/catalogue/*.en.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, line := range regexp.MustCompile(`(?m)^(portal\.[^:]+):`).FindAllSubmatch(contentOf(t, file), -1) {
			ids = append(ids, string(line[1]))
		}
	}
	return ids
}

func contentOf(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
