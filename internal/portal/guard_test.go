// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

func brokenKeys(context.Context) (invitation.Keyring, error) { return invitation.Keyring{}, errVault }

// assetPaths returns the addresses of all assets that the page refers to.
func (w *world) assetPaths() []string {
	w.T.Helper()
	var paths []string
	for _, found := range regexp.MustCompile(`(?:href|src)="([^"]*/assets/[^"]+)"`).FindAllStringSubmatch(w.get(w.Link()).Body.String(), -1) {
		paths = append(paths, found[1])
	}
	if len(paths) < 3 {
		w.T.Fatalf("the page refers only to %v", paths)
	}
	return paths
}

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	w := aWorld(t)
	link := w.Link()
	bad := newRequest(http.MethodPost, link, strings.NewReader("{}"))
	requests := map[string]*http.Request{
		"form":          newRequest(http.MethodGet, link, nil),
		"problems":      formRequest(link, "user-name=x"),
		"wrong type":    bad,
		"user name":     newRequest(http.MethodGet, link+"/user-name?value=a", nil),
		"unknown link":  newRequest(http.MethodGet, "/invitation/abc", nil),
		"not signed in": newRequest(http.MethodGet, "/account", nil),
		"health":        newRequest(http.MethodGet, "/healthz", nil),
		"method":        newRequest(http.MethodDelete, link, nil),
		"head":          newRequest(http.MethodHead, link, nil),
		"no asset":      newRequest(http.MethodGet, "/assets/none.css", nil),
		"done":          formRequest(link, filled().Encode()),
	}
	for _, path := range w.assetPaths() {
		requests[path] = newRequest(http.MethodGet, path, nil)
	}
	for name, r := range requests {
		t.Run(name, func(t *testing.T) {
			got := w.do(r)
			for header, want := range map[string]string{
				"Content-Security-Policy":    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
				"Referrer-Policy":            map[bool]string{false: "no-referrer", true: "same-origin"}[name == "not signed in"],
				"X-Content-Type-Options":     "nosniff",
				"X-Frame-Options":            "DENY",
				"Cross-Origin-Opener-Policy": "same-origin",
				"Strict-Transport-Security":  "max-age=31536000",
			} {
				if got := got.Header().Get(header); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
			want := "no-store"
			if strings.HasPrefix(r.URL.Path, "/assets/") && got.Code == http.StatusOK {
				want = "public, max-age=31536000, immutable"
			}
			if got := got.Header().Get("Cache-Control"); got != want {
				t.Errorf("Cache-Control: %q, want %q", got, want)
			}
			if got.Header().Get("Permissions-Policy") == "" || got.Header().Get("Content-Type") == "" || (got.Header().Get("Location") != "") != (name == "not signed in") {
				t.Errorf("headers: %v", got.Header())
			}
		})
	}
}

func TestWithoutHTTPSNothingPromisesIt(t *testing.T) {
	w := aWorld(t)
	w.config.BaseURL = &url.URL{Scheme: "http", Host: "localhost:8080"}
	if got := w.build().get("/healthz").Header().Get("Strict-Transport-Security"); got != "" {
		t.Errorf("Strict-Transport-Security: %q", got)
	}
}

func TestThePortalIsMountedAtThePathOfItsBaseURL(t *testing.T) {
	w := aWorld(t)
	w.config.BaseURL = &url.URL{Scheme: "https", Host: "example.com", Path: "/usher/"}
	w.build()
	expect(t, w.get("/usher"+w.Link()), 200, `href="/usher/assets/portal-`, `src="/usher/assets/portal-`)
	for path, want := range map[string]int{
		w.Link(): 404, "/usher": 404, "/usher/": 303, "/usher/other": 404, "/ushers" + w.Link(): 404, "/usher/healthz": 200, "/healthz": 200,
	} {
		if got := w.get(path); got.Code != want {
			t.Errorf("GET %s: status %d, want %d", path, got.Code, want)
		}
	}
}

