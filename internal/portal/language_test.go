// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/wording/language"
)

func TestWhichLanguageIsSpoken(t *testing.T) {
	type wish = accountsv1.Language
	for name, tc := range map[string]struct {
		attempt, spec, organization wish
		query, header               string
		want                        string
	}{
		"the language of the mail":                            {attempt: "fr", spec: "de", organization: "es", header: "pt", want: "fr"},
		"the language of the invitation":                      {spec: "de", organization: "es", header: "pt", want: "de"},
		"the language of the organization":                    {organization: "es", header: "pt", want: "es"},
		"the language of the browser":                         {header: "pt-BR, en;q=0.5", want: "pt"},
		"English, if nothing is requested":                    {want: "en"},
		"English, if the browser wants no supported language": {header: "ja, zh;q=0.9", want: "en"},
		"the chosen language":                                 {attempt: "fr", header: "pt", query: "?lang=it", want: "it"},
		"an unsupported language":                             {attempt: "fr", query: "?lang=ja", want: "fr"},
		"a language of a country":                             {attempt: "fr", query: "?lang=de-AT", want: "fr"},
		"a language in capitals":                              {attempt: "fr", query: "?lang=DE", want: "fr"},
		"no language":                                         {attempt: "fr", query: "?lang=", want: "fr"},
		"two languages":                                       {attempt: "fr", query: "?lang=it&lang=de", want: "it"},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t)
			w.Update(func(inv *accountsv1.Invitation) {
				inv.Status.Attempt.Language, inv.Spec.Language = tc.attempt, tc.spec
			})
			org := storetest.Acme()
			w.Must(w.Client.Delete(t.Context(), storetest.Acme()))
			org.Spec.Language = tc.organization
			w.Must(w.Client.Create(t.Context(), org))
			r := newRequest(http.MethodGet, w.Link()+tc.query, nil)
			r.Header.Set("Accept-Language", tc.header)
			expect(t, w.do(r), 200, `<html lang="`+tc.want+`">`)
			r = formRequest(w.Link()+tc.query, "")
			r.Header.Set("Accept-Language", tc.header)
			expect(t, w.do(r), 422, `<html lang="`+tc.want+`">`)
		})
	}
}

func TestPagesWithoutAnInvitationSpeakTheLanguageOfTheBrowser(t *testing.T) {
	for header, want := range map[string]language.Tag{
		"it-CH, fr;q=0.8":                     "it",
		"ja, de;q=0.3":                        "de",
		"":                                    "en",
		"*":                                   "en",
		`"><script>`:                          "en",
		strings.Repeat("it,", 5000):           "en",
		"it;q=\x00":                           "en",
		strings.Repeat("x-", 400) + "y, it":   "it",
		"de-" + strings.Repeat("abcdefgh", 9): "en",
	} {
		w := aWorld(t)
		for path, status := range map[string]int{"/sign-in": 200, "/other": 404, "/invitation/abc": 404, w.Link()[:len(w.Link())-2] + "AA": 404} {
			r := newRequest(http.MethodGet, path, nil)
			r.Header.Set("Accept-Language", header)
			expect(t, w.do(r), status, `<html lang="`+want.String()+`">`, want.Text("portal.frame.password", nil), "!<script>")
		}
	}
}

var switchLink = regexp.MustCompile(`<a href="([^"]*)" lang="(..)" hreflang="(..)"( aria-current="true")?>([^<]*)</a>`)

// offered is a link of the language switch.
type offered struct {
	Lang, Hreflang, Name string
	Current              bool
	// Address is the target of the link.
	Address string
}

// switchOf returns the links of the language switch on a page.
func switchOf(t *testing.T, address string, page *httptest.ResponseRecorder) []offered {
	t.Helper()
	var links []offered
	for _, l := range switchLink.FindAllStringSubmatch(page.Body.String(), -1) {
		links = append(links, offered{l[2], l[3], l[5], l[4] != "", follow(t, address, l[1])})
	}
	return links
}

