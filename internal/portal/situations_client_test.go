// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/issuer/usercode"
)

// allSituations returns situations, and those of the pages for sign-ins to clients.
func allSituations() map[string]func(w *world, query string) *httptest.ResponseRecorder {
	all := maps.Clone(situations)
	maps.Copy(all, clientSituations)
	return all
}

// asking returns the browser of a member that carries a request of a client.
func (w *world) asking(but ...string) *cookieBrowser {
	b := w.withWebClient().clientUser()
	b.visit(issuer.PathAuthorize + "?" + authorization(but...).Encode())
	return b
}

// clientUser returns the browser of a member who can use clients.
func (w *world) clientUser() *cookieBrowser {
	for _, o := range globex(func(*accountsv1.Organization) {}) {
		w.Must(w.Client.Create(context.Background(), o))
	}
	return w.resident("jane.doe@example.com")
}

// codeFrom returns the code of a device at an address.
func (w *world) codeFrom(address string) string {
	return usercode.New([]byte("secret"), netip.MustParseAddr(address), w.Clock.Now()).String()
}

// plus adds a parameter to a query, which can be empty.
func plus(query, name, value string) string {
	separator := "&"
	if query == "" {
		separator = "?"
	}
	return query + separator + url.Values{name: {value}}.Encode()
}

// asWebClient changes an authorization request into one of the client web.
var asWebClient = []string{"client_id", "web", "redirect_uri", "https://app.example.com/callback"}

var clientSituations = map[string]func(w *world, query string) *httptest.ResponseRecorder{
	"about to sign in to a program": func(w *world, query string) *httptest.ResponseRecorder {
		return w.asking().visit(issuer.PathContinue + query)
	},
	"about to sign in to a website": func(w *world, query string) *httptest.ResponseRecorder {
		return w.asking(asWebClient...).visit(issuer.PathContinue + query)
	},
	"signing in for a client": func(w *world, query string) *httptest.ResponseRecorder {
		b := w.agent()
		b.visit(issuer.PathAuthorize + "?" + authorization().Encode())
		return b.visit("/sign-in" + query)
	},
	"signing in again for a client": func(w *world, query string) *httptest.ResponseRecorder {
		return w.asking("prompt", "login").visit("/sign-in" + query)
	},
	"signing in to a client as another person": func(w *world, query string) *httptest.ResponseRecorder {
		b := w.clientUser()
		hint := w.ask(issuer.PathToken, exchange(w.aCode(w.browser(), authorization()))).ID
		w.alterJane(func(a *accountsv1.Account, _ *account.Credentials) { a.UID = "another" })
		b.visit(issuer.PathAuthorize + "?" + authorization("id_token_hint", hint).Encode())
		return b.visit("/sign-in" + query)
	},
	"the request of a client is refused": func(w *world, query string) *httptest.ResponseRecorder {
		r := newRequest(http.MethodGet, issuer.PathAuthorize+query, nil)
		r.Header.Set("Accept", "text/html,*/*;q=0.8")
		return w.do(r)
	},
	"the request of a client has expired": func(w *world, query string) *httptest.ResponseRecorder {
		return w.clientUser().visit(issuer.PathContinue + query)
	},
	"approving a request that has expired": func(w *world, query string) *httptest.ResponseRecorder {
		return w.clientUser().fill(issuer.PathContinue+query, url.Values{fieldRequest: {"x"}})
	},
	"signing in to a client without access": func(w *world, query string) *httptest.ResponseRecorder {
		b := w.resident("jane.doe@example.com")
		b.visit(issuer.PathAuthorize + "?" + authorization().Encode())
		request := requestField.FindStringSubmatch(b.visit(issuer.PathContinue).Body.String())[1]
		return b.fill(issuer.PathContinue+query, url.Values{fieldRequest: {request}, fieldAnswer: {answerApprove}})
	},
	"about to enter the code of a device": func(w *world, query string) *httptest.ResponseRecorder {
		return w.clientUser().visit(issuer.PathDevicePage + query)
	},
	"the code of a device is wrong": func(w *world, query string) *httptest.ResponseRecorder {
		return w.clientUser().visit(issuer.PathDevicePage + plus(query, fieldCode, "jane"))
	},
	"a device in the same network": func(w *world, query string) *httptest.ResponseRecorder {
		return w.clientUser().visit(issuer.PathDevicePage + plus(query, fieldCode, w.codeFrom("192.0.2.7")))
	},
	"a device in another network": func(w *world, query string) *httptest.ResponseRecorder {
		return w.clientUser().visit(issuer.PathDevicePage + plus(query, fieldCode, w.codeFrom("203.0.113.7")))
	},
	"a device in an unknown network": func(w *world, query string) *httptest.ResponseRecorder {
		return w.clientUser().visit(issuer.PathDevicePage + plus(query, fieldCode, w.codeFrom("fd00::1")))
	},
	"a device is approved": func(w *world, query string) *httptest.ResponseRecorder {
		return w.clientUser().fill(issuer.PathDevicePage+query, url.Values{fieldCode: {w.codeFrom("192.0.2.7")}})
	},
	"approving a device without access": func(w *world, query string) *httptest.ResponseRecorder {
		return w.resident("jane.doe@example.com").fill(issuer.PathDevicePage+query, url.Values{fieldCode: {w.codeFrom("192.0.2.7")}})
	},
	"connecting to the cluster": func(w *world, query string) *httptest.ResponseRecorder {
		return w.withCluster().clientUser().visit(pathConnect + query)
	},
	"a kubeconfig without a session": func(w *world, query string) *httptest.ResponseRecorder {
		return w.withCluster().get(pathKubeconfig + query)
	},
	"about to sign out": func(w *world, query string) *httptest.ResponseRecorder {
		return w.clientUser().visit(issuer.PathSignOut + query)
	},
	"about to sign out of a client": func(w *world, query string) *httptest.ResponseRecorder {
		_, sealed, _ := strings.Cut(w.withWebClient().signOutOfWeb(), issuer.ParamSignOut+"=")
		return w.clientUser().visit(issuer.PathSignOut + plus(query, issuer.ParamSignOut, sealed))
	},
	"the account page with a client, and a request that waits": func(w *world, query string) *httptest.ResponseRecorder {
		b := w.withCluster().asking()
		request := requestField.FindStringSubmatch(b.visit(issuer.PathContinue).Body.String())[1]
		answer := b.fill(issuer.PathContinue, url.Values{fieldRequest: {request}, fieldAnswer: {answerApprove}})
		to, err := url.Parse(answer.Header().Get("Location"))
		w.Must(err)
		w.submit(issuer.PathToken, exchange(to.Query().Get("code")))
		b.visit(issuer.PathAuthorize + "?" + authorization(asWebClient...).Encode())
		return b.visit("/account" + plus(query, paramDone, doneClient))
	},
}