func TestAssets(t *testing.T) {
	w := aWorld(t)
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	for _, path := range w.assetPaths() {
		got := w.get(path)
		if want := types[path[strings.LastIndex(path, "."):]]; got.Code != 200 || got.Body.Len() == 0 || got.Header().Get("Content-Type") != want {
			t.Errorf("GET %s: status %d, %d bytes of %q", path, got.Code, got.Body.Len(), got.Header().Get("Content-Type"))
		}
	}
	for _, path := range []string{"/assets/", "/assets/portal.css", "/assets/../portal.go", "/assets/portal-0000000000000000.css"} {
		if got := w.get(path); got.Code != http.StatusNotFound {
			t.Errorf("GET %s: status %d", path, got.Code)
		}
	}
}

func TestHeadIsAGetWithoutABody(t *testing.T) {
	w := aWorld(t)
	for _, path := range []string{w.Link(), "/healthz", "/nothing", w.assetPaths()[0]} {
		head, get := w.do(newRequest(http.MethodHead, path, nil)), w.get(path)
		if head.Code != get.Code || head.Body.Len() != 0 || head.Header().Get("Content-Length") != get.Header().Get("Content-Length") {
			t.Errorf("HEAD %s: status %d and %d, %d bytes", path, head.Code, get.Code, head.Body.Len())
		}
	}
}

