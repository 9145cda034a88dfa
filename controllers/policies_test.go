// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/config/policy"
	"github.com/usher-dev/usher/internal/guard"
)

// installed returns all policies and their bindings from config/policy.
func installed() (all []client.Object) {
	GinkgoHelper()
	policies, bindings, err := policy.All()
	Expect(err).NotTo(HaveOccurred())
	for i := range policies {
		all = append(all, &policies[i])
	}
	for i := range bindings {
		all = append(all, &bindings[i])
	}
	return all
}

// vetting waits until Usher's policies are in force and old enough: a Membership created
// from now on is younger than they are.
func vetting(ctx context.Context) {
	GinkgoHelper()
	var since time.Time
	for _, o := range installed() {
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		if at := o.GetCreationTimestamp().Add(guard.SettleTime); at.After(since) {
			since = at
		}
	}
	Eventually(time.Now).Should(BeTemporally(">=", since.Add(time.Second)))
}

// gap deletes policies or their bindings, until restore or the end of the spec.
func gap(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	DeferCleanup(restore)
	for _, o := range objects {
		Expect(k8s.Delete(ctx, o)).To(Succeed())
	}
}

// restore recreates the policies that are missing or changed, and waits until every
// Organization reports that they are in force.
func restore(ctx context.Context) {
	GinkgoHelper()
	for _, o := range installed() {
		there := o.DeepCopyObject().(client.Object)
		err := k8s.Get(ctx, client.ObjectKeyFromObject(o), there)
		if err == nil && there.GetGeneration() == 1 {
			continue
		}
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, there))).To(Succeed())
		Eventually(func() error {
			o.SetResourceVersion("")
			return k8s.Create(ctx, o)
		}).Should(Succeed())
	}
	vetting(ctx)
	Eventually(func(g Gomega) {
		var all accountsv1.OrganizationList
		g.Expect(k8s.List(ctx, &all)).To(Succeed())
		for i := range all.Items {
			if org := &all.Items[i]; org.DeletionTimestamp == nil {
				g.Expect(org).To(haveCondition("PoliciesInForce", metav1.ConditionTrue, "Reconciled"), org.Name)
			}
		}
	}, "15s").Should(Succeed())
}

