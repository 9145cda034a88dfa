// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"context"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
)

// beForbidden matches what RBAC or a policy refused, as opposed to anything
// else that can go wrong with a request.
func beForbidden() gomegatypes.GomegaMatcher {
	return WithTransform(apierrors.IsForbidden, BeTrue())
}

func anOrganization() *accountsv1.Organization {
	return &accountsv1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: "acme"},
		Spec:       accountsv1.OrganizationSpec{Namespace: "acme", Roles: []accountsv1.Role{{Name: "developer"}}},
	}
}

func aMembership() *accountsv1.Membership {
	return &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "jane"},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: "jane@example.com", Role: "developer",
		},
	}
}

// anInvitation that is out, as the portal sees it.
func anInvitation(ctx context.Context) *accountsv1.Invitation {
	GinkgoHelper()
	inv := &accountsv1.Invitation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "jane-"},
		Spec: accountsv1.InvitationSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: "jane@example.com", Role: "developer",
		},
	}
	Expect(admin.Create(ctx, inv)).To(Succeed())
	at, generation := metav1.NewTime(time.Unix(1_800_000_000, 0)), int64(1)
	inv.Status = accountsv1.InvitationStatus{
		ObservedGeneration: &generation,
		State:              accountsv1.InvitationPending,
		ExpirationTime:     &at,
		Conditions:         []metav1.Condition{{Type: "Ready", Status: "True", Reason: "AwaitingAcceptance", LastTransitionTime: at}},
		Delivery: accountsv1.Delivery{
			Attempt: 1, MessageID: "1@example.com", KeyID: 1, ClaimTime: &at, Organization: "Acme", Role: "Developer", Tries: 1, TryTime: &at,
		},
	}
	Expect(admin.Status().Update(ctx, inv)).To(Succeed())
	return inv
}

func answered(inv *accountsv1.Invitation, by string) {
	at := metav1.NewTime(time.Unix(1_800_000_000, 0))
	inv.Status.Acceptance = accountsv1.Acceptance{
		AccountRef: accountsv1.AcceptedAccountReference{Name: accountsv1.AccountName(by), UID: "1"}, AcceptedTime: &at,
	}
}

func anAccount(name string) *accountsv1.Account {
	return &accountsv1.Account{
		ObjectMeta: metav1.ObjectMeta{Name: name, Finalizers: []string{accountsv1.Finalizer}},
		Spec: accountsv1.AccountSpec{
			Email: "jane@example.com", InvitationRef: accountsv1.InvitationReference{Namespace: "default", Name: "jane", UID: "1"},
		},
	}
}

func aSecret(namespace, name, secretType string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Type: corev1.SecretType(secretType)}
}

func aBinding(clusterRole string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "usher-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "usher:jane"}},
	}
}

// policiesInForce waits until the policies are in force, which takes the API server a moment.
func policiesInForce(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func() error {
		return portal.Create(ctx, aSecret(cluster.Namespace, "usher-probe", "Opaque"), client.DryRunAll)
	}).WithTimeout(policyDelay).Should(beForbidden())
}

// policyDelay is how long the API server may take to put a policy in force.
const policyDelay = 30 * time.Second

