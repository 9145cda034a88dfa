// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// quiet is the time without writes after which Usher counts as done. On a busy
// machine Usher can pause for longer than 150 ms between reading and writing.
const quiet = 250 * time.Millisecond

// settle waits until Usher has seen everything, and writes no more.
func settle(ctx context.Context) {
	GinkgoHelper()
	var last string
	var since time.Time
	Eventually(ctx, func() (string, error) {
		revision, err := revision(ctx)
		if err != nil {
			return "", err
		}
		if revision != last {
			last, since = revision, time.Now()
		}
		if time.Since(since) < quiet {
			return "there are still writes", nil
		}
		return behind(ctx)
	}).Should(BeEmpty())
}

// revision returns the revision of the whole cluster. Every write changes it.
func revision(ctx context.Context) (string, error) {
	var list corev1.ConfigMapList
	err := admin.List(ctx, &list, client.InNamespace("default"), client.Limit(1))
	return list.ResourceVersion, err
}

// behind returns the name of an object that is being deleted, or whose current
// generation Usher has not observed, or of a ClusterRole that Kubernetes has not
// aggregated yet.
func behind(ctx context.Context) (string, error) {
	if name, err := unaggregated(ctx); err != nil || name != "" {
		return name, err
	}
	for _, k := range []kind{memberships, organizations, accounts, invitations} {
		list := k.list()
		if err := admin.List(ctx, list); err != nil {
			return "", err
		}
		for i := range list.Items {
			o := &list.Items[i]
			observed, _, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
			if o.GetDeletionTimestamp() != nil || observed != o.GetGeneration() {
				return fmt.Sprintf("%s %s/%s is not done", k.kind, o.GetNamespace(), o.GetName()), nil
			}
		}
	}
	return "", nil
}

// unaggregated returns the name of a ClusterRole whose rules are not those of its parts.
// Many changes of parts at once make Kubernetes retry, with growing pauses.
func unaggregated(ctx context.Context) (string, error) {
	var list rbacv1.ClusterRoleList
	if err := admin.List(ctx, &list); err != nil {
		return "", err
	}
	for _, whole := range list.Items {
		if whole.AggregationRule == nil {
			continue
		}
		var want []rbacv1.PolicyRule
		for _, part := range list.Items {
			if part.Name != whole.Name && isPart(whole.AggregationRule, part.Labels) {
				want = append(want, part.Rules...)
			}
		}
		if lacks(whole.Rules, want) || lacks(want, whole.Rules) {
			return "ClusterRole " + whole.Name + " is not aggregated", nil
		}
	}
	return "", nil
}

// lacks reports whether any of the rules is not in a list.
func lacks(list, rules []rbacv1.PolicyRule) bool {
	return slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool {
		return !slices.ContainsFunc(list, func(r rbacv1.PolicyRule) bool { return equality.Semantic.DeepEqual(r, rule) })
	})
}

func isPart(rule *rbacv1.AggregationRule, of map[string]string) bool {
	return slices.ContainsFunc(rule.ClusterRoleSelectors, func(s metav1.LabelSelector) bool {
		selector, err := metav1.LabelSelectorAsSelector(&s)
		return err == nil && selector.Matches(labels.Set(of))
	})
}

// acceptEverything makes every person with an Account accept the Invitations that are
// open to them. People who were invited from the start are left out. The portal
// writes the answers. It lets no person answer a failed Invitation, such as one for a
// person who is already a member.
func acceptEverything(ctx context.Context) (any bool) {
	GinkgoHelper()
	var list accountsv1.InvitationList
	Expect(admin.List(ctx, &list)).To(Succeed())
	for i := range list.Items {
		inv := &list.Items[i]
		person := personOf(string(inv.Spec.Email))
		uid := accountUIDs[person]
		if uid == "" || inv.Status.Acceptance.Given() || slices.Contains(pools["invited"], person) ||
			!isOneOf(inv.Status.State, accountsv1.InvitationSending, accountsv1.InvitationPending) {
			continue
		}
		at := metav1.Now().Rfc3339Copy()
		inv.Status.Acceptance = accountsv1.Acceptance{
			AccountRef: accountsv1.AcceptedAccountReference{Name: accountsv1.AccountName(person), UID: string(uid)}, AcceptedTime: &at,
		}
		Expect(portal.api.Status().Update(ctx, inv)).To(Succeed(), "%v", inv)
		any = true
	}
	return any
}

// waitForPolicies waits until Usher reports for each Organization whether the
// policies are in force.
func waitForPolicies(ctx context.Context, status metav1.ConditionStatus) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		var list accountsv1.OrganizationList
		g.Expect(admin.List(ctx, &list)).To(Succeed())
		for i := range list.Items {
			c := meta.FindStatusCondition(list.Items[i].Status.Conditions, accountsv1.ConditionPoliciesInForce)
			g.Expect(c).NotTo(BeNil())
			g.Expect(c.Status).To(Equal(status), "%s: %s", list.Items[i].Name, c.Message)
		}
		g.Expect(list.Items).NotTo(BeEmpty())
	}).Should(Succeed())
}
