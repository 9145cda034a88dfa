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
	"github.com/onsi/gomega/gcustom"
	gomegatypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/test/platform"
)

// beForbidden matches errors with which RBAC or a policy refused a request, and no
// other errors.
func beForbidden() gomegatypes.GomegaMatcher {
	return gcustom.MakeMatcher(func(err error) (bool, error) {
		return apierrors.IsForbidden(err), nil
	}).WithMessage("be forbidden")
}

// beForbiddenAs matches errors with which a policy refused a request in this
// sentence.
func beForbiddenAs(sentence string) gomegatypes.GomegaMatcher {
	return And(beForbidden(), MatchError(ContainSubstring(sentence)))
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

var at = metav1.NewTime(time.Unix(1_800_000_000, 0))

// anInvitation returns an Invitation whose mail was sent, as the portal sees it.
func anInvitation(ctx context.Context, changes ...func(*accountsv1.InvitationStatus)) *accountsv1.Invitation {
	GinkgoHelper()
	inv := &accountsv1.Invitation{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", GenerateName: "jane-",
			Labels:      map[string]string{"team": "blue"},
			Annotations: map[string]string{accountsv1.ResendAnnotation: "2027-01-15T08:00:00Z"},
		},
		Spec: accountsv1.InvitationSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: "jane@example.com", Role: "developer",
		},
	}
	Expect(admin.Create(ctx, inv)).To(Succeed())
	generation := int64(1)
	inv.Status = accountsv1.InvitationStatus{
		ObservedGeneration: &generation,
		State:              accountsv1.InvitationPending,
		ExpirationTime:     &at,
		Conditions:         []metav1.Condition{{Type: "Ready", Status: "True", Reason: "AwaitingAcceptance", LastTransitionTime: at}},
		Attempt: accountsv1.Attempt{
			Number: 1, KeyID: 1, ClaimTime: &at, Organization: "Acme", Role: "Developer", Language: "en", Sender: "usher@example.com",
		},
		Deliveries: []accountsv1.Delivery{{
			Name: "email-1", Purpose: accountsv1.PurposeInvitation, Medium: accountsv1.MediumEmail, Recipient: "jane@example.com",
			MessageID: "1@example.com", ClaimTime: &at, Tries: 1, TryTime: &at,
		}},
	}
	for _, change := range changes {
		change(&inv.Status)
	}
	Expect(admin.Status().Update(ctx, inv)).To(Succeed())
	return inv
}

func anAccount(name string) *accountsv1.Account {
	return &accountsv1.Account{
		ObjectMeta: metav1.ObjectMeta{Name: name, Finalizers: []string{accountsv1.Finalizer}},
		Spec: accountsv1.AccountSpec{
			Email: "jane@example.com", InvitationRef: accountsv1.InvitationReference{Namespace: "default", Name: "jane", UID: "1"},
		},
	}
}

// anAcceptedAccount returns the Account of a person who has done everything once. It
// has two Memberships, one of them for another address.
func anAcceptedAccount(ctx context.Context, changes ...func(*accountsv1.AccountStatus)) *accountsv1.Account {
	GinkgoHelper()
	a := anAccount("")
	a.GenerateName = "jane-"
	a.Annotations = map[string]string{accountsv1.MembershipsAnnotation: "acme/jane,globex/jane-doe=jane@work.example"}
	Expect(admin.Create(ctx, a)).To(Succeed())
	generation := int64(1)
	a.Status = accountsv1.AccountStatus{
		ObservedGeneration: &generation,
		State:              accountsv1.AccountActive,
		Conditions:         []metav1.Condition{{Type: "Ready", Status: "True", Reason: "Reconciled", LastTransitionTime: at}},
		SignIn: accountsv1.SignIn{
			Failures: 2, FailureTime: &at, Locks: 1, CodeFailures: 1, CodeFailureTime: &at, CodeLocks: 1, SessionsEndTime: &at,
		},
		TwoFactor:        accountsv1.TwoFactorNotEnrolled,
		PasswordTime:     &at,
		SecondFactorTime: &at,
		ResetTimes:       []metav1.Time{at},
		UserNameTimes:    []metav1.Time{at},
		EmailCodeTimes:   []metav1.Time{at},
		EmailCodeGuesses: 1,
		Language:         "it",
		Leaving:          []accountsv1.MembershipReference{{Namespace: "acme", Name: "jane"}},
		UnlockTimes:      []metav1.Time{at},
		Deliveries: []accountsv1.Delivery{{
			Name: "reset", Purpose: accountsv1.PurposeReset, Medium: accountsv1.MediumEmail, Recipient: "jane@example.com", Tries: 1, TryTime: &at,
		}},
	}
	for _, change := range changes {
		change(&a.Status)
	}
	Expect(admin.Status().Update(ctx, a)).To(Succeed())
	return a
}

func aSecret(namespace, name, secretType string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Type: corev1.SecretType(secretType)}
}

// aBinding returns a RoleBinding of a ClusterRole to Jane, in the form in which Usher
// creates them.
func aBinding(clusterRole string, changes ...func(*rbacv1.RoleBinding)) *rbacv1.RoleBinding {
	b := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "usher:acme:jane:"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "usher:jane"}},
	}
	for _, change := range changes {
		change(b)
	}
	return b
}

// field is a field of a status, with its possible values if it is an enum, and the
// fields in it.
type field struct {
	Enum       []string
	Properties map[string]field
}

// statusOf returns the fields of the status of a kind, from the CRD.
func statusOf(plural string) map[string]field {
	GinkgoHelper()
	raw, err := os.ReadFile(filepath.Join(platform.Root, "config", "crd", "bases", "accounts.usher.dev_"+plural+".yaml"))
	Expect(err).NotTo(HaveOccurred())
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema struct {
						Properties struct {
							Status struct {
								Properties map[string]field `json:"properties"`
							} `json:"status"`
						} `json:"properties"`
					} `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	Expect(yaml.Unmarshal(raw, &crd)).To(Succeed())
	fields := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties.Status.Properties
	Expect(fields).NotTo(BeEmpty())
	return fields
}
