// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	corev1 "k8s.io/api/core/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// SecretType is the type of the Secret, in Usher's own namespace, that keeps
// an Account's password.
const SecretType corev1.SecretType = "accounts.usher.dev/password"

// Label on the Secret of an Account: the Account's name.
const Label = "accounts.usher.dev/account"

// Entries of the Secret of an Account.
const (
	// PasswordKey holds the argon2id hash of the password, as a PHC string.
	PasswordKey = "password"
	// UIDKey holds the UID of the Account. The Secret says nothing about any
	// other Account of that name.
	UIDKey = "account-uid"
	// SettledKey holds the UID of the Invitation through which the password
	// was chosen, once that choice is final. Absent: not final yet.
	SettledKey = "settled-invitation"
)

// SecretName is the name of the Secret of an Account.
func SecretName(account string) string { return "account-" + account }

// SetCredential writes an Account's credential into its Secret, new or not.
// Nothing of what the Secret held before stays. An empty settled says that the
// password is not final yet.
func SetCredential(secret *corev1.Secret, account *accountsv1.Account, password, settled string) {
	if secret.Labels == nil {
		secret.Labels = map[string]string{}
	}
	secret.Labels[accountsv1.ManagedByLabel] = accountsv1.ManagedByValue
	secret.Labels[Label] = account.Name
	// No owner: a restore gives the Account another UID, and the garbage collector
	// would take the password for an orphan. The Account's finalizer deletes it.
	secret.Type = SecretType
	secret.Data = map[string][]byte{
		PasswordKey: []byte(password),
		UIDKey:      []byte(account.UID),
	}
	if settled != "" {
		secret.Data[SettledKey] = []byte(settled)
	}
}
