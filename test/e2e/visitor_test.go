// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
)

// visitor is a client of the portal with an address of its own, so that visitors do
// not use up each other's rate limits.
type visitor struct {
	address string
	client  *http.Client
}

var visitors atomic.Uint32

func newVisitor() visitor {
	n := visitors.Add(1)
	// Each visitor is in a network of their own, because networks have limits, too.
	return visitor{address: fmt.Sprintf("10.%d.%d.1", byte(n>>8), byte(n)), client: front.client}
}

// get requests a page, with additional headers, and returns its status and body.
func (v visitor) get(ctx context.Context, method, address string, headers ...string) (status int, body string) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, method, address, nil)
	Expect(err).NotTo(HaveOccurred())
	return v.send(request, headers...)
}

// post sends a form as a page does, with additional headers.
func (v visitor) post(ctx context.Context, address string, form url.Values, headers ...string) (status int, body string) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.send(request, headers...)
}

func (v visitor) send(request *http.Request, headers ...string) (status int, body string) {
	GinkgoHelper()
	request.Header.Set("X-Forwarded-For", v.address)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := v.client.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	return response.StatusCode, string(text)
}

// acceptance returns the filled-in form of the invitation page.
func acceptance(userName, password string) url.Values {
	return url.Values{
		"user-name": {userName}, "given-name": {"Jane"}, "family-name": {"Doe"},
		"password": {password}, "password-again": {password},
	}
}

// passwords are all passwords that were typed in this run.
var (
	passwords   []string
	passwordsMu sync.Mutex
)

// newPassword returns a strong password that was not used before.
func newPassword() string {
	password := "velvet Pickle tram " + utilrand.String(8)
	passwordsMu.Lock()
	defer passwordsMu.Unlock()
	passwords = append(passwords, password)
	return password
}
