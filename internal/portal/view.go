// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"strings"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/membership"
)

// invitationPage is the page on which somebody accepts an invitation.
type invitationPage struct {
	offerView
	// Expires is nil where the invitation does not.
	Expires   *time.Time
	Form      form
	Proposals []string
	Problems  []problem
	MinLength int
	// Path is the address of the page, and Qualifier what follows user names.
	Path, Qualifier string
	Other           otherView
	// SignInSpent: nobody can sign in with this link any more.
	SignInSpent bool
}

// Problem is the text of a field's problem, or empty.
func (i invitationPage) Problem(field string) string { return textOf(i.Problems, field) }

// donePage says that the account is ready.
type donePage struct {
	offerView
	UserName, KubernetesUser string
	// Existing: the person had the account before.
	Existing bool
}

// offerView is what an invitation offers, in words.
type offerView struct {
	By, Organization, Role, Email string
	Abilities                     []ability
}

// ability is a permission and what it is for, as people read them.
type ability struct {
	Permission string
	Resources  []string
}

// Places are what the permission is for, in one line.
func (a ability) Places() string { return strings.Join(a.Resources, ", ") }

func viewOf(seen sight) offerView {
	role, _ := seen.Organization.Role(seen.Role())
	return offerView{
		By:           inviter(seen),
		Organization: organizationTitle(seen),
		Role:         string(role.Title()),
		Email:        string(seen.Invitation.Spec.Email),
		Abilities:    abilities(seen, role),
	}
}

// abilities are what the person will be able to do: the role's grants and the
// Membership's overrides, as far as the catalogue knows them.
func abilities(seen sight, role accountsv1.Role) []ability {
	permissions, resources := map[accountsv1.CatalogueName]string{}, map[accountsv1.CatalogueName]string{}
	for _, p := range seen.Organization.Spec.Permissions {
		permissions[p.Name] = titleOr(p.DisplayName, p.Name)
	}
	for _, r := range seen.Organization.Spec.Resources {
		resources[r.Name] = titleOr(r.DisplayName, r.Name)
	}
	var overrides []accountsv1.PermissionOverride
	if seen.Membership != nil {
		overrides = seen.Membership.Spec.Permissions
	}
	var list []ability
	var last accountsv1.CatalogueName
	for _, pair := range membership.Effective(role, overrides) {
		permission, known := permissions[pair.Permission]
		resource, knownToo := resources[pair.Resource]
		if !known || !knownToo {
			continue
		}
		if pair.Permission != last {
			list = append(list, ability{Permission: permission})
			last = pair.Permission
		}
		current := &list[len(list)-1]
		current.Resources = append(current.Resources, resource)
	}
	return list
}

func titleOr(title accountsv1.DisplayText, name accountsv1.CatalogueName) string {
	if title != "" {
		return string(title)
	}
	return string(name)
}
