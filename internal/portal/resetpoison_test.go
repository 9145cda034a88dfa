// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// victims are the addresses in the payloads, by user name: two Accounts with one
// address, an Account with a similar address, and the attacker.
var victims = map[string]string{
	"victim": "victim@example.com", "victim-too": "victim@example.com",
	"look-alike": "v\u0456ctim@example.com", "evil": "evil@example.org",
}

// everyVictim lists the Accounts with the victim's address.
var everyVictim = []string{"victim", "victim-too"}

// payload is one attempt to send mail or links to the attacker.
type payload struct {
	// head is inserted into the request below the first line, line by line.
	head []string
	// target replaces the path in the first line.
	target string
	// kind is the content type of the body. The default is that of a form.
	kind string
	// body replaces the form that contains typed.
	body, typed string
	status      int
	// noAddress means that the body cannot be an address.
	noAddress bool
	// meant are the Accounts that must get the request.
	meant []string
}

// headPayloads come with a body that names the victim by user name or by address.
func headPayloads(path string) map[string]payload {
	all := map[string]payload{}
	for _, line := range []string{
		"Host: evil.example",
		"Host: evil.example:443",
		"Host: usher.example.com:evil.example",
		"Host: usher.example.com.evil.example",
		"Host: evil.example\r\nX-Forwarded-Host: evil.example",
		"X-Forwarded-Host: evil.example",
		"X-Forwarded-Host: usher.example.com, evil.example",
		"X-Forwarded-Host: usher.example.com\r\nX-Forwarded-Host: evil.example",
		"X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: http",
		"X-Forwarded-Proto: http",
		"X-Forwarded-Proto: evil.example://",
		"X-Forwarded-Scheme: http",
		"X-Forwarded-Port: 8443",
		"X-Forwarded-Server: evil.example",
		"X-Forwarded-Prefix: //evil.example",
		"X-Forwarded-For: evil.example",
		"Forwarded: host=evil.example;proto=http",
		"Forwarded: for=192.0.2.1;host=\"evil.example\", host=evil.example",
		"X-Host: evil.example",
		"X-HTTP-Host-Override: evil.example",
		"X-Original-Host: evil.example",
		"X-Original-URL: https://evil.example/reset",
		"X-Rewrite-URL: https://evil.example/reset",
		"X-HTTP-Method-Override: GET",
		"Base-Url: https://evil.example",
		"Referer: https://evil.example/",
		"Destination: https://evil.example/",
		" Host: evil.example",
	} {
		all["head "+line] = payload{head: strings.Split(line, "\r\n"), status: 200}
	}
	for _, target := range []string{
		"http://evil.example" + path,
		"https://usher.example.com@evil.example" + path,
		path + "?host=evil.example&url=https://evil.example&redirect=//evil.example&next=https://evil.example",
		path + "?lang=evil.example",
		path + "?organization=evil.example",
		path + "?sign-in-name=evil&address=evil@example.org",
	} {
		all["target "+target] = payload{target: target, status: 200}
	}
	all["target //evil.example"+path] = payload{target: "//evil.example" + path, status: 404}
	return all
}

