// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("Changing only the metadata of a Membership or an Invitation", Ordered, Label("K6", "C1"), func() {
	const user = "usher:labelling"
	var home string
	BeforeAll(func(ctx SpecContext) {
		policiesInForce(ctx)
		home = aHome(ctx)
		bind(ctx, user, home, "usher-people-manager")
		allowVerbs(ctx, user, home, right("assign", "roles", "developer"))
	})

	labelled := func(o client.Object) { o.SetLabels(map[string]string{"team": "blue"}) }
	changes := map[string]func(client.Object){
		"a label": labelled, "an annotation": annotated("example.com/note", "x"), "a finalizer": finalized("example.com/keep"),
		"the label that a GitOps tool sets":        func(o client.Object) { o.SetLabels(map[string]string{"app.kubernetes.io/instance": "people"}) },
		"the annotation that kubectl apply writes": annotated("kubectl.kubernetes.io/last-applied-configuration", "{}"),
	}
	objects := func(ctx context.Context, role string) []client.Object {
		GinkgoHelper()
		m := theMemberOf(ctx, home, role, overrides(accountsv1.EffectAllow, "own"))
		noted, inv := theMemberOf(ctx, home, role), anInvitationTo(home, role)
		noted.Labels, noted.Finalizers = map[string]string{"team": "red"}, []string{"example.com/first"}
		annotated("example.com/note", "old")(noted)
		Expect(admin.Update(ctx, noted)).To(Succeed())
		Expect(admin.Create(ctx, inv)).To(Succeed())
		return []client.Object{m, noted, inv}
	}

	It("requires the verb assign on the role", func(ctx SpecContext) {
		for role, expected := range map[string]OmegaMatcher{"boss": beForbiddenAs(notTheMetadata), "developer": Succeed()} {
			for _, object := range objects(ctx, role) {
				for name, change := range changes {
					expectEachWay(ctx, user, object, change, expected, fmt.Sprintf("%s of a %s", name, role))
				}
			}
			removed := objects(ctx, role)[1]
			for name, change := range map[string]func(client.Object){
				"labels": func(o client.Object) { o.SetLabels(nil) }, "annotations": func(o client.Object) { o.SetAnnotations(nil) }, "finalizers": finalized(),
			} {
				expectEachWay(ctx, user, removed, change, expected, "without "+name)
			}
		}
	})

	It("is possible with each way of GitOps tools to apply, for the roles that they may assign", func(ctx SpecContext) {
		manifest := func(role, label string) string {
			return fmt.Sprintf(`{"apiVersion": "accounts.usher.dev/v1alpha1", "kind": "Membership",
				"metadata": {"name": "applied-%s", "namespace": %q, "labels": {"kustomize.toolkit.fluxcd.io/name": %q}},
				"spec": {"organizationRef": {"name": "acme"}, "email": "jane@example.com", "role": %q}}`, role, home, label, role)
		}
		for _, how := range [][]string{{"apply", "-f", "-"}, {"apply", "--server-side", "--force-conflicts", "--field-manager=flux", "-f", "-"}, {"replace", "-f", "-"}} {
			as := append([]string{"--as=" + user, "--as-group=system:authenticated"}, how...)
			_, err := kube.KubectlWith(ctx, manifest("boss", ""), "apply", "--server-side", "--force-conflicts", "-f", "-")
			Expect(err).NotTo(HaveOccurred())
			for _, label := range []string{"people", "people", "members"} {
				_, err := kube.KubectlWith(ctx, manifest("developer", ""), "apply", "--server-side", "--force-conflicts", "-f", "-")
				Expect(err).NotTo(HaveOccurred())
				_, err = kube.KubectlWith(ctx, manifest("developer", label), as...)
				Expect(err).NotTo(HaveOccurred(), "%v", how)
				_, err = kube.KubectlWith(ctx, manifest("boss", label), as...)
				Expect(err).To(MatchError(ContainSubstring(notTheMetadata)), "%v", how)
			}
		}
	})

	It("passes if the request changes nothing", func(ctx SpecContext) {
		for _, object := range objects(ctx, "boss") {
			expectEachWay(ctx, user, object, func(client.Object) {}, Succeed(), "nothing")
			expectEachWay(ctx, user, object, func(o client.Object) {
				o.SetManagedFields([]metav1.ManagedFieldsEntry{})
			}, Succeed(), "only the managed fields")
		}
	})

	It("is allowed for Kubernetes where it deletes objects, and only there", func(ctx SpecContext) {
		allowVerbs(ctx, controllerManager, home, right("get,update,patch", "memberships,invitations"))
		for _, part := range []string{garbageCollector, controllerManager} {
			for _, object := range objects(ctx, "boss") {
				finalized("foregroundDeletion", "example.com/keep")(object)
				Expect(admin.Update(ctx, object)).To(Succeed())
				expectEachWay(ctx, part, object, finalized("example.com/keep"), Succeed(), part)
				expectEachWay(ctx, part, object, finalized("foregroundDeletion", "example.com/keep", "example.com/more"), beForbiddenAs(notTheMetadata), part)
				expectEachWay(ctx, part, object, labelled, beForbiddenAs(notTheMetadata), part)
				expectEachWay(ctx, part, object, annotated("example.com/note", "x"), beForbiddenAs(notTheMetadata), part)
			}
		}
	})

	It("does not detach a person from an owner", func(ctx SpecContext) {
		owner := aHomeObject(ctx, home)
		kept := owner
		kept.BlockOwnerDeletion = new(true)
		for _, object := range objects(ctx, "boss") {
			object.SetOwnerReferences([]metav1.OwnerReference{owner})
			Expect(admin.Update(ctx, object)).To(Succeed())
			expectEachWay(ctx, user, object, func(o client.Object) { o.SetOwnerReferences([]metav1.OwnerReference{kept}) }, beForbiddenAs(notTheMetadata), "blocks the deletion of the owner")
			expectEachWay(ctx, user, object, func(o client.Object) { o.SetOwnerReferences(nil) }, beForbiddenAs(notTheMetadata), "no owner")
			expectEachWay(ctx, garbageCollector, object, func(o client.Object) { o.SetOwnerReferences(nil) }, Succeed(), "the garbage collector")
		}
	})

	It("is allowed for the controller, with its own finalizer", func(ctx SpecContext) {
		for _, object := range objects(ctx, "boss") {
			if _, isMembership := object.(*accountsv1.Membership); isMembership {
				Expect(updating(ctx, controller, object, finalized(append(object.GetFinalizers(), accountsv1.Finalizer)...))).To(Succeed())
			}
		}
	})
})
