// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/issuer/keys"
)

var _ = Describe("No link, code, password, token or chat URL", func() {
	It("is in any object, event, log or metric, now or at any time before", Label("K7"), func(ctx SpecContext) {
		acme := newTenant(ctx, "addressMatch: AnyAddress")
		chat := acme.startChat(ctx)
		chat.fail()
		acme.join(ctx, "jane", "developer", acme.unique("jane"))
		pending := acme.invite(ctx, "june", "observer", "delivery: [Email, Link]")

		By("provoking errors and log messages")
		Eventually(chat.called).Should(BeNumerically(">", 0))
		v := newVisitor()
		v.get(ctx, http.MethodGet, pending+"/user-name?value="+acme.unique("jane"))
		v.get(ctx, http.MethodGet, pending+"/../x")
		v.post(ctx, pending, acceptance(acme.unique("jane"), newPassword()))
		v.post(ctx, pending, acceptance("Not A Name", newPassword()))
		v.post(ctx, mailbox.Link(acme.email("jane")), acceptance(acme.unique("john"), newPassword()))
		v.post(ctx, flip(pending), acceptance(acme.unique("june"), newPassword()))
		v.post(ctx, pending+"/address", url.Values{"email": {acme.email("home")}})
		withCode := acceptance(acme.unique("june"), "too short")
		withCode.Set("address-choice", "other")
		withCode.Set("code", codeIn(acme.mail("home", codeMailed)))
		v.post(ctx, pending, withCode)
		v.post(ctx, pending+"/sign-in", url.Values{"sign-in-name": {acme.unique("jane")}, "sign-in-password": {newPassword()}})
		mine := append(lifeOfAnAccount(ctx), lifeOfAClient(ctx)...)

		By("reading everything")
		places := map[string]string{
			"an object or an event": everyObject(ctx),
			"the log of a process":  usher.said(),
			"a metric":              usher.measured(ctx),
			"the audit log":         audited(),
		}
		// A search that cannot find anything proves nothing.
		Expect(places["an object or an event"]).To(And(ContainSubstring(acme.email("jane")), ContainSubstring("Email to "+acme.email("june")+": sent"), ContainSubstring(`"deviceApprovals"`)))
		Expect(places["the log of a process"]).To(And(
			ContainSubstring("/invitation/{link}"), ContainSubstring("/reset/{link}"), ContainSubstring("/account/second-factor/passkey"),
			ContainSubstring(issuer.PathToken), ContainSubstring(issuer.PathUserInfo), ContainSubstring(issuer.PathDevicePage),
			MatchRegexp("State changed.*jane.*Pending.*Active")))
		Expect(places["a metric"]).To(ContainSubstring("controller_runtime_reconcile_total"))
		Expect(places["the audit log"]).To(And(ContainSubstring(acme.email("june")), ContainSubstring(`"secondFactorTime"`)))

		secrets := secretsOfTheRun()
		Expect(secrets).To(ContainElements(smtpPassword, chat.hook, linkPath.FindStringSubmatch(pending)[1], withCode.Get("code")))
		Expect(secrets).To(ContainElements(mine))
		for place, content := range places {
			for _, secret := range secrets {
				if at := find(content, secret); at >= 0 {
					Fail(place + " has a secret: " + content[max(0, at-300):at] + "…")
				}
			}
		}
	})

	It("can be read from the Secret of an Account: it has hashes, and the sealed secret of an app", Label("K7"), func(ctx SpecContext) {
		acme := newTenant(ctx, required)
		jane := acme.unique("jane")
		password, phone, codes := acme.joinWithApp(ctx, "jane", "developer", jane)
		browser := newPage()
		browser.signIn(jane, password)
		browser.fill("code", codes[0])
		browser.click(sendCode)
		token := sessionToken(browser.session())

		credentials := acme.credentials(ctx)
		Expect(credentials).To(HaveLen(1))
		Expect(credentials[0].Type).To(Equal(account.SecretType))
		Expect(string(credentials[0].Data["password"])).To(HavePrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
		var all strings.Builder
		for _, value := range credentials[0].Data {
			all.Write(value)
		}
		Expect(all.String()).To(And(ContainSubstring(`"sealed:1:`), ContainSubstring(`"recoveryCodes":`)), "a search that cannot find anything proves nothing")
		secrets := secretsOfTheRun()
		Expect(secrets).To(ContainElements(password, phone.secret, codes[0], codes[9], token))
		for _, secret := range secrets {
			Expect(find(all.String(), secret)).To(BeNumerically("<", 0))
		}
	})
})

// lifeOfAnAccount goes through everything that a member enters, sees or gets wrong
// after creating an account. It returns some of their secrets.
func lifeOfAnAccount(ctx SpecContext) []string {
	GinkgoHelper()
	acme := newTenant(ctx, required)
	jane := acme.unique("jane")
	password, phone, codes := acme.joinWithApp(ctx, "jane", "developer", jane)
	browser, v := newPage(withPasskeys()), newVisitor()

	guess(ctx, jane, 2)
	v.get(ctx, http.MethodGet, usher.url+"/sign-in?password="+url.QueryEscape(newPassword()))
	browser.signIn(jane, password)
	browser.fill("code", wrong(phone.code()))
	browser.click(sendCode)
	browser.fill("code", codes[0])
	browser.click(sendCode)
	first := browser.session()
	v.post(ctx, usher.url+"/sign-in/code", url.Values{"code": {codes[0]}}, first)
	v.get(ctx, http.MethodGet, usher.url+"/account/"+sessionToken(first))

	browser.open(usher.url + "/account/second-factor")
	browser.click("form[action*='/second-factor/app'] button[type=submit]")
	another := browser.scan()
	browser.fill("code", wrong(another.code()))
	browser.submit()
	browser.fill("code", another.code())
	browser.submit()
	browser.open(usher.url + "/account/second-factor")
	browser.click("#passkey-add button[type=submit]")
	browser.session()
	browser.click(signOut)
	browser.click(usePasskey)
	last := browser.session()

	v.post(ctx, usher.url+"/reset", url.Values{"sign-in-name": {jane}})
	Eventually(acme.resetLinks).WithArguments("jane").Should(HaveLen(1))
	link := acme.resetLinks("jane")[0]
	v.get(ctx, http.MethodGet, flip(link))
	v.get(ctx, http.MethodGet, link+"/x")
	chosen := newPassword()
	v.post(ctx, link, url.Values{"new-password": {chosen}, "new-password-again": {newPassword()}})
	v.post(ctx, link, url.Values{"new-password": {chosen}, "new-password-again": {chosen}})
	v.post(ctx, link, url.Values{"new-password": {chosen}, "new-password-again": {chosen}})
	acme.mail("jane", passwordMailed)
	return []string{
		password, chosen, phone.secret, another.secret, codes[0], codes[9],
		sessionToken(first), sessionToken(last), linkPath.FindStringSubmatch(link)[1],
	}
}

var linkPath = regexp.MustCompile(`/(?:invitation|reset)/([A-Za-z0-9_-]{20,})`)

// secretsOfTheRun returns the secrets of this run:
//
//   - the links and codes in all mails
//   - all typed passwords
//   - the secrets that pages showed or that browsers held
//   - the secrets with which Usher itself signs in
//
// Each is in plain form, and in the forms in which a Secret or a header would hold
// it.
func secretsOfTheRun() []string {
	plain := append([]string{smtpPassword}, hooks...)
	for _, mail := range mailbox.Messages() {
		for _, link := range linkPath.FindAllStringSubmatch(mail.Text, -1) {
			plain = append(plain, link[1])
		}
		if mail.Subject == codeMailed {
			code := codeIn(mail)
			plain = append(plain, code, strings.ReplaceAll(code, " ", ""))
		}
	}
	passwordsMu.Lock()
	plain = append(plain, passwords...)
	passwordsMu.Unlock()
	keptSecretsMu.Lock()
	plain = append(plain, keptSecrets...)
	keptSecretsMu.Unlock()
	var all []string
	for _, secret := range plain {
		all = append(all, secret,
			base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
			strings.ReplaceAll(secret, " ", "+"), strings.ReplaceAll(secret, " ", "%20"))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// everyObject returns everything that the API server holds, of every kind.
func everyObject(ctx context.Context) string {
	GinkgoHelper()
	server, err := discovery.NewDiscoveryClientForConfig(kube.Admin())
	Expect(err).NotTo(HaveOccurred())
	config := kube.Admin()
	// The API server warns about deprecated kinds; they are read all the same.
	config.WarningHandler = rest.NoWarnings{}
	objects, err := dynamic.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	groups, err := server.ServerPreferredResources()
	Expect(err).NotTo(HaveOccurred())
	var all strings.Builder
	for _, group := range groups {
		version, err := schema.ParseGroupVersion(group.GroupVersion)
		Expect(err).NotTo(HaveOccurred())
		for _, resource := range group.APIResources {
			if !slices.Contains(resource.Verbs, "list") {
				continue
			}
			list, err := objects.Resource(version.WithResource(resource.Name)).List(ctx, metav1.ListOptions{})
			if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
				continue
			}
			Expect(err).NotTo(HaveOccurred(), resource.Name)
			list.Items = slices.DeleteFunc(list.Items, meantForSecrets)
			content, err := json.Marshal(list)
			Expect(err).NotTo(HaveOccurred())
			all.Write(content)
		}
	}
	return all.String()
}

// meantForSecrets reports whether an object is a Secret that must hold a link, a
// person's credentials, the keys of the issuer, or an Organization's credentials for
// another service. For any other Secret, it adds the decoded data, so that the search can read it.
func meantForSecrets(object unstructured.Unstructured) bool {
	if object.GetKind() != "Secret" {
		return false
	}
	switch object.Object["type"] {
	case accountsv1.LinkSecretType, string(account.SecretType), keys.SecretType:
		return true
	}
	if object.GetName() == accountsv1.CredentialsName {
		return true
	}
	data, _, _ := unstructured.NestedStringMap(object.Object, "data")
	for key, value := range data {
		plain, err := base64.StdEncoding.DecodeString(value)
		Expect(err).NotTo(HaveOccurred())
		data[key] = string(plain)
	}
	object.Object["plain"] = data
	return false
}

// audited returns every write to the API server, except writes of Secrets.
func audited() string {
	GinkgoHelper()
	content, err := os.ReadFile(auditLog)
	Expect(err).NotTo(HaveOccurred())
	return string(content)
}

// find returns where a secret begins in a text, or -1. A code of six digits must be
// separate from other digits and letters, because by chance it is also part of some
// timestamps.
func find(content, secret string) int {
	for from := 0; ; {
		at := strings.Index(content[from:], secret)
		if at < 0 {
			return -1
		}
		at += from
		from = at + len(secret)
		if len(secret) > 6 || !partOfMore(content[max(0, at-1):at]) && !partOfMore(content[from:min(len(content), from+1)]) {
			return at
		}
	}
}

// partOfMore reports whether a character beside digits makes them part of a number or
// a name.
func partOfMore(beside string) bool {
	return strings.ContainsAny(beside, ".0123456789") || strings.ToUpper(beside) != strings.ToLower(beside)
}
