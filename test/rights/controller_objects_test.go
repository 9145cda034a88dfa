// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// The refusals of the policies.
const (
	noSpec       = "The controller may not change a spec"
	noLabel      = "The controller may not set, change or remove a label"
	noOwner      = "The controller may only set an owner reference on a new Invitation"
	onlyWithdraw = "The controller may only add the finalizer accounts.usher.dev/withdraw"
	onlyRecords  = "The controller may only write the annotations that are its own records"
	onlyStatus   = "The controller may only set the annotation accounts.usher.dev/two-factor to the value of status.twoFactor"
	onlyOnce     = "The controller may set the annotation accounts.usher.dev/email-verified only once"
	notAccepted  = "The controller may only delete an Account that no person accepted with"
	notBindable  = "The controller may only bind ClusterRoles on which it has the verb bind"
)

var _ = Describe("The objects that the controller changes", Ordered, Label("K6"), func() {
	BeforeAll(policiesInForce)

	// theObjects creates one object of each kind whose metadata the controller changes,
	// with a change of its spec.
	theObjects := func(ctx SpecContext) map[client.Object]func(client.Object) {
		GinkgoHelper()
		org := anOrganization()
		org.Name, org.GenerateName = "", "acme-"
		Expect(admin.Create(ctx, org)).To(Succeed())
		return map[client.Object]func(client.Object){
			org: func(o client.Object) { o.(*accountsv1.Organization).Spec.Seats = 7 },
			theMemberOf(ctx, aHome(ctx), "developer"): func(o client.Object) { o.(*accountsv1.Membership).Spec.Role = "boss" },
			anAcceptedAccount(ctx):                    func(o client.Object) { o.(*accountsv1.Account).Spec.State = accountsv1.AccountSwitchDisabled },
		}
	}

	// writing changes an object as the controller does. It may only patch an Organization.
	writing := func(ctx context.Context, object client.Object, change func(client.Object)) error {
		if _, isOrganization := object.(*accountsv1.Organization); isOrganization {
			return patchingWith(ctx, controller, object, change)
		}
		return updating(ctx, controller, object, change)
	}

	It("keep their specs", func(ctx SpecContext) {
		for object, change := range theObjects(ctx) {
			Expect(writing(ctx, object, change)).To(beForbiddenAs(noSpec), "%T", object)
		}
	})

	It("keep their labels, owner references, finalizers and all annotations except the controller's records", func(ctx SpecContext) {
		owner := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"}
		for object := range theObjects(ctx) {
			annotated("example.com/note", "x")(object)
			object.SetLabels(map[string]string{"team": "blue"})
			object.SetFinalizers([]string{accountsv1.Finalizer, "example.com/hold"})
			Expect(admin.Update(ctx, object)).To(Succeed())
			refused := func(sentence, what string, change func(client.Object)) {
				GinkgoHelper()
				Expect(writing(ctx, object, change)).To(beForbiddenAs(sentence), "%T: %s", object, what)
			}
			refused(noLabel, "another label", func(o client.Object) { o.SetLabels(map[string]string{"team": "red"}) })
			refused(noLabel, "no label", func(o client.Object) { o.SetLabels(nil) })
			refused(noOwner, "an owner", func(o client.Object) { o.SetOwnerReferences([]metav1.OwnerReference{owner}) })
			refused(onlyWithdraw, "another finalizer", finalized(accountsv1.Finalizer, "example.com/hold", "example.com/more"))
			refused(onlyWithdraw, "another's finalizer removed", finalized(accountsv1.Finalizer))
			refused(onlyWithdraw, "its finalizer removed from an object that stays", finalized("example.com/hold"))
			refused(onlyRecords, "another annotation", annotated("example.com/more", "x"))
			refused(onlyRecords, "another value", annotated("example.com/note", "y"))
			refused(onlyRecords, "no annotation", func(o client.Object) { o.SetAnnotations(nil) })
			for _, request := range []string{
				accountsv1.ResetAnnotation, accountsv1.UnlockAnnotation, accountsv1.ResendAnnotation, accountsv1.ReleaseMailAnnotation,
			} {
				refused(onlyRecords, "a request", annotated(request, "2027-01-15T08:00:00Z"))
			}
		}
	})

	It("carry records only of their own kind, and keep them", func(ctx SpecContext) {
		records := []string{
			accountsv1.FoundersAnnotation, accountsv1.MembershipsAnnotation, accountsv1.MailedAnnotation, accountsv1.CreatedForMembershipAnnotation,
		}
		onlyAccounts := []string{accountsv1.TwoFactorAnnotation, accountsv1.EmailVerifiedAnnotation}
		for object := range theObjects(ctx) {
			own := ""
			if _, isAccount := object.(*accountsv1.Account); !isAccount {
				for _, record := range onlyAccounts {
					Expect(writing(ctx, object, annotated(record, "x"))).To(beForbiddenAs(onlyRecords), "%T: %s", object, record)
				}
			}
			switch object.(type) {
			case *accountsv1.Organization:
				own = accountsv1.FoundersAnnotation
			case *accountsv1.Account:
				own = accountsv1.MembershipsAnnotation
			}
			for _, record := range records {
				if record != own {
					Expect(writing(ctx, object, annotated(record, "acme/mallory"))).To(beForbiddenAs(onlyRecords), "%T: %s", object, record)
				}
			}
			if own == "" {
				continue
			}
			Expect(writing(ctx, object, annotated(own, "acme/mallory"))).To(Succeed(), "%T", object)
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			Expect(writing(ctx, object, func(o client.Object) { o.SetAnnotations(nil) })).To(beForbiddenAs(onlyRecords), "%T", object)
		}
		a := anAcceptedAccount(ctx)
		Expect(updating(ctx, controller, client.Object(a), annotated(accountsv1.TwoFactorAnnotation, "Enrolled"))).To(beForbiddenAs(onlyStatus))
		Expect(updating(ctx, controller, client.Object(a), annotated(accountsv1.TwoFactorAnnotation, "NotEnrolled"))).To(Succeed())
	})

	It("keep the record that an address is proved as it was first written", func(ctx SpecContext) {
		written := func(value string) func(client.Object) {
			return func(o client.Object) { o.GetAnnotations()[accountsv1.EmailVerifiedAnnotation] = value }
		}
		a := anAcceptedAccount(ctx)
		Expect(updating(ctx, controller, client.Object(a), written("2027-01-15T08:00:00Z"))).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(a), a)).To(Succeed())
		for name, change := range map[string]func(client.Object){"later": written("2027-01-15T09:00:00Z"), "empty": written("")} {
			Expect(updating(ctx, controller, client.Object(a), change)).To(beForbiddenAs(onlyOnce), name)
		}
		Expect(updating(ctx, controller, client.Object(a), annotated(accountsv1.EmailVerifiedAnnotation, ""))).
			To(Or(beForbiddenAs(onlyOnce), beForbiddenAs(onlyRecords)), "removed")
		Expect(updating(ctx, controller, client.Object(a), annotated(accountsv1.MembershipsAnnotation, "acme/jane"))).To(Succeed(), "another record")
	})

	It("are created without requests, labels or owners of others", func(ctx SpecContext) {
		home := aHome(ctx)
		held := theMemberOf(ctx, home, "developer")
		controls := metav1.OwnerReference{APIVersion: accountsv1.GroupVersion.String(), Kind: "Membership", Name: held.Name, UID: held.UID}
		for name, c := range map[string]struct {
			change   func(client.Object)
			sentence string
		}{
			"a request":   {annotated(accountsv1.ResetAnnotation, "2027-01-15T08:00:00Z"), onlyRecords},
			"a label":     {func(o client.Object) { o.SetLabels(map[string]string{"team": "blue"}) }, noLabel},
			"a finalizer": {finalized("example.com/hold"), onlyWithdraw},
			"an owner":    {ownedBy(controls), noOwner},
		} {
			m, inv := aMemberOf(home, "developer"), anInvitationTo(home, "developer")
			c.change(m)
			c.change(inv)
			Expect(controller.Create(ctx, m)).To(beForbiddenAs(c.sentence), "a Membership with "+name)
			Expect(controller.Create(ctx, inv)).To(beForbiddenAs(c.sentence), "an Invitation with "+name)
		}
		inv := anInvitationTo(home, "developer")
		inv.GenerateName, inv.Name = "", held.Name
		ownedBy(controls)(inv)
		annotated(accountsv1.CreatedForMembershipAnnotation, held.Name)(inv)
		Expect(controller.Create(ctx, inv)).To(Succeed())
	})

	It("are deleted only if they are an Account that no person accepted with", func(ctx SpecContext) {
		a := anAcceptedAccount(ctx)
		Expect(controller.Delete(ctx, a)).To(beForbiddenAs(notAccepted))
		for _, record := range []string{"", "acme/jane"} {
			a.Annotations[accountsv1.MembershipsAnnotation] = record
			Expect(admin.Update(ctx, a)).To(Succeed())
			Expect(controller.Delete(ctx, a)).To(beForbiddenAs(notAccepted), record)
			bare := func(o client.Object) { o.SetAnnotations(nil) }
			Expect(updating(ctx, controller, client.Object(a), bare)).To(beForbiddenAs(onlyRecords), record)
		}
		abandoned := anAccount("")
		abandoned.GenerateName = "abandoned-"
		Expect(admin.Create(ctx, abandoned)).To(Succeed())
		Expect(controller.Delete(ctx, abandoned)).To(Succeed())
	})
})

