// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"context"
	"path/filepath"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// part is some attempts of one sort.
type part struct {
	what     string
	attempts func() []attempt
}

// matrix is all that is tried.
var matrix = []part{
	{"roles", roleAttempts},
	{"overrides", overrideAttempts},
	{"cluster roles", clusterRoleAttempts},
	{"system names", systemAttempts},
	{"aggregated", aggregatedAttempts},
	{"widened later", widenedAttempts},
	{"another tenant", tenantAttempts},
	{"invitations by hand", invitationAttempts},
	{"role bindings", bindingAttempts},
	{"records", recordAttempts},
	{"status", statusAttempts},
	{"their own membership", ownAttempts},
}

// fewest is how many cases there are at least.
const fewest = 500

var _ = Describe("Escalation", Ordered, ContinueOnFailure, Label("K6", "C1"), func() {
	BeforeAll(func(ctx SpecContext) {
		remember(ctx)
		takeBaseline(ctx)
	})

	for _, inForce := range []bool{true, false} {
		context := map[bool]string{true: "with Usher's policies in force", false: "with none of Usher's policies"}[inForce]
		Describe(context, func() {
			r := newRun(inForce)
			BeforeAll(func(ctx SpecContext) {
				if !inForce {
					deletePolicies(ctx)
				}
				expectPolicies(ctx, inForce)
			})
			for _, p := range matrix {
				It("gives nobody more than its sender may hand out: "+p.what, func(ctx SpecContext) {
					r.all(ctx, trials(p.what, p.attempts()))
				})
			}
			It("was tried in hundreds of ways", func() {
				AddReportEntry(context, ReportEntryVisibilityAlways, "\n"+r.table())
				Expect(r.cases()).To(BeNumerically(">=", fewest))
			})
		})
	}

	It("gives nobody the management of people for what was written in the gap, once the policies are back", func(ctx SpecContext) {
		written := newRun(false)
		for _, t := range slices.Concat(trials("roles", roleAttempts()), trials("overrides", overrideAttempts()), trials("invitations", invitationAttempts())) {
			if t.who == clusterAdmin || t.verb == deletes || t.verb == deletesAll {
				continue
			}
			if ready, free := written.ready(t); free {
				written.try(ctx, ready)
			}
		}
		Expect(len(written.done)).To(BeNumerically(">", 15), "something was written")
		installPolicies(ctx)
		expectPolicies(ctx, true)
		Expect(written.measure(ctx)).To(BeEmpty())
		AddReportEntry("left from the gap", ReportEntryVisibilityAlways, len(written.done))
	})
})

// deletePolicies deletes every policy of Usher's, and what binds it.
func deletePolicies(ctx context.Context) {
	GinkgoHelper()
	var policies admissionregistrationv1.ValidatingAdmissionPolicyList
	var bindings admissionregistrationv1.ValidatingAdmissionPolicyBindingList
	Expect(admin.List(ctx, &policies)).To(Succeed())
	Expect(admin.List(ctx, &bindings)).To(Succeed())
	Expect(policies.Items).NotTo(BeEmpty())
	for i := range policies.Items {
		Expect(admin.Delete(ctx, &policies.Items[i])).To(Succeed())
	}
	for i := range bindings.Items {
		Expect(admin.Delete(ctx, &bindings.Items[i])).To(Succeed())
	}
}

func installPolicies(ctx context.Context) {
	GinkgoHelper()
	_, err := kube.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(root, "config", "policy"))
	Expect(err).NotTo(HaveOccurred())
}

// expectPolicies waits until the policies are, or are not, in force: what Usher
// says of them, and what the API server makes of a breach.
func expectPolicies(ctx context.Context, inForce bool) {
	GinkgoHelper()
	status := map[bool]metav1.ConditionStatus{true: metav1.ConditionTrue, false: metav1.ConditionFalse}[inForce]
	waitForPolicies(ctx, status)
	breach := trial{
		attempt: attempt{kind: memberships, change: offered("owner")}, trier: trier{who: manager, picked: "olive-1"},
		verb: creates, key: types.NamespacedName{Namespace: home, Name: "breach"},
	}
	dry := *manager
	dry.api = client.NewDryRunClient(manager.api)
	breach.who = &dry
	Eventually(ctx, func() (bool, error) {
		_, accepted, err := breach.tried(ctx)
		return accepted, err
	}).Should(Equal(!inForce))
}
