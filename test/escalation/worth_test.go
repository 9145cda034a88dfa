// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// namespaces are the namespaces of acme's resources that the specs watch, by resource.
var namespaces = map[string][]string{
	"home": {home}, "staging": {staging}, "neighbour": {otherHome}, "everywhere": {home, staging, otherHome},
}

// neverGiven are the permissions that are in the catalogue, but that no user gets.
var neverGiven = []string{"everything", "escalating", "statuses"}

// baseline holds what all watched users may do before the attempts.
var baseline census

// worth holds the powers that a permission on a resource gives.
var worth = map[granted]holdings{}

// worthUser returns the name of a user who has one permission on one resource by a
// plain RoleBinding.
func worthUser(g granted) string { return "worth:" + g.permission + ":" + g.resource }

// takeBaseline measures the rights before the attempts.
func takeBaseline(ctx context.Context) {
	GinkgoHelper()
	users := map[string][]string{}
	for permission := range permissions {
		for resource := range namespaces {
			users[worthUser(granted{permission, resource})] = []string{"system:authenticated"}
		}
	}
	measured := takeCensus(ctx, users)
	for permission := range permissions {
		for resource := range namespaces {
			g := granted{permission, resource}
			worth[g] = measured[worthUser(g)]
			if g.resource != "home" { // powers over people are given only in the home namespace
				worth[g] = worth[g].unmanaged()
			}
		}
	}
	everybody := map[string]bool{}
	for _, pool := range pools {
		for _, person := range pool {
			everybody[person] = true
		}
	}
	baseline = takeCensus(ctx, watched(everybody))
	Expect(baseline[owner.user].without(worthOf("owner"))).To(BeEmpty())
	for _, g := range []struct {
		who  *actor
		role string
	}{{owner, "owner"}, {manager, "manager"}, {member, "developer"}, {guest, "guest"}} {
		Expect(worthOf(g.role).without(baseline[g.who.user])).To(BeEmpty(), "%s has what the role grants", g.who.name)
		Expect(baseline[g.who.user].without(worthOf(g.role))).To(BeEmpty(), "%s has nothing else", g.who.name)
		Expect(worthOf(g.role)).NotTo(BeEmpty(), g.role)
	}
}

// worthOf returns the powers that a role grants, together with permissions that are
// allowed on top. What is allowed on top never includes powers over people.
func worthOf(role string, allowed ...granted) holdings {
	has := holdings{}
	for _, g := range roleGrants[role] {
		has = union(has, worth[g])
	}
	for _, g := range allowed {
		has = union(has, worth[g].unmanaged())
	}
	if role == "guest" {
		return has.unmanaged()
	}
	return has
}

// catalogueWorth returns all powers that the catalogue can give, except those over
// people.
func catalogueWorth() holdings {
	all := holdings{}
	for _, role := range roleGrants {
		for _, g := range role {
			all = union(all, worth[g].unmanaged())
		}
	}
	for permission := range permissions { // an override can allow any of them, on any resource
		for resource := range namespaces {
			all = union(all, worth[granted{permission, resource}].unmanaged())
		}
	}
	return all
}

func split(list string) []string { return strings.Split(list, ",") }
