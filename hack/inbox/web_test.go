// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package inbox_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/usher-dev/usher/hack/inbox"
)

type answer struct {
	status int
	header http.Header
	body   string
}

func get(t *testing.T, h http.Handler, path string) answer {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return answer{w.Code, w.Header(), w.Body.String()}
}

func TestWebPages(t *testing.T) {
	t.Parallel()
	ib := start(t, inbox.Options{})
	h := ib.Handler()
	if got := get(t, h, "/"); !strings.Contains(got.body, "No mail yet.") {
		t.Errorf("the empty list:\n%s", got.body)
	}
	mustSend(t, ib, "first@example.org", "Subject: first\n\nplain\n")
	mustSend(t, ib, "ada@example.org", invitation)
	for path, c := range map[string]struct {
		status int
		has    []string
		hasNot []string
	}{
		"/": {200, []string{
			"<html lang=\"en\">", "width=device-width", "http-equiv=\"refresh\"", "Inbox (2)", "/messages/2",
			"Einladung für &lt;b&gt;Ada&lt;/b&gt;", "To ada@example.org", "2026-11-21T18:10:00Z",
		}, []string{"<b>Ada", "<script"}},
		"/messages/2": {200, []string{
			"sandbox=\"allow-popups allow-popups-to-escape-sandbox\"", "src=\"/messages/2/html\"", "1@usher.example.org",
			"<a href=\"https://usher.example.org/invitation/a=b#token\" target=\"_blank\" rel=\"noopener noreferrer\">", "&lt;script&gt;",
		}, []string{"<script", "http-equiv=\"refresh\"", "<b>Ada"}},
		"/messages/1":      {200, []string{"<pre>plain"}, []string{"<iframe"}},
		"/messages/2/html": {200, []string{"<html><head><base target=\"_blank\"></head><body><p>Hello</p>"}, nil},
		"/messages/2/raw":  {200, []string{"Content-Transfer-Encoding: base64"}, nil},
		"/style.css":       {200, []string{"color-scheme: light dark"}, nil},
		"/messages/3":      {404, []string{"No such mail"}, nil},
		"/messages/x":      {404, []string{"No such mail"}, nil},
		"/messages/3/html": {404, []string{"No such mail"}, nil},
		"/nothing":         {404, nil, nil},
	} {
		got := get(t, h, path)
		if got.status != c.status {
			t.Errorf("%s: status %d, want %d", path, got.status, c.status)
		}
		for _, s := range c.has {
			if !strings.Contains(got.body, s) {
				t.Errorf("%s: no %q in\n%s", path, s, got.body)
			}
		}
		for _, s := range c.hasNot {
			if strings.Contains(got.body, s) {
				t.Errorf("%s: %q in\n%s", path, s, got.body)
			}
		}
	}
	list := get(t, h, "/").body
	if strings.Index(list, "/messages/1\"") < strings.Index(list, "/messages/2\"") {
		t.Error("the newest mail is not first")
	}
}

func TestWebHeaders(t *testing.T) {
	t.Parallel()
	ib := start(t, inbox.Options{})
	mustSend(t, ib, "ada@example.org", invitation)
	for path, policy := range map[string]string{
		"/":                "default-src 'none'; style-src 'self'; frame-src 'self'; ",
		"/messages/1":      "default-src 'none'; style-src 'self'; frame-src 'self'; ",
		"/messages/1/html": "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; ",
		"/messages/1/raw":  "default-src 'none'; ",
		"/messages/9":      "default-src 'none'; ",
		"/style.css":       "default-src 'none'; ",
	} {
		header := get(t, ib.Handler(), path).header
		if got := header.Get("Content-Security-Policy"); !strings.HasPrefix(got, policy) || strings.Contains(got, "script") {
			t.Errorf("%s: policy %q", path, got)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
	w := httptest.NewRecorder()
	ib.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d", w.Code)
	}
}

func TestWebIsServed(t *testing.T) {
	t.Parallel()
	ib := start(t, inbox.Options{WebAddress: "127.0.0.1:0"})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ib.WebURL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
}