// typedPayloads are typed into the field of either form. Only the owner of
// exactly that address can get the mail.
var typedPayloads = map[string][]string{
	"victim@example.com,evil@example.org":               nil,
	"victim@example.com, evil@example.org":              nil,
	"victim@example.com;evil@example.org":               nil,
	"victim@example.com evil@example.org":               nil,
	"victim@example.com\tevil@example.org":              nil,
	"victim@example.com|evil@example.org":               nil,
	"victim@example.com&address=evil@example.org":       nil,
	"victim@example.com\nevil@example.org":              nil,
	"victim@example.com\r\nevil@example.org":            nil,
	"victim@example.com\r\nBcc: evil@example.org":       nil,
	"victim@example.com\nCc: evil@example.org\n\nhello": nil,
	"victim@example.com%0d%0aBcc:evil@example.org":      nil,
	"victim@example.com%0aevil@example.org":             nil,
	"victim@example.com%00evil@example.org":             nil,
	"victim@example.com\x00":                            nil,
	"victim@example.com\x00evil@example.org":            nil,
	"victim@example.com\u2028evil@example.org":          nil,
	"victim@example.com\u00a0evil@example.org":          nil,
	"evil@example.org,victim@example.com":               nil,
	"<victim@example.com>":                              nil,
	"Victim <victim@example.com>":                       nil,
	"evil@example.org <victim@example.com>":             nil,
	"mailto:victim@example.com":                         nil,
	"[\"victim@example.com\",\"evil@example.org\"]":     nil,
	"{\"email\":\"victim@example.com\"}":                nil,
	"victim@example.com@evil.example":                   nil,
	"victim@example.com.evil.example":                   nil,
	"victim@evil.example":                               nil,
	"victim@example.com.":                               nil,
	"victim@.example.com":                               nil,
	"victim@[192.0.2.1]":                                nil,
	"victim@example":                                    nil,
	"\"victim\"@example.com":                            nil,
	"\"victim@example.com\"@evil.example":               nil,
	"\"victim@example.com,evil\"@example.org":           nil,
	"\"victim\\\"@example.com":                          nil,
	"victim(evil)@example.com":                          nil,
	"victim@(evil.example)example.com":                  nil,
	"victim\\@example.com":                              nil,
	"victim%example.com@evil.example":                   nil,
	"evil.example!victim@example.com":                   nil,
	"victim+evil@example.com":                           nil,
	"vic.tim@example.com":                               nil,
	"vict\u0131m@example.com":                           nil, // dotless i
	"VICT\u0130M@example.com":                           nil, // capital I with a dot
	"v\u0131ctim@example.com":                           nil,
	"\uff56ictim@example.com":                           nil, // full-width v
	"vic\u200btim@example.com":                          nil, // zero-width space
	"vi\u00adctim@example.com":                          nil, // soft hyphen
	"\u202evictim@example.com":                          nil, // right-to-left override
	"victim\ufe6bexample.com@evil.example":              nil, // small @
	"victim\uff20example.com":                           nil, // full-width @
	"victim@ex\u0430mple.com":                           nil, // Cyrillic a
	"victim@example\u3002com":                           nil, // ideographic full stop
	"victim@xn--exmple-4nf.com":                         nil, // the same in ASCII
	"*@example.com":                                     nil,
	"%@example.com":                                     nil,
	"victim@example.com' or '1'='1":                     nil,
	"metadata.name=victim@example.com":                  nil,
	"../victim@example.com":                             nil,
	strings.Repeat("v", 300) + "@example.com":           nil,
	strings.Repeat("victim@example.com,", 400):          nil,
	// These are other spellings of the victim's address: the mail goes to the address
	// on file.
	"victim@example.com":       everyVictim,
	"VICTIM@EXAMPLE.COM":       everyVictim,
	"Victim@Example.Com":       everyVictim,
	"  victim@example.com\r\n": everyVictim,
	"victim@ex\uff41mple.com":  everyVictim, // IDNA maps the full-width a to a
	// This address is another person's and looks like the victim's.
	"v\u0456ctim@example.com": {"look-alike"},
	"V\u0406CTIM@EXAMPLE.COM": {"look-alike"},
}

// namePayloads are typed as a user name.
var namePayloads = map[string][]string{
	"victim": {"victim"}, "VICTIM": {"victim"}, " victim\n": {"victim"},
	"v\u0456ctim": nil, "vict\u0131m": nil, "\uff56ictim": nil, "victim\u200b": nil, "victim.": nil, ".victim": nil,
	"victim/acme": nil, "victim/": nil, "/victim": nil, "../victim": nil, "victim/../evil": nil, "evil/../victim": nil, "victim%2f..%2fevil": nil,
	"victim,evil": nil, "victim evil": nil, "victim;evil": nil, "victim\nevil": nil, "victim\x00": nil, "victim\x00evil": nil,
	"victim*": nil, "*": nil, "-": nil, "account-victim": nil, "usher:victim": nil, "system:masters": nil,
	"victim?dryRun=All": nil, "victim#": nil, strings.Repeat("victim", 2000): nil,
}