func TestReadingNeverWrites(t *testing.T) {
	w := aWorld(t)
	w.config.Writer = failOnWrite{t: t}
	w.build()
	before := w.Invitation().ResourceVersion
	for _, path := range []string{w.Link(), w.Link() + "?user-name=jane", w.Link() + "/user-name?value=jane", w.Link() + "?user-name=jane&password=" + url.QueryEscape(validPassword)} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
			w.do(newRequest(method, path, nil))
		}
	}
	if after := w.Invitation().ResourceVersion; after != before {
		t.Errorf("resourceVersion was %s and is %s", before, after)
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	w := aWorld(t)
	for _, tc := range []struct{ method, path, allow string }{
		{http.MethodPut, w.Link(), "GET, HEAD, POST"},
		{http.MethodPatch, w.Link(), "GET, HEAD, POST"},
		{http.MethodDelete, w.Link(), "GET, HEAD, POST"},
		{http.MethodOptions, w.Link(), "GET, HEAD, POST"},
		{"BREW", w.Link(), "GET, HEAD, POST"},
		{http.MethodPost, "/healthz", "GET, HEAD"},
		{http.MethodPost, w.Link() + "/user-name", "GET, HEAD"},
		{http.MethodPost, "/", "GET, HEAD"},
	} {
		got := w.do(newRequest(tc.method, tc.path, nil))
		if got.Code != http.StatusMethodNotAllowed || got.Header().Get("Allow") != tc.allow {
			t.Errorf("%s %s: status %d, Allow %q", tc.method, tc.path, got.Code, got.Header().Get("Allow"))
		}
	}
	if w.Account("jane-doe") != nil || strings.Contains(w.logs.String(), "BREW") {
		t.Error("a refused method had an effect")
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		base    string
		headers map[string]string
		want    int
	}{
		"the own page":                               {"https://usher.example.com", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 200},
		"typed in the address bar":                   {"https://usher.example.com", map[string]string{"Sec-Fetch-Site": "none"}, 200},
		"no browser":                                 {"https://usher.example.com", nil, 200},
		"an old browser on the own page":             {"https://usher.example.com", map[string]string{"Origin": "https://usher.example.com"}, 200},
		"behind a proxy that changes the host":       {"https://usher.example.com", map[string]string{"Origin": "https://usher.example.com", "Host": "10.0.0.7:8080"}, 200},
		"another site":                               {"https://usher.example.com", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403},
		"another site, by an old browser":            {"https://usher.example.com", map[string]string{"Origin": "https://evil.example"}, 403},
		"a neighbour":                                {"https://usher.example.com", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://blog.example.com"}, 403},
		"a sandboxed frame":                          {"https://usher.example.com", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "null"}, 403},
		"a sandboxed frame, by an old browser":       {"https://usher.example.com", map[string]string{"Origin": "null"}, 403},
		"a page over http, by an old browser":        {"https://usher.example.com", map[string]string{"Origin": "http://usher.example.com"}, 403},
		"another port, by an old browser":            {"https://usher.example.com", map[string]string{"Origin": "https://usher.example.com:8443"}, 403},
		"the name that the request has":              {"https://usher.example.com", map[string]string{"Origin": "https://evil.example", "Host": "evil.example"}, 403},
		"a page over http, in place of the own one":  {"https://usher.example.com", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://usher.example.com"}, 403},
		"a neighbour that claims the own origin":     {"https://usher.example.com", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://usher.example.com"}, 403},
		"an unknown relation":                        {"https://usher.example.com", map[string]string{"Sec-Fetch-Site": "friend", "Origin": "https://usher.example.com"}, 403},
		"an origin that is no address":               {"https://usher.example.com", map[string]string{"Origin": "usher.example.com"}, 403},
		"the own page, with a default port":          {"https://Usher.example.com:443", map[string]string{"Origin": "https://usher.example.com"}, 200},
		"the own page, on a port":                    {"https://usher.example.com:8443", map[string]string{"Origin": "https://usher.example.com:8443"}, 200},
		"over http, on the default port":             {"http://usher.lab:80", map[string]string{"Origin": "http://usher.lab"}, 200},
		"over http, another port":                    {"http://usher.lab:8080", map[string]string{"Origin": "http://usher.lab:9090", "Host": "usher.lab:9090"}, 403},
		"over http, without Sec-Fetch-Site":          {"http://usher.lab:8080", map[string]string{"Origin": "null"}, 200},
		"over http, another site":                    {"http://usher.lab:8080", map[string]string{"Origin": "http://evil.lab"}, 403},
		"over http, another site, by Sec-Fetch-Site": {"http://usher.lab:8080", map[string]string{"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t)
			base, err := url.Parse(tc.base)
			w.Must(err)
			w.config.BaseURL = base
			w.build()
			r := formRequest(w.Link(), filled().Encode())
			r.Header.Del("Sec-Fetch-Site")
			r.Host = base.Host
			for name, value := range tc.headers {
				r.Header.Set(name, value)
			}
			if host := tc.headers["Host"]; host != "" {
				r.Host = host
			}
			expect(t, w.do(r), tc.want)
			if made := w.Account("jane-doe") != nil; made != (tc.want == 200) {
				t.Errorf("an account was created: %t", made)
			}
		})
	}
}

func TestTheBodyOfAPostIsJudgedBeforeItIsRead(t *testing.T) {
	long := filled()
	long.Set("more", strings.Repeat("x", maxBody))
	for name, tc := range map[string]struct {
		body, contentType string
		want              int
	}{
		"more than 16 KiB":                    {long.Encode(), "", 413},
		"exactly 16 KiB":                      {filled().Encode() + "&x=" + strings.Repeat("x", maxBody-len(filled().Encode())-3), "", 200},
		"a charset":                           {filled().Encode(), "application/x-www-form-urlencoded; charset=UTF-8", 200},
		"JSON":                                {`{"user-name":"jane-doe"}`, "application/json", 415},
		"several parts":                       {"", "multipart/form-data; boundary=x", 415},
		"plain text":                          {filled().Encode(), "text/plain", 415},
		"no type":                             {filled().Encode(), "-", 415},
		"a broken type":                       {filled().Encode(), ";;", 415},
		"a field twice":                       {filled().Encode() + "&user-name=john", "", 400},
		"a field twice with the same value":   {filled().Encode() + "&password=" + url.QueryEscape(validPassword), "", 400},
		"another field twice":                 {filled().Encode() + "&email=a&email=b", "", 400},
		"an array":                            {filled().Encode() + "&user-name%5B%5D=john", "", 400},
		"bad escapes":                         {filled().Encode() + "&x=%zz", "", 400},
		"a semicolon":                         {filled().Encode() + ";x=y", "", 400},
		"invalid UTF-8":                       {filled().Encode() + "&x=%ff", "", 400},
		"nothing in the body, all in the URL": {"", "", 422},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t)
			r := formRequest(w.Link()+"?"+filled().Encode(), tc.body)
			switch tc.contentType {
			case "":
			case "-":
				r.Header.Del("Content-Type")
			default:
				r.Header.Set("Content-Type", tc.contentType)
			}
			expect(t, w.do(r), tc.want, "!"+validPassword)
			if made := w.Account("jane-doe") != nil; made != (tc.want == 200) {
				t.Errorf("an account was created: %t", made)
			}
		})
	}
}

