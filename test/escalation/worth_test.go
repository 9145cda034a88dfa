// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// namespaces are what the resources of acme stand for.
var namespaces = map[string]string{"home": home, "staging": staging}

// neverGiven are the permissions that the catalogue names and nobody gets.
var neverGiven = []string{"everything", "escalating", "statuses"}

// baseline is what everybody may do before anything is tried.
var baseline census

// worth is what a permission on a resource lets people do.
var worth = map[granted]holdings{}

// worthUser is somebody who has one permission on one resource, by hand.
func worthUser(g granted) string { return "worth:" + g.permission + ":" + g.resource }

// takeBaseline measures what there is before anything is tried.
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
			if g.resource != "home" { // what manages people is given at home alone
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
		Expect(worthOf(g.role).without(baseline[g.who.user])).To(BeEmpty(), "%s has what the role says", g.who.name)
		Expect(baseline[g.who.user].without(worthOf(g.role))).To(BeEmpty(), "%s has nothing else", g.who.name)
		Expect(worthOf(g.role)).NotTo(BeEmpty(), g.role)
	}
}

// worthOf is what a role grants, with permissions that are allowed on top.
func worthOf(role string, allowed ...granted) holdings {
	has := holdings{}
	for _, g := range append(allowed, roleGrants[role]...) {
		has = union(has, worth[g])
	}
	if role == "guest" {
		return has.unmanaged()
	}
	return has
}

// catalogueWorth is all that the catalogue has to give, but for what manages
// people.
func catalogueWorth() holdings {
	all := holdings{}
	for _, role := range roleGrants {
		for _, g := range role {
			all = union(all, worth[g].unmanaged())
		}
	}
	for permission := range permissions { // somebody may be allowed any of them, on any resource
		for resource := range namespaces {
			all = union(all, worth[granted{permission, resource}].unmanaged())
		}
	}
	return all
}

func split(list string) []string { return strings.Split(list, ",") }
