// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/wording/language"
)

// securityHeaders are set on every answer. A page loads nothing from other
// origins and contains no inline code. No other site can frame it or learn its
// address.
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

// retryLater is the Retry-After time if something behind the portal failed.
const retryLater = 5 * time.Second

// guard returns the handler that protects every route.
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
			// With this policy browsers name the origin of the page's forms.
			w.Header().Set("Referrer-Policy", "same-origin")
		}
		defer func() {
			if cause := recover(); cause != nil {
				p.panicked(w, r, route, cause)
			}
			p.log.Info("Served request", "route", route.pattern, "method", knownMethod(r.Method),
				"status", w.status, "duration", p.clock.Since(start).String())
		}()
		reserved, refused := p.refuse(w, r, route)
		if refused {
			return
		}
		if reserved {
			r = r.WithContext(account.WithReserve(r.Context()))
		}
		serve(route, w, r)
	})
}

// serve calls the handler for the method of a request that refuse let through.
func serve(route route, w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		route.post(w, r)
		return
	}
	route.get(w, r)
}

// refuse answers a request that must not reach its route, and reports whether it
// did. reserved means that the request came through a reserve.
func (p *portal) refuse(w http.ResponseWriter, r *http.Request, route route) (reserved, refused bool) {
	if route.pattern != routeHealth {
		wait, viaReserve := p.admit(r, clientOf(r, p.trusted), route)
		if wait > 0 {
			setRetryAfter(w, wait)
			p.message(w, r, languageOf(r, store.LinkView{}), http.StatusTooManyRequests, tooManyRequests)
			return false, true
		}
		reserved = viaReserve
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case reads && route.get != nil:
		return reserved, false
	case r.Method != http.MethodPost || route.post == nil:
		w.Header().Set("Allow", allowed(route))
		p.message(w, r, languageOf(r, store.LinkView{}), http.StatusMethodNotAllowed, wrongMethod)
		return false, true
	case !route.machine && p.isCrossOrigin(r, route):
		p.message(w, r, languageOf(r, store.LinkView{}), http.StatusForbidden, crossOrigin)
		return false, true
	}
	return reserved, false
}

func allowed(route route) string {
	switch {
	case route.post == nil:
		return "GET, HEAD"
	case route.get == nil:
		return "POST"
	}
	return "GET, HEAD, POST"
}

// isCrossOrigin reports whether a page of another site sent a form.
//
// The origin of a page, if the browser names one, must be the portal's own: scheme,
// host and port. The headers of a request never tell what the own origin is. A
// client that names neither an origin nor a site is not a browser.
//
// Pages with a link in their address have Referrer-Policy no-referrer. Because of
// that, browsers name the origin of every form as "null". This does not matter if
// the browser also sends Sec-Fetch-Site. Over plain http, which only a demo or a
// lab uses, browsers omit that header. In that case the portal accepts the form:
// other sites cannot send it because they do not know the link.
func (p *portal) isCrossOrigin(r *http.Request, at route) bool {
	origin := r.Header.Get("Origin")
	isOwn := origin == "" || origin == p.origin
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return !isOwn && origin != "null"
	case "":
		return !isOwn && (origin != "null" || p.https || !at.secret)
	}
	return true
}

// originOf returns the origin of a URL as browsers write it: without a default port.
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}

// panicked answers for a handler that panicked. It logs where the panic happened,
// but not its message, because the message can contain anything.
func (p *portal) panicked(w *answer, r *http.Request, route route, cause any) {
	p.log.Error(errors.New("panic in a handler"), "Recovered from a panic",
		"route", route.pattern, "type", fmt.Sprintf("%T", cause), "at", callers())
	if w.status == 0 {
		p.message(w, r, languageOf(r, store.LinkView{}), http.StatusInternalServerError, broken)
	}
}

// callers returns the functions and lines of a panic. The usual stack trace also
// shows arguments, and a link can be one of them.
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

// failed answers if the API server, or anything else behind the portal, failed.
func (p *portal) failed(w http.ResponseWriter, r *http.Request, lang language.Tag, doing string, err error, text message) {
	if r.Context().Err() == nil {
		p.log.Error(errKind(err), "Failed to answer a request", "doing", doing)
	}
	setRetryAfter(w, retryLater)
	p.message(w, r, lang, http.StatusServiceUnavailable, text)
}

// errKind returns an error that names only the kind of err.
func errKind(err error) error { return errors.New(kindOf(err)) }

// kindOf returns the kind of an error. An error of the API server can contain
// text that a person typed, so its text is never logged.
func kindOf(err error) string {
	switch reason := apierrors.ReasonForError(err); {
	case reason != metav1.StatusReasonUnknown:
		return "API server returned " + string(reason)
	case errors.Is(err, store.ErrContended):
		return store.ErrContended.Error()
	case errors.Is(err, store.ErrSecretMissing):
		return store.ErrSecretMissing.Error()
	case errors.Is(err, account.ErrBusy):
		return account.ErrBusy.Error()
	case errors.Is(err, account.ErrUnreadableCredentials):
		return account.ErrUnreadableCredentials.Error()
	case errors.Is(err, account.ErrUnreadableSeed):
		return account.ErrUnreadableSeed.Error()
	case errors.Is(err, account.ErrUnreadableHash):
		return account.ErrUnreadableHash.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "timed out"
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return fmt.Sprintf("error of type %T", err)
}

func setRetryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(min(wait, time.Hour).Seconds()))))
}

// knownMethod keeps methods that a client invented out of the log.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// answer records the status that was sent.
type answer struct {
	http.ResponseWriter
	status int
}

// WriteHeader sends the status and records it.
func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
