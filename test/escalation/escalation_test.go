// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/usher-dev/usher/test/platform"
)

// part is a group of attempts of one kind.
type part struct {
	what     string
	attempts func() []attempt
}

// matrix holds all attempts.
var matrix = []part{
	{"roles", roleAttempts},
	{"overrides", overrideAttempts},
	{"overrides by resource", resourceAttempts},
	{"cluster roles", clusterRoleAttempts},
	{"system names", systemAttempts},
	{"aggregated", aggregatedAttempts},
	{"widened later", widenedAttempts},
	{"another tenant", tenantAttempts},
	{"direct invitations", invitationAttempts},
	{"role bindings", bindingAttempts},
	{"records", recordAttempts},
	{"status", statusAttempts},
	{"their own membership", ownAttempts},
}

// fewest is the minimum number of cases.
const fewest = 500

var _ = Describe("Escalation", Ordered, ContinueOnFailure, Label("K6", "C1"), func() {
	BeforeAll(func(ctx SpecContext) {
		recordObjects(ctx)
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
				It("gives no user more than its sender may assign: "+p.what, func(ctx SpecContext) {
					r.all(ctx, trials(p.what, p.attempts()))
				})
			}
			It("is tried in hundreds of ways", func() {
				AddReportEntry(context, ReportEntryVisibilityAlways, "\n"+r.table())
				Expect(r.cases()).To(BeNumerically(">=", fewest))
			})
		})
	}

	It("gives no user management rights from objects that were written in the gap, once the policies are back", func(ctx SpecContext) {
		written := newRun(false)
		for _, t := range inTurn(trials("roles", roleAttempts()), trials("overrides", overrideAttempts()), trials("invitations", invitationAttempts())) {
			if t.who == clusterAdmin || t.verb == deletes || t.verb == deletesAll {
				continue
			}
			if ready, free := written.ready(t); free {
				written.try(ctx, ready)
			}
		}
		Expect(len(written.done)).To(BeNumerically(">", 15), "some objects were written")
		Expect(slices.ContainsFunc(written.done, func(t trial) bool { return t.name == allowsManaging })).To(BeTrue(), "an Allow override is among them")
		installPolicies(ctx)
		expectPolicies(ctx, true)
		Expect(written.measure(ctx)).To(BeEmpty())
		edited, refused := editAll(ctx, manager, written.done)
		Expect(edited).NotTo(BeZero(), "at least one Membership may be renamed")
		Expect(refused).NotTo(BeZero(), "at least one Membership has more than the manager may give")
		Expect(written.measure(ctx)).To(BeEmpty(), "a harmless change of another field does not activate it")
		AddReportEntry("left from the gap", ReportEntryVisibilityAlways, fmt.Sprintf(
			"%d written; of the Memberships the manager renamed %d and was refused %d", len(written.done), edited, refused))
	})
})

// inTurn takes one trial of each list in turn, so that no list uses up the
// accomplices of the others.
func inTurn(lists ...[]trial) (all []trial) {
	for i := 0; len(lists) > 0; i++ {
		lists = slices.DeleteFunc(lists, func(list []trial) bool { return i >= len(list) })
		for _, list := range lists {
			all = append(all, list[i])
		}
	}
	return all
}

// editAll makes the actor change a harmless field of every Membership in the trials.
func editAll(ctx context.Context, who *actor, done []trial) (edited, refused int) {
	GinkgoHelper()
	for _, t := range done {
		if t.kind != memberships {
			continue
		}
		t.who, t.verb, t.change = who, merges, set("Sample", "spec", "familyName")
		_, accepted, err := t.tried(ctx)
		Expect(err).NotTo(HaveOccurred(), t.String())
		if accepted {
			edited++
		} else {
			refused++
		}
	}
	return edited, refused
}

// deletePolicies deletes every policy of Usher, and every binding.
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
	_, err := kube.Kubectl(ctx, "apply", "--server-side", "-k", filepath.Join(platform.Root, "config", "policy"))
	Expect(err).NotTo(HaveOccurred())
}

// expectPolicies waits until the policies are in force, or not: both in Usher's
// status and in how the API server answers a breach.
func expectPolicies(ctx context.Context, inForce bool) {
	GinkgoHelper()
	status := map[bool]metav1.ConditionStatus{true: metav1.ConditionTrue, false: metav1.ConditionFalse}[inForce]
	waitForPolicies(ctx, status)
	awaitEnforcement(ctx)
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

// awaitEnforcement waits until the API server enforces the policies that are stored now,
// and no others. It learns of policies, and of bindings, in the order in which they were
// written. So once it enforces a new policy with a new binding, it knows all earlier
// changes. A breach of one policy alone does not show that: a policy that was deleted
// later can still be in force.
func awaitEnforcement(ctx context.Context) {
	GinkgoHelper()
	newest := metav1.ObjectMeta{Name: "newest-" + string(uuid.NewUUID())}
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: newest, Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
			RuleWithOperations: admissionregistrationv1.RuleWithOperations{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
			},
		}}},
		Validations: []admissionregistrationv1.Validation{{Expression: "object.metadata.name != '" + newest.Name + "'", Message: "the newest policy is in force"}},
	}}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: newest, Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName: newest.Name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
	}}
	Expect(admin.Create(ctx, policy)).To(Succeed())
	Expect(admin.Create(ctx, binding)).To(Succeed())
	Eventually(ctx, func() error {
		probe := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: newest.Name}}
		return admin.Create(ctx, probe, client.DryRunAll)
	}).Should(MatchError(ContainSubstring("the newest policy is in force")))
	Expect(admin.Delete(ctx, binding)).To(Succeed())
	Expect(admin.Delete(ctx, policy)).To(Succeed())
}
