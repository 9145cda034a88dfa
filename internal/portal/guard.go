// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"runtime"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/wording/language"
)

// securityHeaders are on every answer. Nothing on a page comes from anywhere
// but the portal, nothing is in the page itself, and no one may frame it or
// learn its address.
var securityHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	"Referrer-Policy":              "no-referrer",
	"Cache-Control":                "no-store",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
	"X-Robots-Tag":                 "noindex, nofollow",
}

// retryLater is when to come back after something behind the portal failed.
const retryLater = 5 * time.Second

// guard stands before every route.
func (p *portal) guard() http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, r *http.Request) {
		start := p.clock.Now()
		w := &answer{ResponseWriter: writer}
		for name, value := range securityHeaders {
			w.Header().Set(name, value)
		}
		if p.https {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		route := p.find(r.URL.Path)
		if route.fixed {
			// So that browsers name the origin of its forms.
			w.Header().Set("Referrer-Policy", "same-origin")
		}
		defer func() {
			if cause := recover(); cause != nil {
				p.panicked(w, r, route, cause)
			}
			p.log.Info("Served request", "route", route.pattern, "method", knownMethod(r.Method),
				"status", w.status, "duration", p.clock.Since(start).String())
		}()
		if refused := p.refuse(w, r, route); !refused {
			serve(route, w, r)
		}
	})
}

// serve hands the request to the method of its route that refuse left.
func serve(route route, w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		route.post(w, r)
		return
	}
	route.get(w, r)
}

// refuse answers what must not reach a route, and tells whether it did.
func (p *portal) refuse(w http.ResponseWriter, r *http.Request, route route) bool {
	post := r.Method == http.MethodPost
	if route.pattern != routeHealth {
		if wait := p.limiter.admit(clientOf(r, p.trusted), post); wait > 0 {
			setRetryAfter(w, wait)
			p.message(w, r, languageOf(r, store.LinkView{}), http.StatusTooManyRequests, tooManyRequests)
			return true
		}
	}
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return false
	case !post || route.post == nil:
		w.Header().Set("Allow", allowed(route))
		p.message(w, r, languageOf(r, store.LinkView{}), http.StatusMethodNotAllowed, wrongMethod)
		return true
	case p.fromElsewhere(r, route):
		p.message(w, r, languageOf(r, store.LinkView{}), http.StatusForbidden, crossOrigin)
		return true
	}
	return false
}

func allowed(route route) string {
	if route.post == nil {
		return "GET, HEAD"
	}
	return "GET, HEAD, POST"
}

// fromElsewhere tells whether a page of somebody else's sent a form.
//
// With Referrer-Policy no-referrer, which pages with a link in their address
// have, a browser names the origin of every form as "null". Where Sec-Fetch-Site
// tells the truth besides, that does not matter; over plain http, which only a
// demo or a lab has, browsers leave it out. There such a form is let in: what
// keeps others out is that they do not know the link.
func (p *portal) fromElsewhere(r *http.Request, at route) bool {
	if at.secret && !p.https && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null" {
		return false
	}
	return p.origins.Check(r) != nil
}

// panicked answers in place of a handler that fell over. What it said is not
// logged, because it may hold anything; where it fell is.
func (p *portal) panicked(w *answer, r *http.Request, route route, cause any) {
	p.log.Error(errors.New("panic in a handler"), "Recovered from a panic",
		"route", route.pattern, "type", fmt.Sprintf("%T", cause), "at", callers())
	if w.status == 0 {
		p.message(w, r, languageOf(r, store.LinkView{}), http.StatusInternalServerError, broken)
	}
}

// callers says where a panic came from, function by function. The usual text of
// a stack also shows arguments, and a link can be one.
func callers() []string {
	counters := make([]uintptr, 32)
	frames := runtime.CallersFrames(counters[:runtime.Callers(3, counters)])
	var at []string
	for {
		frame, more := frames.Next()
		at = append(at, fmt.Sprintf("%s:%d", frame.Function, frame.Line))
		if !more {
			return at
		}
	}
}

// failed answers when the API server, or anything else behind, let us down.
func (p *portal) failed(w http.ResponseWriter, r *http.Request, lang language.Tag, doing string, err error, text message) {
	if r.Context().Err() == nil {
		p.log.Error(errKind(err), "Failed to answer a request", "doing", doing)
	}
	setRetryAfter(w, retryLater)
	p.message(w, r, lang, http.StatusServiceUnavailable, text)
}

// errKind is an error that says what kind of error it is, and no more.
func errKind(err error) error { return errors.New(kindOf(err)) }

// kindOf says what kind of error it is. The text of an error of the API server
// may hold what somebody typed, so that it is never logged.
func kindOf(err error) string {
	switch reason := apierrors.ReasonForError(err); {
	case reason != metav1.StatusReasonUnknown:
		return "the API server says " + string(reason)
	case errors.Is(err, store.ErrContended):
		return store.ErrContended.Error()
	case errors.Is(err, account.ErrBusy):
		return account.ErrBusy.Error()
	case errors.Is(err, account.ErrUnreadableCredentials):
		return account.ErrUnreadableCredentials.Error()
	case errors.Is(err, account.ErrUnreadableHash):
		return account.ErrUnreadableHash.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "took too long"
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return fmt.Sprintf("error of type %T", err)
}

func setRetryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(min(wait, time.Hour).Seconds()))))
}

// knownMethod keeps a method that somebody made up out of the log.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// answer remembers the status that was sent.
type answer struct {
	http.ResponseWriter
	status int
}

// WriteHeader sends the status, and remembers it.
func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
