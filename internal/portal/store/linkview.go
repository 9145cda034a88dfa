// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/organization"
)

// LinkView is an Invitation as the holder of a link sees it at one moment.
type LinkView struct {
	invitation.Offer
	Link   invitation.Link
	Status invitation.LinkStatus
	Keys   invitation.Keyring
}

// at returns the same view at another time.
func (s LinkView) at(now time.Time) LinkView {
	s.Status = s.Check(s.Link, s.Keys, now)
	return s
}

// GuessesSpent reports whether no more codes can be tried.
func (s LinkView) GuessesSpent() bool { return s.Invitation.Status.Guesses >= invitation.MostGuesses }

// Qualifier returns the suffix of user names that are chosen here. Empty means none.
func (s LinkView) Qualifier() string { return s.Organization.Spec.Qualifier }

// Refuses returns why a person cannot accept with the account that they have or are about
// to create. Continue means that they can.
func (s LinkView) Refuses(m *Member) Outcome {
	switch {
	case !s.accepts(m.Account.Spec.Email):
		return AddressRefused
	case !s.ProvedTo(m.Account):
		return AddressUnverified
	case !organization.MayJoin(s.Organization, m.Organizations()):
		return LegalEntityRefused
	case s.FactorRequired() && !m.Credentials.HasSecondFactor():
		return FactorMissing
	}
	return Continue
}

// FactorRequired reports whether a member must have a second factor.
func (s LinkView) FactorRequired() bool {
	return s.Organization.Spec.SignIn.TwoFactor == accountsv1.TwoFactorRequired
}

// Pending returns the other address that a code was mailed to, and reports whether that
// code is still valid.
func (s LinkView) Pending(now time.Time) (accountsv1.OtherAddress, bool) {
	other := s.Invitation.Status.OtherAddress
	return other, s.AnyAddress() && other.Given() && now.Before(other.RequestTime.Add(invitation.CodeValidity))
}

// accepts reports whether an account with that address may accept. The caller must know
// that the address belongs to the account's owner. It must be the invited address, or
// another one that the Organization allows.
func (s LinkView) accepts(email accountsv1.EmailAddress) bool {
	return s.FitsAddress(email) && (address.Same(string(email), string(s.Invitation.Spec.Email)) || s.Allows(string(email)))
}

// Allows reports whether the Organization allows addresses of that domain.
func (s LinkView) Allows(email string) bool {
	return invitation.AddressRules(s.Organization).Check(email) == nil
}

// AnyAddress reports whether the person may accept with an address other than the invited
// one.
func (s LinkView) AnyAddress() bool { return s.AddressMatch() == accountsv1.AddressMatchAnyAddress }
