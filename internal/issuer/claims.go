// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"slices"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/session"
)

// scopeGroups asks for the claim groups.
const scopeGroups = "groups"

// claimEmailVerified is true only if the person proved that they receive mail at the
// address.
const claimEmailVerified = "email_verified"

// The claims that OpenID Connect does not define.
const (
	// claimGroups lists what the person belongs to: see Groups.
	claimGroups = "groups"
	// claimGroupsOmitted counts the groups beyond MostGroups. It is absent if there are
	// none.
	claimGroupsOmitted = "groups_omitted"
)

// MostGroups is the maximum number of entries in the claim groups. An ID token with that
// many still fits into the header of a request.
const MostGroups = 100

// scopes returns the scopes that the issuer knows.
func scopes() []string {
	return []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail, scopeGroups, session.ScopeOffline}
}

// granted returns the scopes of a request that the issuer knows, each once, in the order of
// scopes. It ignores others (OpenID Connect Core 1.0, section 3.1.2.1).
func granted(asked []string) []string {
	return slices.DeleteFunc(scopes(), func(scope string) bool { return !slices.Contains(asked, scope) })
}

func claimNames() []string {
	return []string{
		"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "amr", "azp", "at_hash",
		"name", "given_name", "family_name", "preferred_username", "email", claimEmailVerified, claimGroups, claimGroupsOmitted,
	}
}

// userInfo returns the claims about a member that the scopes allow.
func userInfo(m *store.Member, scopes []string) *oidc.UserInfo {
	spec := m.Account.Spec
	info := &oidc.UserInfo{Subject: string(m.Account.UID)}
	if slices.Contains(scopes, oidc.ScopeProfile) {
		info.UserInfoProfile = oidc.UserInfoProfile{
			PreferredUsername: m.Account.Name,
			GivenName:         string(spec.GivenName), FamilyName: string(spec.FamilyName),
			Name: strings.TrimSpace(string(spec.GivenName) + " " + string(spec.FamilyName)),
		}
	}
	if slices.Contains(scopes, oidc.ScopeEmail) {
		info.Email = string(spec.Email)
		// The library omits the claim if it is false. Some verifiers, such as the API server,
		// believe an address without it.
		info.AppendClaims(claimEmailVerified, m.Account.EmailVerified())
	}
	if slices.Contains(scopes, scopeGroups) {
		groups, omitted := Groups(m.Belongings)
		info.AppendClaims(claimGroups, groups)
		if omitted > 0 {
			info.AppendClaims(claimGroupsOmitted, omitted)
		}
	}
	return info
}

// Groups returns what a person belongs to: <organization>:<role> for each Membership that
// is active, and the groups of the grants in force. They are sorted, and the first
// MostGroups of them are returned, with the number of the others.
//
// A Membership that Usher has not reconciled since it was changed gives none: it could have
// fewer rights now. Neither does a change that is older than Usher's policies.
func Groups(belongings []account.Belonging) (groups []string, omitted int) {
	groups = []string{}
	for _, b := range belongings {
		m := b.Membership
		if !isCurrent(m) {
			continue
		}
		groups = append(groups, b.Organization.Name+":"+string(m.Spec.Role))
		for _, g := range m.Status.Grants {
			if g.Group != "" && g.State == accountsv1.GrantInForce {
				groups = append(groups, g.Group)
			}
		}
	}
	slices.Sort(groups)
	groups = slices.Compact(groups)
	kept := groups[:min(len(groups), MostGroups)]
	return kept, len(groups) - len(kept)
}

func isCurrent(m *accountsv1.Membership) bool {
	s := m.Status
	return s.State == accountsv1.MembershipActive && m.Spec.State != accountsv1.MembershipSwitchSuspended && m.DeletionTimestamp == nil &&
		s.ObservedGeneration != nil && *s.ObservedGeneration == m.Generation && s.Guard.Generation < m.Generation
}
