// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/username"
)

const (
	// passkeyTime is how long a passkey ceremony can take.
	passkeyTime = 5 * time.Minute
	// challengeSize is the length of a challenge, in bytes.
	challengeSize = 32
	// mostPasskeys is the maximum number of passkeys of an Account.
	mostPasskeys = 10
)

// errRefused means that the answer of an authenticator is not valid. The portal
// does not reveal the reason, because it would only help an attacker who forged
// the answer.
var errRefused = errors.New("the answer of an authenticator was refused")

// newRelyingParty returns the WebAuthn relying party of the portal. Passkeys are
// bound to the host of the base URL and work only on its exact origin. The result
// is nil if the host is not a domain name, because browsers create no passkeys
// for an IP address.
func newRelyingParty(base *url.URL) (*webauthn.WebAuthn, error) {
	host := strings.ToLower(base.Hostname())
	if isDomain := protocol.ValidateRPID(host) == nil; !isDomain {
		return nil, nil
	}
	timeout := webauthn.TimeoutConfig{Timeout: passkeyTime, TimeoutUVD: passkeyTime}
	return webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: host, RPOrigins: []string{base.Scheme + "://" + base.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: protocol.ResidentKeyRequired(),
			ResidentKey:        protocol.ResidentKeyRequirementRequired,
			UserVerification:   protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{Login: timeout, Registration: timeout},
		// Some password managers send extension output that was not requested. It is
		// ignored.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
}

// passkeyOwner is an Account that has passkeys or is about to get one. It
// implements webauthn.User.
type passkeyOwner struct {
	// handle identifies the person to an authenticator. It must reveal nothing about
	// them (WebAuthn, section 14.6.1) and survive a restore. So it is the UID of the
	// Invitation that the Account was created through. nil means that there is none.
	handle   []byte
	name     string
	passkeys []account.Passkey
}

func ownerOf(a *accountsv1.Account, c account.Credentials) passkeyOwner {
	return newPasskeyOwner(a.Spec.InvitationRef.UID, a.Name, c.Passkeys)
}

// newPasskeyOwner returns the owner for an Account that was created, or is about
// to be created, through the Invitation with that UID.
func newPasskeyOwner(invitationUID, accountName string, passkeys []account.Passkey) passkeyOwner {
	owner := passkeyOwner{name: username.Show(accountName), passkeys: passkeys}
	if uid, err := invitation.ParseUID(invitationUID); err == nil && uid.String() == invitationUID {
		owner.handle = uid[:]
	}
	return owner
}

// handleUID returns the UID of the Invitation in a handle, or "".
func handleUID(handle []byte) string {
	var uid invitation.UID
	if len(handle) != len(uid) {
		return ""
	}
	copy(uid[:], handle)
	return uid.String()
}

// WebAuthnID returns the handle.
func (o passkeyOwner) WebAuthnID() []byte { return o.handle }

// WebAuthnName returns the user name as the person types it to sign in.
func (o passkeyOwner) WebAuthnName() string { return o.name }

// WebAuthnDisplayName returns the same as WebAuthnName.
func (o passkeyOwner) WebAuthnDisplayName() string { return o.name }

// WebAuthnCredentials returns the passkeys, except those that cannot be decoded.
func (o passkeyOwner) WebAuthnCredentials() []webauthn.Credential {
	var all []webauthn.Credential
	for _, k := range o.passkeys {
		var credential webauthn.Credential
		if json.Unmarshal(k.Record, &credential) == nil && len(credential.ID) > 0 {
			all = append(all, credential)
		}
	}
	return all
}

// beginNewPasskey returns the options with which a browser creates a passkey, and
// the state to store until it has. The challenge can be answered once.
func (p *portal) beginNewPasskey(owner passkeyOwner, now time.Time) (*protocol.CredentialCreation, *store.PendingPasskey, error) {
	challenge := make([]byte, challengeSize)
	if _, err := io.ReadFull(p.random, challenge); err != nil {
		return nil, nil, fmt.Errorf("generate a challenge: %w", err)
	}
	return p.askForPasskey(owner, challenge, now)
}

// askForPasskey does the same with a given challenge. The state that it returns
// depends only on its arguments, so a caller can recompute the state instead of
// storing it.
func (p *portal) askForPasskey(owner passkeyOwner, challenge []byte, now time.Time) (*protocol.CredentialCreation, *store.PendingPasskey, error) {
	var known []protocol.CredentialDescriptor
	for _, credential := range owner.WebAuthnCredentials() {
		known = append(known, credential.Descriptor())
	}
	options, ceremony, err := p.relyingParty.BeginRegistration(owner, webauthn.WithExclusions(known),
		func(o *protocol.PublicKeyCredentialCreationOptions) error {
			o.Challenge = challenge
			return nil
		})
	if err != nil {
		return nil, nil, fmt.Errorf("ask for a passkey: %w", err)
	}
	return options, &store.PendingPasskey{Ceremony: *ceremony, Expires: now.Add(passkeyTime)}, nil
}

// finishNewPasskey returns the passkey that a browser has created. It fails with
// errRefused, or with errNotPending if the answer is too late. The caller must
// have removed open from storage before, so that it is used only once.
func (p *portal) finishNewPasskey(owner passkeyOwner, open *store.PendingPasskey, answer []byte, name string, now time.Time) (account.Passkey, error) {
	switch {
	case !now.Before(open.Expires):
		return account.Passkey{}, errNotPending
	case len(owner.handle) == 0:
		return account.Passkey{}, errRefused
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return account.Passkey{}, errRefused
	}
	credential, err := p.relyingParty.CreateCredential(owner, open.Ceremony, parsed)
	if err != nil {
		return account.Passkey{}, errRefused
	}
	// The portal did not request an attestation, and it can reveal the model of the
	// device.
	credential.Attestation = webauthn.CredentialAttestation{}
	record, err := json.Marshal(credential)
	if err != nil {
		return account.Passkey{}, fmt.Errorf("encode a passkey: %w", err)
	}
	return account.Passkey{ID: passkeyID(credential.ID), Name: name, AddedTime: now, Record: record}, nil
}

func passkeyID(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

// addTo returns the passkeys with added appended. It fails with errRefused if the
// maximum is reached or added is already in the list.
func addTo(passkeys []account.Passkey, added account.Passkey) ([]account.Passkey, error) {
	if len(passkeys) >= mostPasskeys || slices.ContainsFunc(passkeys, func(k account.Passkey) bool { return k.ID == added.ID }) {
		return nil, errRefused
	}
	return append(slices.Clone(passkeys), added), nil
}

// usePasskey returns the passkeys after one of them has answered a challenge. It
// fails with errRefused. It also refuses an answer whose counter did not
// increase, unless the counter is always 0, because the passkey can have been
// copied.
func (p *portal) usePasskey(owner passkeyOwner, challenge []byte, answer *protocol.ParsedCredentialAssertionData, now time.Time) ([]account.Passkey, error) {
	ceremony := webauthn.SessionData{
		Challenge:        base64.RawURLEncoding.EncodeToString(challenge),
		RelyingPartyID:   p.relyingParty.Config.RPID,
		UserVerification: protocol.VerificationRequired,
	}
	find := func(_, _ []byte) (webauthn.User, error) { return owner, nil }
	credential, err := p.relyingParty.ValidateDiscoverableLogin(find, ceremony, answer)
	if err != nil || credential.Authenticator.CloneWarning {
		return nil, errRefused
	}
	at := slices.IndexFunc(owner.passkeys, func(k account.Passkey) bool { return k.ID == passkeyID(credential.ID) })
	if at < 0 {
		return nil, errRefused
	}
	record, err := json.Marshal(credential)
	if err != nil {
		return nil, fmt.Errorf("encode a passkey: %w", err)
	}
	passkeys := slices.Clone(owner.passkeys)
	passkeys[at].UsedTime, passkeys[at].Record = now, record
	return passkeys, nil
}