func thePolicy(name string) *admissionregistrationv1.ValidatingAdmissionPolicy {
	return &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func theBinding(name string) *admissionregistrationv1.ValidatingAdmissionPolicyBinding {
	return &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// missPolicies matches an Organization that reports these policies as missing.
func missPolicies(names ...string) gomegatypes.GomegaMatcher {
	as := []gomegatypes.GomegaMatcher{
		haveCondition("PoliciesInForce", metav1.ConditionFalse, "PoliciesMissing"),
		haveCondition("Ready", metav1.ConditionFalse, "PoliciesMissing"), haveCondition("Stalled", metav1.ConditionTrue, "PoliciesMissing"),
	}
	for _, name := range names {
		as = append(as, haveMessage("PoliciesInForce", name), haveMessage("Ready", name))
	}
	return And(as...)
}

// withhold matches a Membership whose grants of managing people are withheld because no
// policy checked them.
func withhold(why string) gomegatypes.GomegaMatcher {
	return And(
		haveCondition("Ready", metav1.ConditionFalse, "GrantsWithheld"), haveCondition("PermissionsApplied", metav1.ConditionFalse, "GrantsWithheld"),
		HaveField("Status.Grants", ContainElement(And(
			HaveField("Permission", BeEquivalentTo("manage")), HaveField("State", BeEquivalentTo("Withheld")),
			HaveField("Reason", "PoliciesMissing"), HaveField("Message", ContainSubstring(why)),
		))))
}

const (
	whileMissing = "apply config/policy"
	sinceMissing = "must set spec.state to Suspended and then to Active"
)

// allow allows one person the permission to manage people, in addition to their role.
// Usher never gives it for this reason, with or without the policies.
func allow(m *accountsv1.Membership) {
	m.Spec.Permissions = []accountsv1.PermissionOverride{{
		Permission: "manage", Resources: []accountsv1.CatalogueName{"home"}, Effect: accountsv1.EffectAllow,
	}}
}

var _ = Describe("Missing policies of Usher", Label("K6", "C1"), func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().governed(ctx) })

	It("are reported by every Organization, whether they are absent, unbound, changed or not enforced", func(ctx SpecContext) {
		org, other := w.organization(), aWorld().ready(ctx).organization()
		eventually(ctx, org, haveCondition("PoliciesInForce", metav1.ConditionTrue, "Reconciled"))
		var missing []string
		gap(ctx)
		for i, o := range installed() {
			p, isPolicy := o.(*admissionregistrationv1.ValidatingAdmissionPolicy)
			if !isPolicy {
				break
			}
			switch i % 4 {
			case 0:
				Expect(k8s.Delete(ctx, p)).To(Succeed())
			case 1:
				Expect(k8s.Delete(ctx, theBinding(p.Name))).To(Succeed())
			case 2:
				change(ctx, p, func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
					p.Spec.MatchConditions = append(p.Spec.MatchConditions, admissionregistrationv1.MatchCondition{Name: "never", Expression: "false"})
				})
			case 3:
				change(ctx, theBinding(p.Name), func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
					b.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Audit}
				})
			}
			missing = append(missing, o.GetName())
			eventuallyWithin(ctx, "5s", org, missPolicies(missing...))
			eventuallyWithin(ctx, "5s", other, missPolicies(missing...))
		}
		Expect(missing).To(ContainElements("usher-assign", "usher-owners", "usher-records"))
		Expect(health(ctx, org)).To(BeEquivalentTo("Failed"))
		restore(ctx)
		eventually(ctx, org, beReady())
		eventually(ctx, other, beReady())
	})

	DescribeTable("withhold the right to manage people from new managers until their role is granted again,", func(ctx SpecContext, missing client.Object) {
		ada, hers := w.owner(ctx, "ada")
		_, johns := w.joined(ctx, "john", "developer")
		_, pauls := w.joined(ctx, "paul", "developer")
		rose := w.membership("rose")
		rose.Spec.Role = "deputy"
		create(ctx, rose)
		eventually(ctx, rose, haveState("Invited"), beReady())
		w.has(ctx, "ada", hers, w.managing())

		gap(ctx, missing)
		eventually(ctx, w.organization(), missPolicies(missing.GetName()))
		mary, marys := w.joined(ctx, "mary", "deputy")
		roses := w.accept(ctx, "rose", w.name+"-rose")
		john, paul := w.membership("john"), w.membership("paul")
		change(ctx, john, allow)
		change(ctx, paul, func(m *accountsv1.Membership) { m.Spec.Role = "deputy" })
		_, neds := w.joined(ctx, "ned", "developer")
		without := map[string]*accountsv1.Membership{"mary": mary, "rose": rose, "paul": paul}
		nothingNew := func(why string) {
			for _, m := range without {
				eventually(ctx, m, haveState("Active"), withhold(why))
			}
			quiet(ctx)
			w.has(ctx, "ada", hers, w.managing())
			w.has(ctx, "mary", marys)
			w.has(ctx, "rose", roses)
			w.has(ctx, "paul", pauls)
			eventually(ctx, john, haveState("Active"), HaveField("Status.Grants", ContainElement(HaveField("Reason", "NotGrantedByRole"))))
			w.has(ctx, "john", johns, "edit in "+w.staging())
			w.has(ctx, "ned", neds, "edit in "+w.staging())
			eventually(ctx, ada, haveState("Active"), beReady())
			eventually(ctx, w.membership("ned"), haveState("Active"), beReady())
		}
		nothingNew(whileMissing)

		restore(ctx)
		eventually(ctx, w.organization(), beReady())
		nothingNew(sinceMissing)
		_, kates := w.joined(ctx, "kate", "deputy")
		w.has(ctx, "kate", kates, w.managing())
		for _, m := range without {
			change(ctx, m, func(m *accountsv1.Membership) { m.Spec.State = accountsv1.MembershipSwitchSuspended })
			eventually(ctx, m, haveState("Inactive"), haveCondition("Ready", metav1.ConditionTrue, "Suspended"))
			change(ctx, m, func(m *accountsv1.Membership) { m.Spec.State = accountsv1.MembershipSwitchActive })
			eventually(ctx, m, haveState("Active"), beReady())
		}
		w.has(ctx, "mary", marys, w.managing())
		w.has(ctx, "rose", roses, w.managing())
		w.has(ctx, "paul", pauls, w.managing())
		change(ctx, john, func(m *accountsv1.Membership) { m.Spec.FamilyName = "Sample" })
		eventually(ctx, john, haveState("Active"), HaveField("Status.ObservedGeneration", HaveValue(Equal(john.Generation))))
		w.has(ctx, "john", johns, "edit in "+w.staging())
	},
		Entry("if the policy about roles is missing", thePolicy("usher-assign")),
		Entry("if the binding of the policy about roles is missing", theBinding("usher-assign")),
	)

	It("do not delay a new manager once they are restored, if the policy about roles was never missing", func(ctx SpecContext) {
		gap(ctx, thePolicy("usher-owners"), theBinding("usher-records"))
		eventually(ctx, w.organization(), missPolicies("usher-owners", "usher-records"))
		mary, marys := w.joined(ctx, "mary", "deputy")
		eventually(ctx, mary, haveState("Active"), withhold(whileMissing))
		restore(ctx)
		eventually(ctx, mary, haveState("Active"), beReady())
		w.has(ctx, "mary", marys, w.managing())
	})

	It("prevent a manual Invitation from bringing in a manager", func(ctx SpecContext) {
		byHand := func(person string, role accountsv1.CatalogueName) *accountsv1.Invitation {
			inv := w.invitation(person)
			inv.Spec.Role = role
			create(ctx, inv)
			return inv
		}
		early := byHand("rose", "deputy")
		eventually(ctx, early, haveState("Pending"), beReady())
		roses := w.halfMade(ctx, "rose", w.name+"-rose")

		gap(ctx, thePolicy("usher-assign"))
		eventually(ctx, w.organization(), missPolicies("usher-assign"))
		w.acceptWith(ctx, "rose", roses)
		late := byHand("mary", "deputy")
		other := byHand("john", "developer")
		eventually(ctx, late, haveState("Failed"), haveCondition("Ready", metav1.ConditionFalse, "PoliciesMissing"))
		eventually(ctx, early, haveState("Failed"), haveCondition("Ready", metav1.ConditionFalse, "PoliciesMissing"))
		eventually(ctx, other, haveState("Pending"), beReady())
		w.accept(ctx, "john", w.name+"-john")
		eventually(ctx, w.membership("john"), haveState("Active"), beReady())

		restore(ctx)
		quiet(ctx)
		for _, inv := range []*accountsv1.Invitation{early, late} {
			eventually(ctx, inv, haveState("Failed"), haveCondition("Ready", metav1.ConditionFalse, "PoliciesMissing"), haveMessage("Ready", "create it again"))
			Expect(apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(inv), w.membership(inv.Name)))).To(BeTrue(), inv.Name)
		}
		Expect(w.mailed()).To(And(HaveKeyWithValue(string(w.email("rose")), 1), Not(HaveKey(string(w.email("mary"))))))
		Expect(bound(ctx, roses)).To(BeEmpty())

		Expect(k8s.Delete(ctx, late)).To(Succeed())
		eventuallyGone(ctx, late)
		anew := byHand("mary", "deputy")
		eventually(ctx, anew, haveState("Pending"), beReady())
		marys := w.accept(ctx, "mary", w.name+"-mary")
		eventually(ctx, w.membership("mary"), haveState("Active"), beReady())
		w.has(ctx, "mary", marys, w.managing())
	})

	It("do not delay the founders of an Organization", func(ctx SpecContext) {
		gap(ctx, thePolicy("usher-assign"))
		eventually(ctx, w.organization(), missPolicies("usher-assign"))
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Founders = []accountsv1.Founder{{Name: "ada", Email: w.email("ada"), Role: "owner"}}
		})
		ada := w.membership("ada")
		eventually(ctx, ada, haveState("Invited"), beReady())
		hers := w.accept(ctx, "ada", w.name+"-ada")
		eventually(ctx, ada, haveState("Active"), beReady())
		w.has(ctx, "ada", hers, w.managing())

		restore(ctx)
		eventually(ctx, ada, haveState("Active"), beReady())
		w.has(ctx, "ada", hers, w.managing())
	})
})
