// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"mime"
	"net/http"
	"net/url"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// maxBody is the maximum size of a form, in bytes.
const maxBody = 16 << 10

// guard refuses requests that the library would accept although the standards do not allow
// them: parameters that come twice (RFC 6749, section 3.1), parameters of a form in the
// address, where logs and histories keep them, and forms of another type. It also adds the
// headers that the library omits.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Pragma", "no-cache") // RFC 6749, section 5.1
		w = challenger{w, challengeFor(r)}
		if refusal := check(w, r); refusal != "" {
			op.WriteError(w, r, oidc.ErrInvalidRequest().WithDescription("%s", refusal), nil)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// challengeFor returns how a client can authenticate for a request that is refused: with a
// token (RFC 6750, section 3) or with its secret (RFC 6749, section 5.2).
func challengeFor(r *http.Request) string {
	switch {
	case r.URL.Path != PathUserInfo:
		return `Basic realm="clients"`
	case r.Header.Get("Authorization") == "":
		return "Bearer"
	}
	return `Bearer error="invalid_token"`
}

// challenger adds a challenge to answers with the status 401.
type challenger struct {
	http.ResponseWriter
	challenge string
}

// WriteHeader sends the status.
func (c challenger) WriteHeader(status int) {
	if status == http.StatusUnauthorized {
		c.Header().Set("WWW-Authenticate", c.challenge)
	}
	c.ResponseWriter.WriteHeader(status)
}

func check(w http.ResponseWriter, r *http.Request) (refusal string) {
	if r.Method == http.MethodPost {
		mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		switch {
		case r.ContentLength != 0 && (err != nil || mediaType != "application/x-www-form-urlencoded"):
			return "the Content-Type must be application/x-www-form-urlencoded"
		case r.URL.RawQuery != "":
			return "the parameters must be in the body of the request"
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || r.ParseForm() != nil {
		return "the parameters cannot be read"
	}
	if query.Has("access_token") { // RFC 9700, section 4.3.2
		return "an access token must not be in the address"
	}
	for _, values := range []url.Values{query, r.PostForm} {
		for name, given := range values {
			if len(given) > 1 {
				return "a parameter is given more than once: " + printable(name)
			}
		}
	}
	return ""
}

// printable returns the name of a parameter for an error description, whose characters are
// restricted (RFC 6749, section 4.1.2.1).
func printable(name string) string {
	if len(name) > 64 {
		name = name[:64]
	}
	clean := []byte(name)
	for i, c := range clean {
		if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			clean[i] = '.'
		}
	}
	return string(clean)
}
