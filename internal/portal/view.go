// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"time"

	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/portal/store"
)

// invitationPage is the page on which the invited person accepts an invitation.
type invitationPage struct {
	offerView
	// Expires is nil if the invitation does not expire.
	Expires   *time.Time
	Form      form
	Proposals []string
	Problems  []problem
	MinLength int
	// Path is the address of the page. Base is the path that the portal is mounted
	// at. Qualifier is the suffix of user names.
	Path, Base, Qualifier string
	Other                 otherView
	SignedIn              signedInView
	Enrol                 enrolView
}

// Problem returns the text of a field's problem, or "".
func (i invitationPage) Problem(field string) string { return textOf(i.Problems, field) }

// donePage tells the new member that the account is ready.
type donePage struct {
	offerView
	UserName, KubernetesUser string
	// Existing means that the person had the account before and is signed in.
	Existing bool
	// Codes are the recovery codes of a second factor that was set up with the
	// account. No other page shows them.
	Codes []string
	// Base is the path that the portal is mounted at.
	Base string
}

// offerView describes what an invitation offers.
type offerView struct {
	By, Organization, Role, Email string
	Abilities                     []membership.Ability
}

func viewOf(seen store.LinkView) offerView {
	role, _ := seen.Organization.Role(seen.Role())
	return offerView{
		By:           inviter(seen),
		Organization: organizationTitle(seen),
		Role:         string(role.Title()),
		Email:        string(seen.Invitation.Spec.Email),
		Abilities:    membership.Abilities(seen.Offer),
	}
}
