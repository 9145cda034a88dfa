// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
)

// Credential returns the Secret of the Account jane-doe.
func Credential(uid, hash, settled string) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: System, Name: "account-jane-doe"},
		Data:       map[string][]byte{account.PasswordKey: []byte(hash), account.UIDKey: []byte(uid)},
	}
	if settled != "" {
		secret.Data[account.FinalInvitationKey] = []byte(settled)
	}
	return secret
}

// Recorded adds a Membership to the record of the Account, so it is not incomplete. Its
// address is proved.
func Recorded(a *accountsv1.Account) *accountsv1.Account {
	a.Annotations = map[string]string{accountsv1.MembershipsAnnotation: Home + "/another", accountsv1.EmailVerifiedAnnotation: Verified}
	return a
}

// Verified is the value of the record that an address is proved.
const Verified = "2026-05-01T10:00:00Z"

// Deleting marks the Account as being deleted.
func Deleting(a *accountsv1.Account) *accountsv1.Account {
	now := metav1.NewTime(Start)
	a.DeletionTimestamp, a.Finalizers = &now, []string{accountsv1.Finalizer}
	return a
}

// Conflict returns the error of a write to an object that changed in the meantime.
func Conflict(name string) error {
	return apierrors.NewConflict(schema.GroupResource{Resource: "things"}, name, errors.New("changed"))
}

// Chosen returns what Jane chose: a user name, and a password with that hash.
func Chosen(name, hash string) store.Registration {
	return store.Registration{UserName: name, Email: "jane.doe@example.com", Credentials: account.Credentials{Password: hash}}
}