// follow returns the address that a link on the page of another address leads to.
func follow(t *testing.T, here, link string) string {
	t.Helper()
	from, err := url.Parse("https://usher.example.com" + here)
	if err != nil {
		t.Fatal(err)
	}
	to, err := from.Parse(html.UnescapeString(link))
	if err != nil {
		t.Fatal(err)
	}
	if to.Scheme != from.Scheme || to.Host != from.Host {
		t.Errorf("%s leads to %s", link, to)
	}
	return to.RequestURI()
}

func TestTheSwitchKeepsThePage(t *testing.T) {
	w := aWorld(t)
	link := w.Link()
	for name, tc := range map[string]struct{ path, query, current, kept string }{
		"the form":                       {link, "", "en", ""},
		"the form in German":             {link, "?lang=de", "de", ""},
		"the form with a proposal":       {link, "?user-name=jdoe", "en", "&user-name=jdoe"},
		"the same in German":             {link, "?user-name=jdoe&lang=de", "de", "&user-name=jdoe"},
		"the form with other parameters": {link, "?user-name=%22&email=x&lang=fr", "fr", ""},
		"the page to decline":            {link + "/decline", "?lang=pt", "pt", ""},
		"an unknown link":                {"/invitation/abc", "?lang=it", "it", ""},
		"the sign-in page":               {"/sign-in", "?done=signed-out", "en", ""},
	} {
		t.Run(name, func(t *testing.T) {
			page := w.get(tc.path + tc.query)
			var want []offered
			for _, tag := range language.All() {
				lang := tag.String()
				want = append(want, offered{lang, lang, tag.Name(), lang == tc.current, tc.path + "?lang=" + lang + tc.kept})
			}
			got := switchOf(t, tc.path+tc.query, page)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			for _, l := range got {
				expect(t, w.get(l.Address), page.Code, `<html lang="`+l.Lang+`">`)
				if tc.kept != "" {
					expect(t, w.get(l.Address), page.Code, `type="text" value="jdoe"`)
				}
			}
		})
	}
}

func TestNothingButLanguageAndUserNameGoesIntoTheLinksOfAPage(t *testing.T) {
	w := aWorld(t)
	for query, unwanted := range map[string]string{
		"password=" + url.QueryEscape(validPassword):  "velvet",
		"user-name=%22%3E%3Cscript%3E":                "script%3E",
		"user-name=Jane%20Doe":                        "Jane+Doe",
		"next=https%3A%2F%2Fevil.example":             "evil.example",
		"lang=it%22%20onmouseover%3D%22alert(1)":      "onmouseover",
		"lang=javascript%3Aalert(1)":                  "javascript",
		"lang=%2F%2Fevil.example":                     "evil.example",
		"lang=..%2F..%2Fetc%2Fpasswd":                 "passwd",
		"lang=%00it":                                  "\x00",
		"lang=%ff%fe":                                 "\xff",
		"lang=" + strings.Repeat("x", 10_000):         "xxxx",
		"lang=%7B%7B.%7D%7D":                          "{{",
		"lang[]=it&lang%5B%5D=it":                     "lang[",
		"user-name=jdoe&user-name=%3Cscript%3Eevil":   "evil",
		"user-name=" + strings.Repeat("a", 64):        strings.Repeat("a", 64),
		"lang=en%0d%0aSet-Cookie%3A%20session%3Devil": "session",
	} {
		for _, path := range []string{w.Link(), "/sign-in", "/invitation/abc"} {
			got := w.get(path + "?" + query)
			expect(t, got, w.get(path).Code, `<html lang="en">`, "!"+unwanted)
			for name, values := range got.Header() {
				if strings.Contains(strings.Join(values, " "), unwanted) || name == "Set-Cookie" {
					t.Errorf("%s: %q", name, values)
				}
			}
		}
	}
}

