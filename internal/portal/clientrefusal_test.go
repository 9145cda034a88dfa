// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/usher-dev/usher/internal/issuer"
)

// A program reads JSON, and a person a page.
func TestAPersonReadsWhyARequestIsRefused(t *testing.T) {
	w := memberWorld(t).withWebClient()
	b := w.agent()
	visit := func(address, accept string) (int, http.Header, string) {
		r := newRequest(http.MethodGet, address, nil)
		r.Header.Set("Accept", accept)
		got := b.send(r)
		return got.Code, got.Header(), got.Body.String()
	}
	const browser = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
	signOut := issuer.PathEndSession + "?" + url.Values{"client_id": {"web"}, "post_logout_redirect_uri": {"https://evil.example/"}}.Encode()
	authorize := toAuthorize + authorization("redirect_uri", "https://evil.example/").Encode()
	for _, address := range []string{authorize, signOut} {
		status, header, body := visit(address+"&lang=de", browser)
		if status != 400 || !strings.HasPrefix(header.Get("Content-Type"), "text/html") || header.Get("Location") != "" ||
			!strings.Contains(body, "Diese Anfrage ist ungültig") || !strings.Contains(body, "redirect_uri is not one that the client registered") {
			t.Errorf("%s: %d, %v\n%s", address, status, header, body)
		}
		if status, header, body := visit(address, "*/*"); status != 400 || header.Get("Content-Type") != "application/json" || !strings.Contains(body, `"error":"invalid_request`) {
			t.Errorf("%s: %d, %v\n%s", address, status, header, body)
		}
	}
	r := formRequest(issuer.PathAuthorize, authorization("redirect_uri", "https://evil.example/").Encode())
	r.Header.Set("Accept", browser)
	expect(t, b.send(r), 400, "This request is not valid")

	if status, header, body := visit(toAuthorize+authorization().Encode(), browser); status != 302 || header.Get("Location") != "https://usher.example.com"+issuer.PathContinue || strings.Contains(body, "<h1>") {
		t.Errorf("%d, %v", status, header)
	}
	if status, header, _ := visit(toAuthorize+authorization("prompt", "none").Encode(), browser); status != 302 || !strings.HasPrefix(header.Get("Location"), "http://127.0.0.1:8000/?error=") {
		t.Errorf("%d, %v", status, header)
	}
	b.handler = w.withoutKeys().handler
	if status, header, body := visit(toAuthorize+authorization().Encode(), browser); status != 503 || header.Get("Retry-After") == "" || !strings.Contains(body, "<h1>") {
		t.Errorf("%d, %v\n%s", status, header, body)
	}
}
