// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"net/http"
	"net/url"
	"strings"
)

// withIssuer adds the issuer to the errors that the library itself sends to a client (RFC 9207, section 2).
func (i *Issuer) withIssuer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == PathAuthorize {
			w = naming{w, "iss=" + url.QueryEscape(i.cfg.URL)}
		}
		next.ServeHTTP(w, r)
	})
}

// naming adds a parameter to the address of an error.
type naming struct {
	http.ResponseWriter
	iss string
}

// WriteHeader sends the status. The parameters of an error come last in the address, in its query or in its
// fragment.
func (n naming) WriteHeader(status int) {
	to := n.Header().Get("Location")
	if status == http.StatusFound && strings.Contains(to, "error=") && !strings.Contains(to, n.iss) {
		n.Header().Set("Location", to+"&"+n.iss)
	}
	n.ResponseWriter.WriteHeader(status)
}