func TestAFormKeepsTheLanguage(t *testing.T) {
	action := regexp.MustCompile(`<form [^>]*action="([^"]*)"`)
	for _, tag := range language.All() {
		w := aWorld(t)
		found := action.FindStringSubmatch(w.get(w.Link() + "?lang=" + tag.String()).Body.String())
		if found == nil {
			t.Fatal("no form on the page")
		}
		there := follow(t, w.Link(), found[1])
		expect(t, w.post(there, url.Values{}), 422, `<html lang="`+tag.String()+`">`)
		expect(t, w.post(there, filled()), 200, `<html lang="`+tag.String()+`">`, tag.Text("portal.done.title", nil))
	}
}

func TestDatesAreThoseOfTheLanguage(t *testing.T) {
	for tag, want := range map[string]string{
		"it": "martedì 5 maggio 2026, ore 10:00 UTC",
		"de": "Dienstag, 5. Mai 2026, 10:00 Uhr UTC",
		"pt": "terça-feira, 5 de maio de 2026, às 10:00 UTC",
	} {
		w := aWorld(t)
		expect(t, w.get(w.Link()+"?lang="+tag), 200, `<time datetime="2026-05-05T10:00:00Z">`+want+`</time>`)
		w.Clock.SetTime(storetest.Start.Add(48 * time.Hour))
		expect(t, w.get(w.Link()+"?lang="+tag), 410, want)
	}
}

func TestCheckingAUserNameInAnotherLanguage(t *testing.T) {
	for value, want := range map[string]userNameAnswer{
		"jdoe":  {"free", "jdoe ist verfügbar."},
		"taken": {"taken", "Dieser oder ein ähnlich aussehender Benutzername ist schon vergeben. Wählen Sie einen anderen."},
		"":      {"invalid", "Wählen Sie einen Benutzernamen, zum Beispiel jane-doe."},
		"jаne":  {"invalid", "Der Buchstabe „а“ sieht aus wie das lateinische „a“, ist es aber nicht. Verwenden Sie nur Kleinbuchstaben von a bis z, Ziffern und Bindestriche, zum Beispiel jane-doe."},
	} {
		w := aWorld(t, storetest.MadeFor("another's", "taken"))
		got := w.get(w.Link() + "/user-name?lang=de&value=" + url.QueryEscape(value))
		var answer userNameAnswer
		w.Must(json.Unmarshal(got.Body.Bytes(), &answer))
		if diff := cmp.Diff(want, answer); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestEveryProblemHasATextInEveryLanguage(t *testing.T) {
	weaknesses := []account.Weakness{
		account.WeakEmpty, account.WeakShort, account.WeakLong, account.WeakPersonal, account.WeakCommon, account.WeakKeyboard,
		account.WeakSequence, account.WeakSame, account.WeakRepeated, account.WeakDate, account.WeakSimple,
	}
	names := []string{"", strings.Repeat("a", 64), "jane doe", "rené", "jаne", "-jane", "admin"}
	for _, tag := range language.All() {
		said := map[string]string{}
		say := func(about, text string) {
			if text == "" || said[text] != "" || strings.Contains(text, "no value") {
				t.Errorf("%s, %s: %q, which is also the text about %q", tag, about, text, said[text])
			}
			said[text] = about
		}
		for _, w := range weaknesses {
			say(string(w), passwordProblem(tag, "short", w, false))
		}
		for _, name := range names {
			say(name, userNameProblem(tag, name, ""))
		}
		say("qualifier", userNameProblem(tag, "jane", "a.b"))
	}
}

func TestEmphasisComesFromTheSentenceAlone(t *testing.T) {
	for _, evil := range []string{"\x00By\x00", "\x00Role\x00", "\x00", "{{.Role}}", "<strong>", "", "%s"} {
		var strong []string
		for _, p := range emphasize("en", "portal.invitation.offer", "By", evil, "Role", "Developer") {
			if p.Strong {
				strong = append(strong, p.Text)
			}
		}
		if diff := cmp.Diff([]string{evil, "Developer"}, strong); diff != "" {
			t.Errorf("%q (-want +got):\n%s", evil, diff)
		}
	}
}
