// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed templates/inbox.html templates/style.css
var files embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"join":     func(s []string) string { return strings.Join(s, ", ") },
	"segments": segments,
	"clock":    func(t time.Time) string { return t.Format("2 January 2006, 15:04:05 MST") },
	"machine":  func(t time.Time) string { return t.Format(time.RFC3339) },
}).ParseFS(files, "templates/inbox.html"))

const (
	pagePolicy = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// A mail is untrusted HTML: it runs no scripts, submits no forms and loads nothing. A link
	// opens in a new tab, which is a page of its own and not bound by this sandbox.
	mailPolicy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)

// Handler returns the web page: the list, one message, and the HTML of a message for its frame. It
// never changes the inbox.
func (ib *Inbox) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", ib.list)
	mux.HandleFunc("GET /messages/{number}", ib.view)
	mux.HandleFunc("GET /messages/{number}/html", ib.frame)
	mux.HandleFunc("GET /messages/{number}/raw", ib.raw)
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "templates/style.css")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}

func (ib *Inbox) list(w http.ResponseWriter, _ *http.Request) {
	messages := ib.Messages()
	slices.Reverse(messages)
	render(w, http.StatusOK, "list", messages)
}

func (ib *Inbox) view(w http.ResponseWriter, r *http.Request) {
	if m, ok := ib.message(w, r); ok {
		render(w, http.StatusOK, "message", m)
	}
}

var headTag = regexp.MustCompile(`(?i)<head(\s[^>]*)?>`)

func (ib *Inbox) frame(w http.ResponseWriter, r *http.Request) {
	m, ok := ib.message(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Security-Policy", mailPolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// Without a target, a link would open in the small frame.
	const target = `<base target="_blank">`
	html := m.HTML
	if at := headTag.FindStringIndex(html); at != nil {
		html = html[:at[1]] + target + html[at[1]:]
	} else {
		html = target + html
	}
	_, _ = w.Write([]byte(html))
}

func (ib *Inbox) raw(w http.ResponseWriter, r *http.Request) {
	if m, ok := ib.message(w, r); ok {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(m.Raw)
	}
}

func (ib *Inbox) message(w http.ResponseWriter, r *http.Request) (Message, bool) {
	number, err := strconv.Atoi(r.PathValue("number"))
	messages := ib.Messages()
	i := slices.IndexFunc(messages, func(m Message) bool { return m.Number == number })
	if err != nil || i < 0 {
		render(w, http.StatusNotFound, "missing", nil)
		return Message{}, false
	}
	return messages[i], true
}

func render(w http.ResponseWriter, status int, name string, data any) {
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w)
}
