// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/session"
)

// SecretType is the type of the Secret, in Usher's own namespace, that keeps
// an Account's credentials.
const SecretType corev1.SecretType = "accounts.usher.dev/password"

// Label on the Secret of an Account: the Account's name.
const Label = "accounts.usher.dev/account"

// Entries of the Secret of an Account.
const (
	// PasswordKey holds the argon2id hash of the password, as a PHC string.
	PasswordKey = "password"
	// UIDKey holds the UID of the Account. Sessions are those of this very
	// Account alone; everything else comes back with a restore, which gives
	// the Account another UID.
	UIDKey = "account-uid"
	// SettledKey holds the UID of the Invitation through which the password
	// was chosen, once that choice is final. Absent: not final yet.
	SettledKey = "settled-invitation"
	// moreKey holds everything else, as JSON.
	moreKey = "credentials"
)

// ErrUnreadableCredentials says that the Secret of an Account holds something
// that Usher did not write. Its text quotes nothing of it.
var ErrUnreadableCredentials = errors.New("the credentials of an account cannot be read: restore the Secret, or delete the Account and invite the person again")

// Credentials are what somebody signs in with, and their sessions. They are kept
// in one Secret, so that a condition on its resourceVersion is one on all of
// them: a code, a link or a challenge that is used together with a change of the
// Secret is used once.
type Credentials struct {
	// Password is the argon2id hash, as a PHC string.
	Password string `json:"-"`
	// UID of the Account.
	UID string `json:"-"`
	// Settled is the UID of the Invitation through which the password became
	// final; empty: nobody may sign in with it yet.
	Settled string `json:"-"`

	// PasswordTime is when the password was chosen. Links for a new one that
	// were asked for before are dead.
	PasswordTime time.Time `json:"passwordTime,omitzero"`
	// ShortPassword: the password is too short to be the only factor.
	ShortPassword bool `json:"shortPassword,omitempty"`
	// SecondFactorTime is when a second factor was last added or removed, after
	// the Account was made.
	SecondFactorTime time.Time `json:"secondFactorTime,omitzero"`
	// TOTP is the app that makes codes; the zero value: none.
	TOTP TOTP `json:"totp,omitzero"`
	// Passkeys sign in without a password.
	Passkeys []Passkey `json:"passkeys,omitempty"`
	// RecoveryCodes are the hashes of the codes that have not been used.
	RecoveryCodes []string `json:"recoveryCodes,omitempty"`
	// UsedChallenges are those that a passkey has answered lately.
	UsedChallenges []UsedChallenge `json:"usedChallenges,omitempty"`
	// Sessions of the Account.
	Sessions []session.Session `json:"sessions,omitempty"`
}

// TOTP is an app that makes codes that depend on the time (RFC 6238).
type TOTP struct {
	// Secret that the app shares, in base32.
	Secret string `json:"secret"`
	// LastStep is the step of the last code that was taken. No code is taken
	// twice, nor an earlier one.
	LastStep int64 `json:"lastStep"`
	// AddedTime is when it was set up.
	AddedTime time.Time `json:"addedTime,omitzero"`
}

// Passkey is one WebAuthn credential.
type Passkey struct {
	// ID of the credential, in base64url.
	ID string `json:"id"`
	// Name that its person gave it.
	Name string `json:"name"`
	// AddedTime is when it was set up, and UsedTime when somebody last signed
	// in with it.
	AddedTime time.Time `json:"addedTime,omitzero"`
	UsedTime  time.Time `json:"usedTime,omitzero"`
	// Record is the credential as the WebAuthn library keeps it.
	Record json.RawMessage `json:"record"`
}

// UsedChallenge is a challenge that cannot be answered again.
type UsedChallenge struct {
	// Hash of the challenge, SHA-256 in hex.
	Hash string `json:"hash"`
	// Expires is when the challenge would have run out by itself.
	Expires time.Time `json:"expires"`
}

// HasSecondFactor tells whether a password alone does not sign in. Recovery codes
// stand in for a second factor and are none.
func (c Credentials) HasSecondFactor() bool { return c.TOTP.Secret != "" || len(c.Passkeys) > 0 }

// TwoFactor is the same as an Account's status says it.
func (c Credentials) TwoFactor() accountsv1.TwoFactor {
	if c.HasSecondFactor() {
		return accountsv1.TwoFactorEnrolled
	}
	return accountsv1.TwoFactorNotEnrolled
}

// SecretName is the name of the Secret of an Account.
func SecretName(account string) string { return "account-" + account }

// ReadCredentials reads the Secret of an Account. It fails with
// ErrUnreadableCredentials.
func ReadCredentials(secret *corev1.Secret) (Credentials, error) {
	var c Credentials
	if more, found := secret.Data[moreKey]; found {
		if err := json.Unmarshal(more, &c); err != nil {
			return Credentials{}, ErrUnreadableCredentials
		}
	}
	c.Password = string(secret.Data[PasswordKey])
	c.UID = string(secret.Data[UIDKey])
	c.Settled = string(secret.Data[SettledKey])
	return c, nil
}

// WriteTo writes the credentials of an Account into its Secret, new or not.
// Nothing of what the Secret held before stays.
func (c Credentials) WriteTo(secret *corev1.Secret, account *accountsv1.Account) error {
	more, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write credentials: %w", ErrUnreadableCredentials)
	}
	if secret.Labels == nil {
		secret.Labels = map[string]string{}
	}
	secret.Labels[accountsv1.ManagedByLabel] = accountsv1.ManagedByValue
	secret.Labels[Label] = account.Name
	// No owner: a restore gives the Account another UID, and the garbage collector
	// would take the password for an orphan. The Account's finalizer deletes it.
	secret.Type = SecretType
	secret.Data = map[string][]byte{
		PasswordKey: []byte(c.Password),
		UIDKey:      []byte(account.UID),
		moreKey:     more,
	}
	if c.Settled != "" {
		secret.Data[SettledKey] = []byte(c.Settled)
	}
	return nil
}
