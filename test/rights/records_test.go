// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"context"
	"fmt"
	"maps"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// The refusals of the policies.
const (
	theFinalizer = "Do not add or remove the finalizer accounts.usher.dev/withdraw"
	theRecords   = "Do not change the annotations memberships, mailed, made-for-membership, founders, two-factor and email-verified of accounts.usher.dev"
	theOwner     = "Do not change the owner references of an Invitation to Memberships"
)

// records are Usher's own annotations.
var records = []string{
	accountsv1.MembershipsAnnotation, accountsv1.MailedAnnotation, accountsv1.CreatedForMembershipAnnotation,
	accountsv1.FoundersAnnotation, accountsv1.TwoFactorAnnotation, accountsv1.EmailVerifiedAnnotation,
}

// kinds returns an object of each kind, without creating it.
var kinds = map[string]func(home string) client.Object{
	"organizations": func(string) client.Object {
		org := anOrganization()
		org.Name, org.GenerateName = "", "acme-"
		return org
	},
	"memberships": func(home string) client.Object { return aMemberOf(home, "developer") },
	"invitations": func(home string) client.Object { return anInvitationTo(home, "developer") },
	"accounts": func(string) client.Object {
		a := anAccount("")
		a.GenerateName = "jane-"
		return a
	},
}

// keptBy adds Usher's finalizer and records to an object.
func keptBy(object client.Object) {
	object.SetFinalizers([]string{accountsv1.Finalizer, "example.com/keep"})
	annotations := map[string]string{"example.com/note": "x"}
	for _, record := range records {
		annotations[record] = "jane"
	}
	object.SetAnnotations(annotations)
}

// annotated changes one annotation; an empty value removes it.
func annotated(key, value string) func(client.Object) {
	return func(o client.Object) {
		annotations := map[string]string{}
		maps.Copy(annotations, o.GetAnnotations())
		delete(annotations, key)
		if value != "" {
			annotations[key] = value
		}
		o.SetAnnotations(annotations)
	}
}

func finalized(finalizers ...string) func(client.Object) {
	return func(o client.Object) { o.SetFinalizers(finalizers) }
}

func ownedBy(owners ...metav1.OwnerReference) func(client.Object) {
	return func(o client.Object) { o.SetOwnerReferences(owners) }
}