var _ = Describe("The ClusterRoles that the controller binds", Ordered, Label("K6", "C1"), func() {
	BeforeAll(policiesInForce)

	It("are those on which it has the verb bind, and not others whose rights it holds", func(ctx SpecContext) {
		home := aHome(ctx)
		held := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "held-by-the-controller"}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get"}},
		}}
		nothing := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "nothing-at-all"}}
		for _, role := range []*rbacv1.ClusterRole{held, nothing} {
			Expect(admin.Create(ctx, role)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, role)).To(Succeed()) })
		}
		for _, clusterRole := range []string{"usher-controller", "usher-grantable", "usher-portal", held.Name, nothing.Name, "system:basic-user", "missing"} {
			ofRole := func(b *rbacv1.RoleBinding) { b.Namespace, b.GenerateName = home, "usher:acme:mallory:" }
			Expect(controller.Create(ctx, aBinding(clusterRole, ofRole))).NotTo(Succeed(), clusterRole)
			if clusterRole == "missing" {
				continue
			}
			Expect(controller.Create(ctx, aBinding(clusterRole, ofRole, func(b *rbacv1.RoleBinding) { b.Subjects = nil }))).
				To(beForbidden(), "%s, without subjects", clusterRole)
			empty := aBinding(clusterRole, ofRole, func(b *rbacv1.RoleBinding) { b.Subjects = nil })
			Expect(admin.Create(ctx, empty)).To(Succeed())
			filled := empty.DeepCopy()
			filled.Subjects = aBinding(clusterRole).Subjects
			Expect(controller.Patch(ctx, filled, client.MergeFrom(empty))).To(beForbidden(), "%s, with a subject added", clusterRole)
			Expect(controller.Delete(ctx, empty)).To(Succeed(), clusterRole)
		}
		for _, clusterRole := range []string{held.Name, nothing.Name} {
			Expect(controller.Create(ctx, aBinding(clusterRole))).To(beForbiddenAs(notBindable), clusterRole)
		}
		Expect(controller.Create(ctx, aBinding("usher-controller"))).To(beForbiddenAs(notBindable))
		Expect(controller.Create(ctx, aBinding("view"))).To(Succeed())
	})
})