// bodyPayloads are bodies of either form, with FIELD as the name of its field.
var bodyPayloads = map[string]payload{
	"the field twice":              {body: "FIELD=victim%40example.com&FIELD=evil%40example.org", status: 400},
	"the field twice, the same":    {body: "FIELD=victim%40example.com&FIELD=victim%40example.com", status: 400},
	"the field as a list":          {body: "FIELD[]=victim%40example.com&FIELD[]=evil%40example.org", status: 400},
	"the field and a list":         {body: "FIELD=victim%40example.com&FIELD[]=evil%40example.org", status: 400},
	"the field as a map":           {body: "FIELD[0]=victim%40example.com&FIELD[1]=evil%40example.org", status: 400},
	"the field as a list, escaped": {body: "FIELD%5B%5D=victim%40example.com", status: 400},
	"separated by a semicolon":     {body: "FIELD=victim%40example.com;FIELD=evil%40example.org", status: 400},
	"an invalid escape":            {body: "FIELD=victim%zz", status: 400},
	"invalid UTF-8":                {body: "FIELD=victim%40example.com%ff", status: 400},
	"JSON":                         {kind: "application/json", body: `{"FIELD":"victim@example.com"}`, status: 415},
	"JSON with a list":             {kind: "application/json", body: `{"FIELD":["victim@example.com","evil@example.org"]}`, status: 415},
	"JSON with the type of a form": {body: `{"FIELD":["victim@example.com","evil@example.org"]}`, status: 400},
	"XML":                          {kind: "application/xml", body: `<FIELD>victim@example.com</FIELD>`, status: 415},
	"plain text":                   {kind: "text/plain", body: "FIELD=victim%40example.com", status: 415},
	"several parts":                {kind: "multipart/form-data; boundary=x", body: "--x\r\nContent-Disposition: form-data; name=\"FIELD\"\r\n\r\nvictim@example.com\r\n--x--\r\n", status: 415},
	"too much":                     {body: "FIELD=victim%40example.com&more=" + strings.Repeat("x", maxBody), status: 413},
	"the field in capitals":        {body: strings.ToUpper("FIELD") + "X=victim%40example.com", status: 422},
	"nothing":                      {body: "", status: 422},
	"with an address to send to":   {body: "FIELD=victim%40example.com&email=evil%40example.org&to=evil%40example.org&bcc=evil%40example.org", status: 200, meant: everyVictim},
	"with an address to return to": {body: "FIELD=victim%40example.com&host=evil.example&url=https%3A%2F%2Fevil.example&redirect=%2F%2Fevil.example", status: 200, meant: everyVictim},
	"with an invalid language":     {body: "FIELD=victim%40example.com&lang=evil.example&organization=evil.example", status: 200, meant: everyVictim},
	"with times of its own":        {body: "FIELD=victim%40example.com&resetTimes=2020-01-01T00%3A00%3A00Z&language=xx", status: 200, meant: everyVictim},
	"with a character set":         {kind: "application/x-www-form-urlencoded; charset=utf-7", body: "FIELD=victim+AEA-example.com", status: 200, noAddress: true},
}

// asRequest parses the request like a server.
func (p payload) asRequest(t *testing.T, method, path, field string) *http.Request {
	t.Helper()
	target, kind, body := path, "application/x-www-form-urlencoded", strings.ReplaceAll(p.body, "FIELD", field)
	if p.target != "" {
		target = p.target
	}
	if p.kind != "" {
		kind = p.kind
	}
	if p.typed != "" {
		body = url.Values{field: {p.typed}}.Encode()
	}
	head := []string{method + " " + target + " HTTP/1.1"}
	if !slices.ContainsFunc(p.head, func(line string) bool { return strings.HasPrefix(line, "Host:") }) {
		head = append(head, "Host: usher.example.com")
	}
	head = append(head, p.head...)
	head = append(head, "Sec-Fetch-Site: same-origin")
	if method == http.MethodPost {
		head = append(head, "Content-Type: "+kind, fmt.Sprint("Content-Length: ", len(body)))
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.Join(head, "\r\n") + "\r\n\r\n" + body)))
	if err != nil {
		t.Fatalf("the server refuses it: %v", err)
	}
	return r
}

// statusOf returns the expected status. An address without a page accepts
// nothing.
func (p payload) statusOf(method string) int {
	if p.status == http.StatusNotFound && method == http.MethodPost {
		return http.StatusMethodNotAllowed
	}
	return p.status
}

// poison is the world in which payloads are tried, one after another.
type poison struct {
	*world
	before map[string]accountsv1.AccountStatus
	tried  int
}

func aPoison(t *testing.T) *poison {
	t.Helper()
	p := &poison{world: worldWith(t), before: map[string]accountsv1.AccountStatus{}}
	for name, email := range victims {
		for _, obj := range acmeMember(t, name, withAddress(email), askedAt()) {
			p.Must(p.Client.Create(context.Background(), obj))
		}
		p.before[name] = p.Account(name).Status
	}
	return p
}

// try sends one payload and checks its effects. The answer must link only to the
// portal. The only write must be the time of a request, in the Accounts that are
// meant.
func (p *poison) try(t *testing.T, method, path, field string, load payload) {
	t.Helper()
	p.tried++
	got := p.do(load.asRequest(t, method, path, field))
	if want := load.statusOf(method); got.Code != want {
		t.Errorf("status %d, want %d", got.Code, want)
	}
	staysHere(t, got)
	var meant []string
	for name, before := range p.before {
		now := p.Account(name)
		for list, times := range map[string][]metav1.Time{"/reset": now.Status.ResetTimes, "/user-names": now.Status.UserNameTimes} {
			if len(times) == 0 {
				continue
			}
			meant = append(meant, name)
			if list != path || len(times) != 1 || !times[0].Time.Equal(storetest.Start) {
				t.Errorf("%s: %s holds %v", name, list, times)
			}
		}
		changed := now.Status
		if text, _ := json.Marshal(changed); strings.Contains(string(text), "evil") || strings.Contains(string(text), "@") {
			t.Errorf("%s: status %s", name, text)
		}
		changed.ResetTimes, changed.UserNameTimes = nil, nil
		if changed.Language == "en" {
			changed.Language = ""
		}
		if diff := cmp.Diff(before, changed); diff != "" {
			t.Errorf("%s: status (-before +after):\n%s", name, diff)
		}
		now.Status = before
		p.Must(p.Client.Status().Update(context.Background(), now))
	}
	slices.Sort(meant)
	if !slices.Equal(meant, load.meant) {
		t.Errorf("requested mail for %q, want %q", meant, load.meant)
	}
}