// withCluster lets the portal tell how to use a cluster.
func (w *world) withCluster() *world {
	w.config.Cluster = Cluster{
		Name: "acme", Server: "https://k8s.example.com:6443", CA: []byte("a CA"), IssuerCA: []byte("another CA"), PluginURL: "https://get.example.com/usher",
	}
	return w.build()
}

func TestWhatThePagesForClientsShow(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		texts  []string
	}{
		"about to sign in to a program":            {200, []string{"You are signing in to kubectl", "kubectl on this computer", "!at 127.0.0.1"}},
		"about to sign in to a website":            {200, []string{"You are signing in to Web", "Web at app.example.com learns", "!this computer"}},
		"signing in for a client":                  {200, []string{"Sign in to continue to kubectl."}},
		"signing in again for a client":            {200, []string{"kubectl asks you to sign in again."}},
		"signing in to a client as another person": {200, []string{"with an account other than jane."}},
		"the request of a client is refused":       {400, []string{"This request is not valid", "The problem: client_id names no client of this issuer"}},
		"the request of a client has expired":      {410, []string{"This request has expired"}},
		"approving a request that has expired":     {410, []string{"This request has expired"}},
		"signing in to a client without access":    {403, []string{"You have no access right now"}},
		"about to enter the code of a device":      {200, []string{"Enter the code that the device shows.", "!problem"}},
		"the code of a device is wrong":            {422, []string{"That code is incorrect or has expired.", `value="jane"`, `aria-invalid="true"`}},
		"a device in the same network":             {200, []string{"in the same network", "192.0.2.0/24", "Never approve a code that someone sent you."}},
		"a device in another network":              {200, []string{"in another network", "203.0.113.0/24", `class="problem"`}},
		"a device in an unknown network":           {200, []string{"Unknown", "!in another network", "!in the same network"}},
		"a device is approved":                     {200, []string{"The device is approved"}},
		"approving a device without access":        {403, []string{"You have no access right now"}},
		"connecting to the cluster":                {200, []string{"https://k8s.example.com:6443", "kubectl usher kubeconfig --issuer=https://usher.example.com --issuer-ca-data=YW5vdGhlciBDQQ=="}},
		"a kubeconfig without a session":           {401, []string{"Sign in first"}},
		"about to sign out":                        {200, []string{"Sign out?", "!Then you return"}},
		"about to sign out of a client":            {200, []string{"Sign out?", "Then you return to Web."}},
		"the account page with a client, and a request that waits": {200, []string{
			"You were signing in to Web.", `<a href="/sign-in/client?lang=en">Continue</a>`, "<p>kubectl</p>", `href="/connect?lang=en"`,
		}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, clientSituations[name](aWorld(t), "?lang=en"), tc.status, tc.texts...) })
	}
}
