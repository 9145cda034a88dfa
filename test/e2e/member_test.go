// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// Sentences that many specs check.
const (
	notLetIn = "Incorrect user name or password."
	nextStep = "One more step"
)

// Subjects of mails about an account.
const (
	resetMailed    = "Choose a new password"
	lockedMailed   = "Your account is temporarily locked"
	passwordMailed = "Your password was changed"
	factorMailed   = "Your second factor was changed"
)

// The elements to click on the pages for people with an account.
const (
	sendCode = "form[action*='/sign-in/code'] button[type=submit]"
	signOut  = "form[action*='/sign-out'] button[type=submit]"
	// acceptWithIt accepts with the account of the current session.
	acceptWithIt = "form[action*='/accept'] button[type=submit]"
)

// signIn opens the sign-in page, and sends its form.
func (p *page) signIn(name, password string) {
	GinkgoHelper()
	p.open(usher.url + "/sign-in")
	p.fill("sign-in-name", name)
	p.fill("sign-in-password", password)
	p.click(signIn)
}

// mustSignIn signs in a person who needs only a password.
func (p *page) mustSignIn(name, password string) {
	GinkgoHelper()
	p.signIn(name, password)
	Expect(p.path()).To(HavePrefix("/account"), p.text())
}

// path returns the path of the page's address.
func (p *page) path() string {
	GinkgoHelper()
	return p.evaluate("location.pathname")
}

// session returns the browser's session cookie, as the header that sends it.
func (p *page) session() string {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(p.tab, patience)
	defer cancel()
	var session string
	Expect(chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		kept, err := cdp.Call(ctx, t, network.GetCookies, network.GetCookiesParams{})
		for _, cookie := range kept.Cookies {
			header := "Cookie: " + cookie.Name + "=" + cookie.Value
			keepSecret(sessionToken(header))
			if cookie.Name == "__Host-usher-session" {
				session = header
			}
		}
		return err
	}))).To(Succeed())
	Expect(session).NotTo(BeEmpty(), "the browser is not signed in")
	return session
}

// sessionToken returns the secret part of the session header.
func sessionToken(session string) string {
	_, value, _ := strings.Cut(session, "=")
	token, _, _ := strings.Cut(value, ".")
	return token
}

// guess tries a wrong password the given number of times.
func guess(ctx context.Context, name string, times int) {
	GinkgoHelper()
	v := newVisitor()
	for range times {
		status, body := v.post(ctx, usher.url+"/sign-in", url.Values{"sign-in-name": {name}, "sign-in-password": {newPassword()}})
		Expect(status).To(Equal(http.StatusUnprocessableEntity))
		Expect(body).To(ContainSubstring(notLetIn))
	}
}

// locked counts failed sign-ins against an Account, as if they had happened a while
// ago.
func locked(ctx context.Context, userName string, failures int) {
	GinkgoHelper()
	then := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	kubectl(ctx, "patch", "account", userName, "--subresource=status", "--type=merge",
		fmt.Sprintf(`--patch={"status":{"signIn":{"failures":%d,"failureTime":%q}}}`, failures, then))
	Eventually(accountState).WithArguments(ctx, userName).Should(Equal("Locked"))
}

// accountState returns the state of an Account that kubectl get shows.
func accountState(ctx context.Context, userName string) string {
	GinkgoHelper()
	if cells := row(kubectl(ctx, "get", "accounts"), userName); len(cells) > 1 {
		return cells[1]
	}
	return ""
}

// annotateNow requests something with an annotation that holds the time, as the
// documentation describes. The time is the next full second, which is after
// everything that the request can be about.
func annotateNow(ctx context.Context, annotation string, object ...string) {
	GinkgoHelper()
	at := time.Now().Truncate(time.Second).Add(time.Second).UTC().Format(time.RFC3339)
	kubectl(ctx, append([]string{"annotate", "--overwrite"}, append(object, annotation+"="+at)...)...)
}

// condition returns the status and the reason of a condition; "" means that it is not
// set.
func condition(ctx context.Context, conditionType string, object ...string) string {
	GinkgoHelper()
	path := `jsonpath={range .status.conditions[?(@.type=="` + conditionType + `")]}{.status} {.reason}{end}`
	return kubectl(ctx, append([]string{"get", "-o", path}, object...)...)
}

// resetLinks returns the links in all mails to a person, oldest first.
func (t tenant) resetLinks(name string) []string {
	var all []string
	for _, mail := range mailbox.For(t.email(name)) {
		all = append(all, resetLink.FindAllString(mail.Text, -1)...)
	}
	return all
}

var resetLink = regexp.MustCompile(`https://\S+/reset/[A-Za-z0-9_-]{20,}`)

// keptSecrets are secrets that pages showed in this run, or that browsers held.
// Passwords are kept elsewhere.
var (
	keptSecrets   []string
	keptSecretsMu sync.Mutex
)

// keepSecret records a secret that no other person may ever read.
func keepSecret(secret string) string {
	keptSecretsMu.Lock()
	defer keptSecretsMu.Unlock()
	if !slices.Contains(keptSecrets, secret) {
		keptSecrets = append(keptSecrets, secret)
	}
	return secret
}

// unlocks and resets are the annotations with which an admin requests these.
const (
	unlocks = accountsv1.UnlockAnnotation
	resets  = accountsv1.ResetAnnotation
)

// add invites a person who already has an account through another Organization, and
// who accepts with it.
func (t tenant) add(ctx SpecContext, from tenant, name, role, userName, password string) {
	GinkgoHelper()
	browser := newPage()
	browser.open(t.inviteAlso(ctx, from, name, role))
	browser.fill("sign-in-name", userName)
	browser.fill("sign-in-password", password)
	browser.click(signIn)
	browser.click(acceptWithIt)
	Expect(browser.text()).To(ContainSubstring("You're in"))
	Eventually(t.state).WithArguments(ctx, name).Should(Equal(accountsv1.MembershipActive))
}

// inviteAlso invites a person who was invited to another Organization before, and
// returns the link in the mail.
func (t tenant) inviteAlso(ctx context.Context, from tenant, name, role string) string {
	GinkgoHelper()
	before := mailbox.Link(from.email(name))
	apply(ctx, t.membershipOf("Jane", "Doe", name, from.email(name), role))
	Eventually(mailbox.Link).WithArguments(from.email(name)).ShouldNot(Equal(before))
	return mailbox.Link(from.email(name))
}