var _ = Describe("Usher's records", Ordered, Label("K4", "K5"), func() {
	const writer, keeper = "usher:writer", "usher:keeper"
	var home string
	BeforeAll(func(ctx SpecContext) {
		policiesInForce(ctx)
		home = aHome(ctx)
		everything := []rbacv1.PolicyRule{
			right("get,create,update,patch,delete", "organizations,memberships,invitations,accounts"), right("assign", "roles,permissions"),
		}
		allowVerbs(ctx, writer, "", everything...)
		allowVerbs(ctx, keeper, "", append(everything, right("update",
			"organizations/finalizers,memberships/finalizers,invitations/finalizers,accounts/finalizers"))...)
	})

	It("can be changed by users who may update the finalizers of the kind, and by no other user who may write it", func(ctx SpecContext) {
		for kind, make := range kinds {
			object := make(home)
			keptBy(object)
			Expect(admin.Create(ctx, object)).To(Succeed(), kind)
			changes := map[string]func(client.Object){
				theFinalizer + ", none left": finalized(),
				theFinalizer + ", one left":  finalized("example.com/keep"),
			}
			for _, record := range records {
				changes[theRecords+", removed: "+record] = annotated(record, "")
				changes[theRecords+", other: "+record] = annotated(record, "mallory")
			}
			for name, change := range changes {
				sentence := theRecords
				if name[:len(theFinalizer)] == theFinalizer {
					sentence = theFinalizer
				}
				expectEachWay(ctx, writer, object, change, beForbiddenAs(sentence), kind+": "+name)
				expectEachWay(ctx, keeper, object, change, Succeed(), kind+": "+name)
			}
			for name, change := range map[string]func(client.Object){
				"another finalizer": finalized("example.com/other", accountsv1.Finalizer), "a note": annotated("example.com/note", "y"),
				"no note": annotated("example.com/note", ""), "a request": annotated(accountsv1.ResendAnnotation, "2027-01-15T08:00:00Z"),
				"a label": func(o client.Object) { o.SetLabels(map[string]string{"team": "blue"}) },
			} {
				expectEachWay(ctx, writer, object, change, Succeed(), kind+": "+name)
			}
		}
	})

	It("can be added only by the same users, except for the finalizer of a new object", func(ctx SpecContext) {
		for kind, make := range kinds {
			object := make(home)
			object.SetFinalizers(nil)
			Expect(admin.Create(ctx, object)).To(Succeed(), kind)
			expectEachWay(ctx, writer, object, finalized(accountsv1.Finalizer), beForbiddenAs(theFinalizer), kind)
			expectEachWay(ctx, keeper, object, finalized(accountsv1.Finalizer), Succeed(), kind)
			for _, record := range records {
				for _, value := range []string{"jane", " "} {
					expectEachWay(ctx, writer, object, annotated(record, value), beForbiddenAs(theRecords), kind+": "+record)
					expectEachWay(ctx, keeper, object, annotated(record, value), Succeed(), kind+": "+record)
					made := make(home)
					annotated(record, value)(made)
					named, _ := made.DeepCopyObject().(client.Object)
					named.SetName("made")
					Expect(as(writer).Create(ctx, made, client.DryRunAll)).To(beForbiddenAs(theRecords), "%s: %s", kind, record)
					Expect(as(writer).Create(ctx, named, client.DryRunAll)).To(beForbiddenAs(theRecords), "%s: %s", kind, record)
					Expect(as(keeper).Create(ctx, named, client.DryRunAll)).To(Succeed(), "%s: %s", kind, record)
				}
			}
			made := make(home)
			made.SetFinalizers([]string{accountsv1.Finalizer})
			made.SetAnnotations(map[string]string{"example.com/note": "x"})
			Expect(as(writer).Create(ctx, made, client.DryRunAll)).To(Succeed(), kind)
		}
	})

	It("cannot be added by server-side apply either, with any field manager", func(ctx SpecContext) {
		a := anAccount("")
		a.GenerateName, a.Finalizers = "jane-", nil
		Expect(admin.Create(ctx, a)).To(Succeed())
		for metadata, sentence := range map[string]string{
			`"annotations": {"accounts.usher.dev/memberships": "acme/boss"}`: theRecords,
			`"finalizers": ["accounts.usher.dev/withdraw"]`:                  theFinalizer,
		} {
			for _, fieldManager := range []string{"kubectl", accountsv1.FieldManager} {
				_, err := kube.KubectlWith(ctx, fmt.Sprintf(`{"apiVersion": "accounts.usher.dev/v1alpha1", "kind": "Account",
					"metadata": {"name": %q, %s}}`, a.Name, metadata), "--as="+writer, "--as-group=system:authenticated",
					"apply", "--server-side", "--force-conflicts", "--field-manager="+fieldManager, "-f", "-")
				Expect(err).To(MatchError(ContainSubstring(sentence)), fieldManager)
			}
		}
	})

	It("are protected kind by kind, name by name, and in the namespace of the right", func(ctx SpecContext) {
		const user = "usher:keeps-some"
		elsewhere := aHome(ctx)
		m, other, inv := theMemberOf(ctx, home, "developer"), theMemberOf(ctx, home, "developer"), anInvitationTo(home, "developer")
		there := aMemberOf(elsewhere, "developer")
		there.Name, there.GenerateName = m.Name, ""
		Expect(admin.Create(ctx, there)).To(Succeed())
		Expect(admin.Create(ctx, inv)).To(Succeed())
		allowVerbs(ctx, user, "", right("get,update,patch", "memberships,invitations,memberships/status"), right("assign", "roles"))
		allowVerbs(ctx, user, home, right("update", "memberships/finalizers", m.Name))
		keep := finalized(accountsv1.Finalizer)
		expectEachWay(ctx, user, m, keep, Succeed(), "the one")
		expectEachWay(ctx, user, other, keep, beForbiddenAs(theFinalizer), "another")
		expectEachWay(ctx, user, there, keep, beForbiddenAs(theFinalizer), "elsewhere")

		const ofMemberships = "usher:keeps-memberships"
		allowVerbs(ctx, ofMemberships, "", right("get,update,patch", "memberships,invitations"), right("update", "memberships/finalizers"), right("assign", "roles"))
		expectEachWay(ctx, ofMemberships, other, keep, Succeed(), "any Membership")
		expectEachWay(ctx, ofMemberships, inv, keep, beForbiddenAs(theFinalizer), "another kind")
	})

	It("include the Membership that an Invitation was made for", func(ctx SpecContext) {
		m := theMemberOf(ctx, home, "developer")
		owner := metav1.OwnerReference{APIVersion: accountsv1.GroupVersion.String(), Kind: "Membership", Name: m.Name, UID: m.UID}
		changed, older, foreign := owner, owner, aHomeObject(ctx, home)
		changed.Name = "boss"
		older.APIVersion = "accounts.usher.dev/v1"
		foreign.Kind = "Membership" // of another API group
		inv := anInvitationTo(home, "developer")
		Expect(admin.Create(ctx, inv)).To(Succeed())
		for _, add := range []metav1.OwnerReference{owner, older} {
			made := anInvitationTo(home, "developer")
			ownedBy(add)(made)
			Expect(as(writer).Create(ctx, made.DeepCopy(), client.DryRunAll)).To(beForbiddenAs(theOwner), add.APIVersion)
			Expect(as(keeper).Create(ctx, made.DeepCopy(), client.DryRunAll)).To(Succeed(), add.APIVersion)
			expectEachWay(ctx, writer, inv, ownedBy(add), beForbiddenAs(theOwner), add.APIVersion)
			expectEachWay(ctx, keeper, inv, ownedBy(add), Succeed(), add.APIVersion)
		}
		expectEachWay(ctx, writer, inv, ownedBy(foreign), Succeed(), "an owner of another group")

		owned := anInvitationTo(home, "developer")
		ownedBy(owner)(owned)
		Expect(admin.Create(ctx, owned)).To(Succeed())
		for name, change := range map[string]func(client.Object){"none": ownedBy(), "changed": ownedBy(changed), "older": ownedBy(older)} {
			expectEachWay(ctx, writer, owned, change, beForbiddenAs(theOwner), name)
			expectEachWay(ctx, keeper, owned, change, Succeed(), name)
		}
		expectEachWay(ctx, writer, owned, ownedBy(owner, aHomeObject(ctx, home)), Succeed(), "one more of another kind")
		expectEachWay(ctx, garbageCollector, owned, ownedBy(), Succeed(), "released by the garbage collector")
		Expect(as(writer).Delete(ctx, m, client.DryRunAll, client.PropagationPolicy(metav1.DeletePropagationOrphan))).To(Succeed())
		keptBy(m)
		m.Finalizers = append(m.Finalizers, metav1.FinalizerOrphanDependents)
		Expect(admin.Update(ctx, m)).To(Succeed())
		expectEachWay(ctx, garbageCollector, m, finalized(accountsv1.Finalizer, "example.com/keep"), Succeed(), "all dependents are released")
	})

	It("disappear with a Membership that is deleted in the foreground", func(ctx SpecContext) {
		m := theMemberOf(ctx, home, "developer")
		owned := anInvitationTo(home, "developer")
		blocks := true
		ownedBy(metav1.OwnerReference{
			APIVersion: accountsv1.GroupVersion.String(), Kind: "Membership", Name: m.Name, UID: m.UID, BlockOwnerDeletion: &blocks,
		})(owned)
		Expect(admin.Create(ctx, owned)).To(Succeed())
		Expect(as(writer).Delete(ctx, m, client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
		for _, object := range []client.Object{owned, m} {
			Eventually(ctx, func() error { return admin.Get(ctx, client.ObjectKeyFromObject(object), object) }).
				WithTimeout(policyDelay).ShouldNot(Succeed())
		}
	})
})

// expectEachWay makes a change as a user, by an update and by a patch, in dry runs.
func expectEachWay(
	ctx context.Context, user string, object client.Object, change func(client.Object), expected gomegatypes.GomegaMatcher, about string,
) {
	GinkgoHelper()
	changed, _ := object.DeepCopyObject().(client.Object)
	change(changed)
	copied := func() client.Object {
		c, _ := changed.DeepCopyObject().(client.Object)
		return c
	}
	Expect(as(user).Update(ctx, copied(), client.DryRunAll)).To(expected, "%s by an update", about)
	unversioned := copied()
	unversioned.SetResourceVersion("")
	before, _ := object.DeepCopyObject().(client.Object)
	before.SetResourceVersion("")
	patch := client.MergeFrom(before)
	Expect(as(user).Patch(ctx, unversioned, patch, client.DryRunAll)).To(expected, "%s by a patch", about)
}
