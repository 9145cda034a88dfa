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
	// passkeyTime is how long an authenticator and its person may take.
	passkeyTime = 5 * time.Minute
	// challengeSize is the length of a challenge, in bytes.
	challengeSize = 32
	// mostPasskeys is how many an Account can have.
	mostPasskeys = 10
)

// errRefused says that what an authenticator answered is not good enough. Why, is
// told to nobody: it would help only whoever made it up.
var errRefused = errors.New("the answer of an authenticator was refused")

// newRelyingParty is the portal as authenticators know it: passkeys are bound to
// the host of its address, and are only used from its very origin. It is nil
// where the host is no domain name: browsers make no passkeys for an IP address.
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
		// Some password managers say more than they were asked. Nothing of it counts.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
}

// passkeyOwner is whoever has passkeys, or is about to. It is a webauthn.User.
type passkeyOwner struct {
	// handle is what an authenticator knows its person by. It must say nothing
	// about them (WebAuthn, section 14.6.1), and outlive a restore: the UID of
	// the Invitation that the Account was made through. nil: there is none.
	handle   []byte
	name     string
	passkeys []account.Passkey
}

func ownerOf(a *accountsv1.Account, c account.Credentials) passkeyOwner {
	return newPasskeyOwner(a.Spec.InvitationRef.UID, a.Name, c.Passkeys)
}

// newPasskeyOwner is whoever has an Account of that name, or is about to make
// one, through the Invitation of that UID.
func newPasskeyOwner(invitationUID, accountName string, passkeys []account.Passkey) passkeyOwner {
	owner := passkeyOwner{name: username.Show(accountName), passkeys: passkeys}
	if uid, err := invitation.ParseUID(invitationUID); err == nil && uid.String() == invitationUID {
		owner.handle = uid[:]
	}
	return owner
}

// handleUID is the UID of the Invitation that a handle stands for; empty: none.
func handleUID(handle []byte) string {
	var uid invitation.UID
	if len(handle) != len(uid) {
		return ""
	}
	copy(uid[:], handle)
	return uid.String()
}

// WebAuthnID is the handle.
func (o passkeyOwner) WebAuthnID() []byte { return o.handle }

// WebAuthnName is the user name, as its person signs in with it.
func (o passkeyOwner) WebAuthnName() string { return o.name }

// WebAuthnDisplayName is the same.
func (o passkeyOwner) WebAuthnDisplayName() string { return o.name }

// WebAuthnCredentials are the passkeys. One that cannot be read is left out.
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

// beginNewPasskey gives what a browser needs to make a passkey, and what to keep
// until it has. Its challenge may be answered once.
func (p *portal) beginNewPasskey(owner passkeyOwner, now time.Time) (*protocol.CredentialCreation, *store.PendingPasskey, error) {
	challenge := make([]byte, challengeSize)
	if _, err := io.ReadFull(p.random, challenge); err != nil {
		return nil, nil, fmt.Errorf("make a challenge: %w", err)
	}
	return p.askForPasskey(owner, challenge, now)
}

// askForPasskey does the same with a given challenge. What it gives to keep depends
// on nothing else, so that it can be made anew in place of being kept.
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

// finishNewPasskey gives the passkey that a browser has made. It fails with
// errRefused, or too late with errNotPending. Whoever calls it has taken open away, so that it is used once.
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
	// It was not asked for, and may say which device somebody has.
	credential.Attestation = webauthn.CredentialAttestation{}
	record, err := json.Marshal(credential)
	if err != nil {
		return account.Passkey{}, fmt.Errorf("keep a passkey: %w", err)
	}
	return account.Passkey{ID: passkeyID(credential.ID), Name: name, AddedTime: now, Record: record}, nil
}

func passkeyID(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

// addTo gives the passkeys and one more. It fails with errRefused if there are
// as many as there can be, or if it is one of them.
func addTo(passkeys []account.Passkey, added account.Passkey) ([]account.Passkey, error) {
	if len(passkeys) >= mostPasskeys || slices.ContainsFunc(passkeys, func(k account.Passkey) bool { return k.ID == added.ID }) {
		return nil, errRefused
	}
	return append(slices.Clone(passkeys), added), nil
}

// usePasskey gives the passkeys after one of them has answered a challenge. It
// fails with errRefused. A counter that has not gone up says that the passkey may
// have been copied.
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
		return nil, fmt.Errorf("keep a passkey: %w", err)
	}
	passkeys := slices.Clone(owner.passkeys)
	passkeys[at].UsedTime, passkeys[at].Record = now, record
	return passkeys, nil
}