// links matches everything on a page that can lead elsewhere.
var links = regexp.MustCompile(`(?i)\b(?:href|src|action|formaction|content|data-[a-z-]+)="([^"]*)"`)

// staysHere checks that an answer leads only to the portal. Its only cookie is the one by
// which the Account knows the browser, for this host alone.
func staysHere(t *testing.T, got *httptest.ResponseRecorder) {
	t.Helper()
	for name, values := range got.Header() {
		if name == "Set-Cookie" && len(values) == 1 && strings.HasPrefix(values[0], hostPrefix+browserCookie+"=") {
			continue
		}
		if strings.Contains(strings.Join(values, " "), "evil") || name == "Location" || name == "Refresh" || name == "Set-Cookie" {
			t.Errorf("header %s: %q", name, values)
		}
	}
	body := got.Body.String()
	for _, link := range links.FindAllStringSubmatch(body, -1) {
		address, err := url.Parse(link[1])
		if err != nil || address.IsAbs() || address.Host != "" {
			t.Errorf("the page leads to %q", link[1])
		}
	}
	// The field repeats the input that the person has to correct. The language links
	// keep the Organization.
	body = strings.ReplaceAll(body, "&amp;organization=evil.example", "")
	if got.Code != http.StatusUnprocessableEntity && strings.Contains(body, "evil") {
		t.Errorf("the page repeats it:\n%s", body)
	}
}

// at returns the payload as sent to one page. Only the oldest Account of an
// address gets a request for user names. Input that is not an address is not
// searched for.
func (p payload) at(path string) payload {
	if path != "/user-names" {
		return p
	}
	if p.noAddress || p.typed != "" && !strings.Contains(p.typed, "@") {
		p.status = http.StatusUnprocessableEntity
	}
	p.meant = p.meant[:min(len(p.meant), 1)]
	return p
}

// formPayloads returns all payloads for a page with a form.
func formPayloads(path string) map[string]payload {
	all := maps.Clone(bodyPayloads)
	for typed, who := range typedPayloads {
		all["typed "+typed] = payload{typed: typed, status: http.StatusOK, meant: who}
	}
	for name, load := range headPayloads(path) {
		load.typed = "victim@example.com"
		if load.status == http.StatusOK {
			load.meant = everyVictim
		}
		all[name] = load
	}
	if path == "/reset" {
		for typed, who := range namePayloads {
			all["named "+typed] = payload{typed: typed, status: http.StatusOK, meant: who}
		}
	}
	return all
}

func TestNothingLeadsALinkAstray(t *testing.T) {
	p := aPoison(t)
	for path, field := range map[string]string{"/reset": fieldSignInName, "/user-names": fieldAddress} {
		for name, load := range headPayloads(path) {
			t.Run("GET "+path+" "+name, func(t *testing.T) { p.try(t, http.MethodGet, path, field, load) })
		}
		for name, load := range formPayloads(path) {
			t.Run(fmt.Sprintf("POST %s %.80q", path, name), func(t *testing.T) { p.try(t, http.MethodPost, path, field, load.at(path)) })
		}
	}
	if p.tried < 300 {
		t.Errorf("only %d payloads were tried", p.tried)
	}
}

// TestNothingLeadsTheFormOfALinkAstray sends the same headers to the link itself.
// The page, the form and all answers must lead only to the portal.
func TestNothingLeadsTheFormOfALinkAstray(t *testing.T) {
	next := worlds(t)
	for name, load := range headPayloads("/reset/LINK") {
		t.Run(name, func(t *testing.T) {
			w := next(t, janes(t)...)
			path := w.resetPath("jane", storetest.Start)
			load.target = strings.ReplaceAll(load.target, "/reset/LINK", path)
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPost} {
				load.body = newPasswords(otherPassword).Encode()
				got, want := w.do(load.asRequest(t, method, path, "")), load.statusOf(method)
				staysHere(t, got)
				if got.Code != want {
					t.Errorf("%s: status %d, want %d", method, got.Code, want)
				}
				if method == http.MethodPost && want == http.StatusOK {
					load.status = http.StatusGone
				}
			}
		})
	}
}
