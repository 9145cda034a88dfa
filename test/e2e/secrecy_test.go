// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

var _ = Describe("No link and no password", func() {
	It("is in any object, event, log or metric, now or at any time before", Label("K7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		acme.join(ctx, "jane", "developer", acme.unique("jane"))
		pending := acme.invite(ctx, "june", "observer")

		By("trying what makes a program talk")
		v := newVisitor()
		v.get(ctx, http.MethodGet, pending+"/user-name?value="+acme.unique("jane"))
		v.get(ctx, http.MethodGet, pending+"/../x")
		v.post(ctx, pending, acceptance(acme.unique("jane"), newPassword()))
		v.post(ctx, pending, acceptance("Not A Name", newPassword()))
		v.post(ctx, mailbox.Link(acme.email("jane")), acceptance(acme.unique("john"), newPassword()))
		v.post(ctx, flip(pending), acceptance(acme.unique("june"), newPassword()))

		By("reading everything")
		places := map[string]string{
			"an object or an event": everyObject(ctx),
			"the log of a process":  usher.said(),
			"a metric":              usher.measured(ctx),
			"what was ever written": audited(),
		}
		// A search that cannot find anything proves nothing.
		Expect(places["an object or an event"]).To(And(ContainSubstring(acme.email("jane")), ContainSubstring("Mailed the invitation to "+acme.email("june"))))
		Expect(places["the log of a process"]).To(ContainSubstring("/invitation/{link}"))
		Expect(places["a metric"]).To(ContainSubstring("controller_runtime_reconcile_total"))
		Expect(places["what was ever written"]).To(ContainSubstring(acme.email("june")))

		secrets := secretsOfTheRun()
		Expect(len(secrets)).To(BeNumerically(">", 6))
		for place, content := range places {
			for _, secret := range secrets {
				if strings.Contains(content, secret) {
					Fail(place + " has a secret: " + around(content, secret))
				}
			}
		}
	})

	It("can be read out of the Secret of an Account, which has a hash alone", Label("K7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		acme.join(ctx, "jane", "developer", acme.unique("jane"))
		credentials := acme.credentials(ctx)
		Expect(credentials).To(HaveLen(1))
		Expect(credentials[0].Type).To(Equal(corev1.SecretType("accounts.usher.dev/password")))
		Expect(string(credentials[0].Data["password"])).To(HavePrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
		for _, value := range credentials[0].Data {
			for _, secret := range secretsOfTheRun() {
				Expect(string(value)).NotTo(ContainSubstring(secret))
			}
		}
	})
})

var linkPath = regexp.MustCompile(`/invitation/([A-Za-z0-9_-]{20,})`)

// secretsOfTheRun are the links of all mails and all passwords that anybody
// typed so far: plain, and as a Secret or a header would write them.
func secretsOfTheRun() []string {
	var plain []string
	for _, mail := range mailbox.Messages() {
		for _, link := range linkPath.FindAllStringSubmatch(mail.Text, -1) {
			plain = append(plain, link[1])
		}
	}
	passwordsMu.Lock()
	plain = append(plain, passwords...)
	passwordsMu.Unlock()
	var all []string
	for _, secret := range plain {
		all = append(all, secret,
			base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
			strings.ReplaceAll(secret, " ", "+"), strings.ReplaceAll(secret, " ", "%20"))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// everyObject is everything that the API server has, of every kind, and what
// Secrets have in them besides as plain text.
func everyObject(ctx context.Context) string {
	GinkgoHelper()
	server, err := discovery.NewDiscoveryClientForConfig(kube.Admin())
	Expect(err).NotTo(HaveOccurred())
	config := kube.Admin()
	// It warns of kinds that are old; they are read all the same.
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
			content, err := json.Marshal(list)
			Expect(err).NotTo(HaveOccurred())
			all.Write(content)
		}
	}
	var secrets corev1.SecretList
	Expect(admin.List(ctx, &secrets)).To(Succeed())
	for _, secret := range secrets.Items {
		for _, value := range secret.Data {
			all.Write(value)
		}
	}
	return all.String()
}

// audited is every write that anybody made, but those of Secrets.
func audited() string {
	GinkgoHelper()
	content, err := os.ReadFile(auditLog)
	Expect(err).NotTo(HaveOccurred())
	return string(content)
}

// around shows where a secret is without showing it.
func around(content, secret string) string {
	at := strings.Index(content, secret)
	return content[max(0, at-300):at] + "…"
}
