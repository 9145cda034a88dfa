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
	Link     invitation.Link
	Standing invitation.Standing
	Keys     invitation.Keyring
}

// at is the same view at another time.
func (s LinkView) at(now time.Time) LinkView {
	s.Standing = s.Check(s.Link, s.Keys, now)
	return s
}

// GuessesSpent tells whether no code can be tried any more.
func (s LinkView) GuessesSpent() bool { return s.Invitation.Status.Guesses >= invitation.MostGuesses }

// Qualifier follows the user names that are chosen here; empty: none does.
func (s LinkView) Qualifier() string { return s.Organization.Spec.Qualifier }

// Refuses tells why a person cannot accept with the account that they have, or
// are about to have; Continue: they can.
func (s LinkView) Refuses(m *Member) Outcome {
	switch {
	case !s.accepts(m.Account.Spec.Email):
		return AddressRefused
	case !organization.MayJoin(s.Organization, m.Organizations()):
		return CompanyRefused
	case s.FactorRequired() && !m.Credentials.HasSecondFactor():
		return FactorMissing
	}
	return Continue
}

// FactorRequired tells whether a member must have a second factor.
func (s LinkView) FactorRequired() bool {
	return s.Organization.Spec.SignIn.TwoFactor == accountsv1.TwoFactorRequired
}

// Pending is the other address that a code was mailed to which still counts.
func (s LinkView) Pending(now time.Time) (accountsv1.OtherAddress, bool) {
	other := s.Invitation.Status.OtherAddress
	return other, s.AnyAddress() && other.Given() && now.Before(other.RequestTime.Add(invitation.CodeValidity))
}

// accepts tells whether an account of that address, which is known to be its
// owner's, may accept: the invited one, or another that the Organization takes.
func (s LinkView) accepts(email accountsv1.EmailAddress) bool {
	return s.MayAccept(email) && (address.Same(string(email), string(s.Invitation.Spec.Email)) || s.Allows(string(email)))
}

// Allows tells whether the Organization takes addresses of that domain.
func (s LinkView) Allows(email string) bool {
	return invitation.AddressRules(s.Organization).Check(email) == nil
}

// AnyAddress tells whether another address than the invited one will do.
func (s LinkView) AnyAddress() bool { return s.AddressMatch() == accountsv1.AddressMatchAnyAddress }
