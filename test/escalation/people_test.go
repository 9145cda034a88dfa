// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	home      = "acme" // the Organization, and its home namespace
	staging   = "acme-staging"
	otherHome = "globex" // another tenant, of the same legal entity
)

// actor is a user who tries the attempts.
type actor struct {
	name   string
	user   string
	groups []string
	// member is the name of the actor's Membership of acme and of the Account; empty
	// means none.
	member string
	api    client.Client
}

// The actors. All except the last two have their rights from Usher, or from a
// ClusterRoleBinding to cluster-admin. The clerk and the impostor have many rights
// from RBAC alone that Usher never gives. For their requests, a policy must refuse
// what RBAC allows.
var (
	clusterAdmin = &actor{name: "cluster admin", user: "root"}
	owner        = &actor{name: "owner", user: userOf("ada"), member: "ada"}
	manager      = &actor{name: "manager", user: userOf("max"), member: "max"}
	member       = &actor{name: "member", user: userOf("mia"), member: "mia"}
	guest        = &actor{name: "guest", user: userOf("gus"), member: "gus"}
	outsider     = &actor{name: "outsider", user: userOf("oscar")} // the owner of globex
	clerk        = &actor{name: "clerk", user: "clara"}
	impostor     = &actor{
		name: "impostor", user: "system:serviceaccount:acme:usher-controller",
		groups: []string{"system:serviceaccounts", "system:serviceaccounts:acme"},
	}

	// portal writes people's answers.
	portal = &actor{name: "portal", user: "system:serviceaccount:usher-system:usher-portal"}

	actors  = []*actor{clusterAdmin, owner, manager, member, guest, outsider, clerk, impostor}
	members = []*actor{owner, manager, member, guest}
	tenants = []*actor{owner, manager, member, guest, outsider, clerk, impostor}
)

// pools are the accomplices, who accept everything that is offered to them. Each
// accepted attempt uses one up until everything is restored.
var pools = map[string][]string{
	"member":   numbered("moe", 16),   // developers
	"denied":   numbered("dan", 6),    // developers who are denied deploy
	"guest":    numbered("gil", 10),   // guests
	"outsider": numbered("olive", 16), // with an Account, and no Membership
	"invited":  numbered("ivy", 8),    // with an Account, and invited to be an owner
	"widened":  numbered("acme-widened", 4),
}

func numbered(prefix string, n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("%s-%d", prefix, i+1))
	}
	return names
}

func userOf(account string) string { return "usher:" + account }

func emailOf(person string) string { return person + "@example.com" }

func personOf(email string) string { return email[:len(email)-len("@example.com")] }

// watched returns the users whose rights are measured, with their groups, by user
// name. These are all actors, every accomplice that was used, and one unused
// accomplice of each pool.
func watched(used map[string]bool) map[string][]string {
	found := map[string][]string{
		userOf("otto"): {"system:authenticated"}, "mallory": {"system:authenticated"},
	}
	for _, who := range tenants {
		found[who.user] = who.inGroups()
	}
	for _, pool := range []string{"member", "denied", "guest", "outsider", "invited"} {
		idle := false
		for _, person := range pools[pool] {
			if used[person] || !idle {
				found[userOf(person)] = []string{"system:authenticated"}
			}
			idle = idle || !used[person]
		}
	}
	return found
}

func (a *actor) inGroups() []string { return append([]string{"system:authenticated"}, a.groups...) }

// reach gives the actor a client that impersonates exactly this user.
func (a *actor) reach() {
	GinkgoHelper()
	config := kube.Admin()
	config.QPS = -1
	config.Impersonate = rest.ImpersonationConfig{UserName: a.user, Groups: a.inGroups()}
	var err error
	a.api, err = client.New(config, client.Options{Scheme: kube.Scheme})
	Expect(err).NotTo(HaveOccurred())
}