// The refusals of the policy for the status of Accounts.
const (
	notTheControllers = "The controller may only change observedGeneration, conditions, state, signIn, unlockTimes, twoFactor, leaving and deliveries in the status of an Account"
	notRestored       = "The controller may only set status.twoFactor if it is unset"
	notAddedTo        = "The controller may only remove entries from status.leaving"
	notEndedBefore    = "The controller may not remove status.signIn.sessionsEndTime or move it back"
)

var _ = Describe("What the controller writes about an Account", Ordered, Label("K6"), func() {
	BeforeAll(policiesInForce)

	saving := func(ctx SpecContext, a *accountsv1.Account, change accountChange) error {
		changed := a.DeepCopy()
		change(&changed.Status)
		return controller.Status().Update(ctx, changed, client.DryRunAll)
	}

	It("covers no request and nothing else that the portal records, not even a field that is added to the API later", func(ctx SpecContext) {
		generation := int64(7)
		own := map[string]accountChange{
			"observedGeneration": func(s *accountsv1.AccountStatus) { s.ObservedGeneration = &generation },
			"conditions":         func(s *accountsv1.AccountStatus) { s.Conditions[0].Reason = "Else" },
			"state":              func(s *accountsv1.AccountStatus) { s.State = accountsv1.AccountLocked },
			"signIn":             func(s *accountsv1.AccountStatus) { s.SignIn.Failures = 0 },
			"leaving":            func(s *accountsv1.AccountStatus) { s.Leaving = nil },
			"unlockTimes":        func(s *accountsv1.AccountStatus) { s.UnlockTimes = nil },
			"deliveries":         func(s *accountsv1.AccountStatus) { s.Deliveries = nil },
		}
		others := map[string][]accountChange{
			"resetTimes":        {resets(1), resets(1, 0), func(s *accountsv1.AccountStatus) { s.ResetTimes = nil }},
			"userNameTimes":     {userNames(1), func(s *accountsv1.AccountStatus) { s.UserNameTimes = nil }},
			"emailCodeTimes":    {emailCodes(1), emailCodes(1, 0), emailCodes()},
			"emailCodeGuesses":  {emailGuesses(2), emailGuesses(0)},
			"emailVerifiedTime": {confirmed(&at)},
			"deviceApprovals":   {approvals(1), approvals(1, 0), approvals()},
			"passwordTime":      {func(s *accountsv1.AccountStatus) { s.PasswordTime = after(1) }, func(s *accountsv1.AccountStatus) { s.PasswordTime = nil }},
			"secondFactorTime":  {func(s *accountsv1.AccountStatus) { s.SecondFactorTime = after(1) }, func(s *accountsv1.AccountStatus) { s.SecondFactorTime = nil }},
			"language":          {func(s *accountsv1.AccountStatus) { s.Language = "de" }, func(s *accountsv1.AccountStatus) { s.Language = "" }},
		}
		a := anAcceptedAccount(ctx, approvals(0))
		for field := range statusOf("accounts") {
			if field == "twoFactor" {
				continue // another spec
			}
			if write := own[field]; write != nil {
				Expect(saving(ctx, a, write)).To(Succeed(), field)
				continue
			}
			Expect(others).To(HaveKey(field), "the policy and this spec must know the field")
			for _, write := range others[field] {
				Expect(saving(ctx, a, write)).To(beForbiddenAs(notTheControllers), field)
			}
		}
		fresh := anAcceptedAccount(ctx, func(s *accountsv1.AccountStatus) { s.ResetTimes = nil })
		Expect(saving(ctx, fresh, resets(1))).To(beForbiddenAs(notTheControllers), "the first request")
		proved := anAcceptedAccount(ctx, confirmed(&at))
		for name, write := range map[string]accountChange{"another time": confirmed(after(1)), "no time": confirmed(nil)} {
			Expect(saving(ctx, proved, write)).To(beForbiddenAs(notTheControllers), "%s at which the person confirmed the address", name)
		}
	})

	It("never weakens the second factor, ended sessions, or what the person leaves", func(ctx SpecContext) {
		a := anAcceptedAccount(ctx, twoFactor(accountsv1.TwoFactorEnrolled))
		Expect(saving(ctx, a, twoFactor(accountsv1.TwoFactorNotEnrolled))).To(beForbiddenAs(notRestored))
		Expect(saving(ctx, a, twoFactor(""))).To(beForbiddenAs(notRestored))
		lost := anAcceptedAccount(ctx, twoFactor(""))
		Expect(saving(ctx, lost, twoFactor(accountsv1.TwoFactorNotEnrolled))).To(beForbiddenAs(notRestored), "without a record")
		Expect(updating(ctx, admin, client.Object(lost), annotated(accountsv1.TwoFactorAnnotation, "Enrolled"))).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(lost), lost)).To(Succeed())
		Expect(updating(ctx, controller, client.Object(lost), func(o client.Object) {
			annotations := o.GetAnnotations()
			delete(annotations, accountsv1.TwoFactorAnnotation)
			o.SetAnnotations(annotations)
		})).To(beForbidden(), "forget the second factor")
		Expect(saving(ctx, lost, twoFactor(accountsv1.TwoFactorNotEnrolled))).To(beForbiddenAs(notRestored), "with another record")
		Expect(saving(ctx, lost, twoFactor(accountsv1.TwoFactorEnrolled))).To(Succeed())

		Expect(saving(ctx, a, leaving("acme/jane", "globex/jane-doe"))).To(beForbiddenAs(notAddedTo))
		for name, write := range map[string]accountChange{
			"removed": signIn(accountsv1.SignIn{}), "earlier": signIn(accountsv1.SignIn{SessionsEndTime: after(-1)}),
		} {
			Expect(saving(ctx, a, write)).To(beForbiddenAs(notEndedBefore), name)
		}
		Expect(saving(ctx, a, signIn(accountsv1.SignIn{SessionsEndTime: after(1)}))).To(Succeed())
	})
})
