// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/session"
)

// SecretType is the type of the Secret, in accountsv1.CredentialsNamespace, that keeps an
// Account's credentials.
const SecretType corev1.SecretType = "accounts.usher.dev/password"

// Label on the Secret of an Account. Its value is the Account's name.
const Label = "accounts.usher.dev/account"

// Keys in the Secret of an Account.
const (
	// PasswordKey holds the argon2id hash of the password, as a PHC string.
	PasswordKey = "password"
	// UIDKey holds the UID of the Account. A restore gives the Account another UID.
	// Sessions are valid only with this very UID. Everything else comes back with the
	// restore.
	UIDKey = "account-uid"
	// FinalInvitationKey holds the UID of the Invitation through which the password was chosen,
	// once that choice is final. If the key is absent, it is not final yet.
	FinalInvitationKey = "settled-invitation"
	// moreKey holds everything else, as JSON.
	moreKey = "credentials"
)

// ErrUnreadableCredentials means that the Secret of an Account holds something that Usher
// did not write. The error text quotes nothing of it.
var ErrUnreadableCredentials = errors.New("the credentials of an account cannot be read: restore the Secret, or delete the Account and invite the person again")

// Credentials are what a member signs in with, and their sessions. They are kept in one
// Secret, so a condition on its resourceVersion covers all of them. If a code, a link or
// a challenge is used in the same write as a change of the Secret, it is used only once.
type Credentials struct {
	// Password is the argon2id hash, as a PHC string.
	Password string `json:"-"`
	// UID of the Account.
	UID string `json:"-"`
	// FinalInvitation is the UID of the Invitation through which the password became final. While
	// it is empty, the password cannot be used to sign in.
	FinalInvitation string `json:"-"`

	// PasswordTime is when the password was chosen. Reset links that were requested
	// earlier are dead.
	PasswordTime time.Time `json:"passwordTime,omitzero"`
	// ShortPassword means that the password is too short to be the only factor.
	ShortPassword bool `json:"shortPassword,omitempty"`
	// SecondFactorTime is when a second factor was last added or removed, after the
	// Account was created.
	SecondFactorTime time.Time `json:"secondFactorTime,omitzero"`
	// TOTP is the authenticator app. The zero value means none.
	TOTP TOTP `json:"totp,omitzero"`
	// Passkeys sign in without a password.
	Passkeys []Passkey `json:"passkeys,omitempty"`
	// RecoveryCodes are the hashes of the unused codes.
	RecoveryCodes []string `json:"recoveryCodes,omitempty"`
	// UsedChallenges are those that a passkey has answered recently, and the device codes
	// that were used recently.
	UsedChallenges []UsedChallenge `json:"usedChallenges,omitempty"`
	// Sessions of the Account.
	Sessions []session.Session `json:"sessions,omitempty"`
	// Clients that the member is signed in to.
	Clients []session.Client `json:"clients,omitempty"`
	// Browsers that the Account knows. Each has its own count of wrong passwords.
	Browsers []session.Browser `json:"browsers,omitempty"`
}

// TOTP is an authenticator app that generates time-based codes (RFC 6238).
type TOTP struct {
	// Secret that the app shares, in base32.
	Secret string `json:"secret"`
	// LastStep is the time step of the last accepted code. A code of that step or an
	// earlier one is not accepted again.
	LastStep int64 `json:"lastStep"`
	// AddedTime is when the app was set up.
	AddedTime time.Time `json:"addedTime,omitzero"`
}

// Passkey is one WebAuthn credential.
type Passkey struct {
	// ID of the credential, in base64url.
	ID string `json:"id"`
	// Name that its owner gave it.
	Name string `json:"name"`
	// AddedTime is when it was set up, and UsedTime when it was last used to sign in.
	AddedTime time.Time `json:"addedTime,omitzero"`
	UsedTime  time.Time `json:"usedTime,omitzero"`
	// Record is the credential in the WebAuthn library's format.
	Record json.RawMessage `json:"record"`
}

// UsedChallenge is a challenge that cannot be answered again.
type UsedChallenge struct {
	// Hash of the challenge, SHA-256 in hex.
	Hash string `json:"hash"`
	// Expires is when the challenge would have expired by itself.
	Expires time.Time `json:"expires"`
}

// HasSecondFactor reports whether a password alone is not enough to sign in. Recovery
// codes replace a second factor but are not one themselves.
func (c Credentials) HasSecondFactor() bool { return c.TOTP.Secret != "" || len(c.Passkeys) > 0 }

// TwoFactor returns the same in the form of an Account's status.
func (c Credentials) TwoFactor() accountsv1.TwoFactor {
	if c.HasSecondFactor() {
		return accountsv1.TwoFactorEnrolled
	}
	return accountsv1.TwoFactorNotEnrolled
}

// UseUp marks a challenge as used until it expires by itself, and reports whether it was
// unused. It removes expired ones. hash is the SHA-256 hash of the challenge, in hex.
func (c *Credentials) UseUp(hash string, expires, now time.Time) bool {
	kept := slices.DeleteFunc(slices.Clone(c.UsedChallenges), func(u UsedChallenge) bool { return !now.Before(u.Expires) })
	if slices.ContainsFunc(kept, func(u UsedChallenge) bool { return u.Hash == hash }) {
		return false
	}
	kept = append(kept, UsedChallenge{Hash: hash, Expires: expires})
	c.UsedChallenges = kept
	return true
}

// EndSessions ends every session and every sign-in to a client.
func (c *Credentials) EndSessions() { c.Sessions, c.Clients = nil, nil }

// SecretName returns the name of the Secret of an Account.
func SecretName(account string) string { return "account-" + account }

// ReadCredentials reads the Secret of an Account. It fails with ErrUnreadableCredentials.
func ReadCredentials(secret *corev1.Secret) (Credentials, error) {
	var c Credentials
	if more, found := secret.Data[moreKey]; found {
		if err := json.Unmarshal(more, &c); err != nil {
			return Credentials{}, ErrUnreadableCredentials
		}
	}
	c.Password = string(secret.Data[PasswordKey])
	c.UID = string(secret.Data[UIDKey])
	c.FinalInvitation = string(secret.Data[FinalInvitationKey])
	return c, nil
}

// WriteTo writes the credentials of an Account into its Secret, new or not. It replaces
// everything that the Secret held before.
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
	// Set no owner reference: a restore gives the Account another UID, so the garbage
	// collector would treat the password as orphaned. The Account's finalizer deletes it.
	secret.Type = SecretType
	secret.Data = map[string][]byte{
		PasswordKey: []byte(c.Password),
		UIDKey:      []byte(account.UID),
		moreKey:     more,
	}
	if c.FinalInvitation != "" {
		secret.Data[FinalInvitationKey] = []byte(c.FinalInvitation)
	}
	return nil
}