var _ = Describe("The portal", Ordered, func() {
	BeforeAll(policiesInForce)

	It("may answer an Invitation that is open", func(ctx SpecContext) {
		inv := anInvitation(ctx)
		answered(inv, "jane")
		Expect(portal.Status().Update(ctx, inv)).To(Succeed())
	})

	It("may change no other field of an Invitation's status, not even one that is added to the API later", func(ctx SpecContext) {
		later, generation := metav1.NewTime(time.Unix(1_900_000_000, 0)), int64(7)
		changes := map[string]func(*accountsv1.InvitationStatus){
			"conditions":         func(s *accountsv1.InvitationStatus) { s.Conditions[0].Reason = "Else" },
			"delivery":           func(s *accountsv1.InvitationStatus) { s.Delivery.Attempt = 2 },
			"expirationTime":     func(s *accountsv1.InvitationStatus) { s.ExpirationTime = &later },
			"observedGeneration": func(s *accountsv1.InvitationStatus) { s.ObservedGeneration = &generation },
			"state":              func(s *accountsv1.InvitationStatus) { s.State = accountsv1.InvitationActive },
		}
		for _, field := range statusFields() {
			if field == "acceptance" {
				continue
			}
			Expect(changes).To(HaveKey(field), "the policy and this spec must know the field")
			inv := anInvitation(ctx)
			answered(inv, "jane")
			changes[field](&inv.Status)
			Expect(portal.Status().Update(ctx, inv)).To(beForbidden(), field)
		}
	})

	It("may not take an answer back or give it to another Account", func(ctx SpecContext) {
		inv := anInvitation(ctx)
		answered(inv, "jane")
		Expect(portal.Status().Update(ctx, inv)).To(Succeed())
		answered(inv, "mallory")
		Expect(portal.Status().Update(ctx, inv)).To(beForbidden())
		inv.Status.Acceptance = accountsv1.Acceptance{}
		Expect(portal.Status().Update(ctx, inv)).To(beForbidden())
	})

	It("may make an Account, but none with a record, without the finalizer, or over an old one", func(ctx SpecContext) {
		Expect(portal.Create(ctx, anAccount("jane"))).To(Succeed())
		forged := anAccount("mallory")
		forged.Annotations = map[string]string{accountsv1.MembershipsAnnotation: "acme/boss"}
		Expect(portal.Create(ctx, forged)).To(beForbidden())
		loose := anAccount("loose")
		loose.Finalizers = nil
		Expect(portal.Create(ctx, loose)).To(beForbidden())
		made := &accountsv1.Account{}
		Expect(portal.Get(ctx, client.ObjectKey{Name: "jane"}, made)).To(Succeed())
		made.Annotations = map[string]string{accountsv1.MembershipsAnnotation: "acme/boss"}
		Expect(portal.Update(ctx, made)).To(beForbidden())
		Expect(portal.Delete(ctx, made)).To(beForbidden())
		Expect(portal.Status().Update(ctx, made)).To(beForbidden())
	})

	It("may write credentials and no other Secret", Label("K7"), func(ctx SpecContext) {
		Expect(portal.Create(ctx, aSecret(cluster.Namespace, "account-jane", "accounts.usher.dev/password"))).To(Succeed())
		Expect(portal.Create(ctx, aSecret(cluster.Namespace, "account-jane-too", "Opaque"))).To(beForbidden())
		Expect(portal.Create(ctx, aSecret(cluster.Namespace, "usher-link-keys", "accounts.usher.dev/password"))).To(beForbidden())
		Expect(portal.Create(ctx, aSecret("default", "account-jane", "accounts.usher.dev/password"))).To(beForbidden())
		Expect(portal.Delete(ctx, aSecret(cluster.Namespace, "account-jane", ""))).To(beForbidden())
		Expect(portal.List(ctx, &corev1.SecretList{}, client.InNamespace(cluster.Namespace))).To(beForbidden())
		Expect(portal.Get(ctx, client.ObjectKey{Namespace: "default", Name: "any"}, &corev1.Secret{})).To(beForbidden())
	})

	It("may neither make a Membership nor an Organization nor bind anything", func(ctx SpecContext) {
		Expect(portal.Create(ctx, aMembership())).To(beForbidden())
		Expect(portal.Create(ctx, anOrganization())).To(beForbidden())
		Expect(portal.Create(ctx, aBinding("view"))).To(beForbidden())
		Expect(portal.Delete(ctx, anInvitation(ctx))).To(beForbidden())
	})
})

var _ = Describe("The controller", func() {
	It("may bind what is grantable, and nothing else", func(ctx SpecContext) {
		for _, clusterRole := range []string{"view", "edit"} {
			Expect(controller.Create(ctx, aBinding(clusterRole))).To(Succeed(), clusterRole)
		}
		for _, clusterRole := range []string{"cluster-admin", "admin", "system:node", "system:controller:namespace-controller"} {
			Expect(controller.Create(ctx, aBinding(clusterRole))).To(beForbidden(), clusterRole)
		}
		everywhere := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "usher"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		}
		Expect(controller.Create(ctx, everywhere)).To(beForbidden())
	})

	It("may not widen its own rights", func(ctx SpecContext) {
		grantable := &rbacv1.ClusterRole{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: "usher-grantable"}, grantable)).To(Succeed())
		Expect(controller.Update(ctx, grantable)).To(beForbidden())
		Expect(controller.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "mine"}})).To(beForbidden())
	})

	It("may not read a password, nor any Secret of others", Label("K7"), func(ctx SpecContext) {
		for _, namespace := range []string{cluster.Namespace, "default"} {
			Expect(controller.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "account-jane"}, &corev1.Secret{})).To(beForbidden())
			Expect(controller.List(ctx, &corev1.SecretList{}, client.InNamespace(namespace))).To(beForbidden())
		}
		Expect(controller.Create(ctx, aSecret("default", "any", "Opaque"))).To(beForbidden())
	})

	It("may not write an Organization's catalogue into being, nor make an Account", func(ctx SpecContext) {
		Expect(controller.Create(ctx, anOrganization())).To(beForbidden())
		Expect(controller.Create(ctx, anAccount("ghost"))).To(beForbidden())
		Expect(controller.Delete(ctx, aMembership())).To(beForbidden())
	})
})

// statusFields are the fields of an Invitation's status, from the CRD.
func statusFields() []string {
	GinkgoHelper()
	raw, err := os.ReadFile(filepath.Join(root, "config", "crd", "bases", "accounts.usher.dev_invitations.yaml"))
	Expect(err).NotTo(HaveOccurred())
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema struct {
						Properties struct {
							Status struct {
								Properties map[string]any `json:"properties"`
							} `json:"status"`
						} `json:"properties"`
					} `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	Expect(yaml.Unmarshal(raw, &crd)).To(Succeed())
	var fields []string
	for field := range crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties.Status.Properties {
		fields = append(fields, field)
	}
	Expect(fields).NotTo(BeEmpty())
	return fields
}
