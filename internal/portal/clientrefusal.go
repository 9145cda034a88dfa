// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/usher-dev/usher/internal/portal/store"
)

// serveVisitor serves an endpoint of the issuer to which clients send people. A browser shows
// a page if the issuer refuses the request. Others get its JSON.
func (p *portal) serveVisitor(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		p.endpoints.ServeHTTP(w, r)
		return
	}
	answer := &refusalHolder{ResponseWriter: w}
	p.endpoints.ServeHTTP(answer, r)
	lang := languageOf(r, store.LinkView{})
	switch {
	case answer.status == 0:
	case answer.status >= http.StatusInternalServerError:
		setRetryAfter(w, retryLater)
		p.message(w, r, lang, answer.status, unavailable)
	default:
		p.message(w, r, lang, answer.status, answer.message())
	}
}

// refusalHolder passes an answer on, unless it is a refusal. That, it keeps.
type refusalHolder struct {
	http.ResponseWriter
	// status of the refusal, or 0.
	status int
	body   bytes.Buffer
}

// WriteHeader sends or keeps the status.
func (h *refusalHolder) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		h.status = status
		return
	}
	h.ResponseWriter.WriteHeader(status)
}

// Write sends or keeps a part of the body.
func (h *refusalHolder) Write(part []byte) (int, error) {
	if h.status != 0 {
		return h.body.Write(part)
	}
	return h.ResponseWriter.Write(part)
}

// message returns what a person reads about the refusal. The reason is for the developers of
// the client, so it is not translated.
func (h *refusalHolder) message() message {
	var refusal struct {
		Reason string `json:"error_description"`
	}
	m := message{page: "request-refused", lines: []string{"tell"}}
	if json.Unmarshal(h.body.Bytes(), &refusal) == nil && refusal.Reason != "" {
		m.lines, m.data = append(m.lines, "reason"), refusal
	}
	return m
}