func TestABodyThatBreaksOffIsNotAnAnswer(t *testing.T) {
	w := aWorld(t)
	r := formRequest(w.Link(), "")
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(filled().Encode()), brokenBody{}))
	expect(t, w.do(r), 400)
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestTooManyRequestsAreTurnedAway(t *testing.T) {
	w := aWorld(t)
	w.config.Limits = Limits{Requests: 1, RequestsBurst: 5, Posts: 0.1, PostsBurst: 2, Clients: 10}
	w.config.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	w.build()
	from := func(client string, r *http.Request) *http.Request {
		r.Header.Set("X-Forwarded-For", client)
		return r
	}
	page := func() *http.Request { return newRequest(http.MethodGet, "/other", nil) }
	form := func() *http.Request { return formRequest(w.Link(), "") }

	for range 2 {
		expect(t, w.do(from("203.0.113.1", form())), 422)
	}
	got := w.do(from("203.0.113.1", form()))
	expect(t, got, 429, "Wait a minute")
	if got.Header().Get("Retry-After") != "10" {
		t.Errorf("Retry-After: %q, want 10", got.Header().Get("Retry-After"))
	}
	for range 3 {
		expect(t, w.do(from("203.0.113.1", page())), 404)
	}
	expect(t, w.do(from("203.0.113.1", page())), 429)
	expect(t, w.do(from("203.0.113.1, 203.0.113.2", page())), 404)
	expect(t, w.do(from("203.0.113.1", newRequest(http.MethodGet, "/healthz", nil))), 200)
	w.Clock.Step(time.Second)
	expect(t, w.do(from("203.0.113.1", page())), 404)
	expect(t, w.do(from("203.0.113.1", page())), 429)
}

func TestAPanicIsAnswered(t *testing.T) {
	w := aWorld(t)
	w.config.Keys = func(context.Context) (invitation.Keyring, error) { panic("with the link " + w.Link()) }
	w.build()
	expect(t, w.get(w.Link()), 500, "Something went wrong")
	if logs := w.logs.String(); strings.Contains(logs, w.Link()) || !strings.Contains(logs, "Recovered from a panic") || !strings.Contains(logs, "TestAPanicIsAnswered") {
		t.Errorf("log:\n%s", logs)
	}
}

func TestNothingThatIsSecretIsLogged(t *testing.T) {
	w := aWorld(t)
	link := w.Link()
	w.get(link)
	w.get(link + "/user-name?value=taken-name")
	w.post(link, but(fieldGivenName, "Typed\n"))
	w.post(link, filled())
	w.post(link, filled())
	w.config.Live, w.config.Writer = failing{}, failing{}
	w.build()
	w.post(link, filled())
	w.config.Live = w.Client
	w.Update(func(inv *accountsv1.Invitation) { inv.Status.Acceptance = accountsv1.Acceptance{} })
	w.build()
	expect(t, w.post(link, but(fieldUserName, "john")), 503, "submit the form again", `value="john"`)
	for _, secret := range []string{link, strings.TrimPrefix(link, "/invitation/"), validPassword, "jane", "Jane", "Typed", "taken-name", "john", "example.com", storetest.JaneUID, "127.0.0.1", "192.0.2.1"} {
		if strings.Contains(w.logs.String(), secret) {
			t.Errorf("%q is in the log:\n%s", secret, w.logs)
		}
	}
	if !strings.Contains(w.logs.String(), `"route"="/invitation/{link}"`) {
		t.Errorf("log:\n%s", w.logs)
	}
}
