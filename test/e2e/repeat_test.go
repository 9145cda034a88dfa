// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("Repeating the same steps", func() {
	var (
		acme      tenant
		manifests string
		before    string
	)

	BeforeEach(func(ctx SpecContext) {
		acme = newTenant(ctx)
		manifests = acme.manifest() + "---" + acme.membership("jane", "developer") + "---" + acme.membership("june", "observer")
		apply(ctx, manifests)
		acme.mailedLink("june")
		acme.join(ctx, "jane", "developer", acme.unique("jane"))
		Eventually(acme.bindings).WithArguments(ctx).ShouldNot(BeEmpty())
		acme.mail("jane", welcomed)
		acme.waitForIdle(ctx)
		before = acme.versions(ctx)
	})

	// A Membership invited in the meantime shows when Usher has caught up.
	nothingHappened := func(ctx context.Context, meanwhile string) {
		GinkgoHelper()
		acme.invite(ctx, meanwhile, "observer")
		kubectl(ctx, "delete", "membership", meanwhile, "-n", acme.name)
		Eventually(acme.versions).WithArguments(ctx).Should(Equal(before))
		Consistently(acme.versions).WithArguments(ctx).Should(Equal(before))
		Expect(acme.subjects("june")).To(HaveExactElements(invited))
		Expect(acme.subjects("jane")).To(HaveExactElements(invited, welcomed))
	}

	It("with kubectl apply changes nothing and sends no mail", Label("K1", "K3"), func(ctx SpecContext) {
		for range 3 {
			for line := range strings.Lines(apply(ctx, manifests)) {
				Expect(line).To(HaveSuffix(" unchanged\n"))
			}
		}
		nothingHappened(ctx, "later")
	})

	It("with a resend request in the manifest sends one more mail, and only one", Label("A7", "K3"), func(ctx SpecContext) {
		june := "name: june, namespace: " + acme.name
		manifests = strings.Replace(manifests, june, june+", annotations: {accounts.usher.dev/resendRequestedAt: '2026-11-21T10:00:00Z'}", 1)
		apply(ctx, manifests)
		Eventually(acme.subjects).WithArguments("june").Should(HaveExactElements(invited, invited))
		acme.waitForIdle(ctx)
		before := acme.versions(ctx)
		for range 3 {
			for line := range strings.Lines(apply(ctx, manifests)) {
				Expect(line).To(HaveSuffix(" unchanged\n"))
			}
		}
		Consistently(acme.versions).WithArguments(ctx).Should(Equal(before))
		Expect(acme.subjects("june")).To(HaveExactElements(invited, invited))
		Expect(acme.subjects("jane")).To(HaveExactElements(invited, welcomed))
	})

	It("with server-side apply, as a GitOps tool does, sends no mail and finds no diff the second time",
		Label("K1", "K3"), func(ctx SpecContext) {
			sync := func() {
				_, err := kube.KubectlWith(ctx, manifests, "apply", "--server-side", "--force-conflicts", "--field-manager=gitops", "-f", "-")
				Expect(err).NotTo(HaveOccurred())
			}
			sync()
			acme.waitForIdle(ctx)
			before = acme.versions(ctx)
			sync()
			nothingHappened(ctx, "later")
			_, err := kube.KubectlWith(ctx, manifests, "diff", "--server-side", "--force-conflicts", "--field-manager=gitops", "-f", "-")
			Expect(err).NotTo(HaveOccurred(), "kubectl diff fails if it finds a difference")
		})

	It("with a controller that was restarted, or that crashed, sends no mail and writes nothing",
		Label("K1", "K8"), func(ctx SpecContext) {
			Expect(usher.controller.Stop(stopTimeout)).To(Succeed())
			usher.startController()
			nothingHappened(ctx, "later")

			usher.controller.Kill()
			usher.startController()
			nothingHappened(ctx, "after-the-crash")
		})
})

// waitForIdle waits until Usher has finished its work on every object.
func (t tenant) waitForIdle(ctx context.Context) {
	GinkgoHelper()
	last := ""
	Eventually(func(g Gomega) {
		now := t.versions(ctx)
		was := last
		last = now
		g.Expect(now).To(Equal(was))
	}).WithPolling(500 * time.Millisecond).Should(Succeed())
	Eventually(func() accountsv1.MembershipState { return t.state(ctx, "june") }).Should(Equal(accountsv1.MembershipInvited))
}

// versions returns the resource versions of all objects that Usher writes for the
// tenant.
func (t tenant) versions(ctx context.Context) string {
	GinkgoHelper()
	const format = `jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} {.metadata.uid} {.metadata.resourceVersion}{"\n"}{end}`
	all := kubectl(ctx, "get", "organizations,accounts", "-o", format) +
		kubectl(ctx, "get", "memberships,invitations,rolebindings", "--all-namespaces", "-o", format) +
		kubectl(ctx, "get", "secrets", "-n", accountsv1.CredentialsNamespace, "-o", format)
	var own strings.Builder
	for line := range strings.Lines(all) {
		if strings.Contains(line, t.unique("")) {
			own.WriteString(line)
		}
	}
	return own.String()
}
