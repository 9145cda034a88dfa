// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
)

// power is an action: a verb on a resource, in a namespace or in all. A subresource
// and an object name are set if they matter.
type power struct {
	verb, group, resource, subresource, name, namespace string
}

func (p power) String() string {
	where := "everywhere"
	if p.namespace != "" {
		where = "in " + p.namespace
	}
	what := p.resource
	for _, part := range []string{p.subresource, p.name} {
		if part != "" {
			what += "/" + part
		}
	}
	return strings.Join([]string{p.verb, what, where}, " ")
}

// manages reports whether the power is one over people. In a home namespace, a person
// can come to manage people with every power except plain reading.
func (p power) manages() bool {
	reads := isOneOf(p.verb, "get", "list", "watch") && p.resource != "secrets" && p.subresource == ""
	return p.group == accountsGroup && !reads || !reads && isOneOf(p.namespace, home, otherHome)
}

const (
	accountsGroup = "accounts.usher.dev"
	rbacGroup     = "rbac.authorization.k8s.io"
	// widgetsGroup is the API group of resources that only the ClusterRoles of these
	// specs name.
	widgetsGroup = "example.com"
)

// powers are all powers that the specs ask about.
var powers = listPowers()

func listPowers() []power {
	var list []power
	for _, namespace := range []string{home, staging, otherHome, "kube-system"} {
		list = append(list,
			power{"create", accountsGroup, "memberships", "", "", namespace},
			power{"update", accountsGroup, "memberships", "status", "", namespace},
			power{"assign", accountsGroup, "roles", "", "owner", namespace},
			power{"create", rbacGroup, "rolebindings", "", "", namespace},
			power{"get", "", "secrets", "", "", namespace},
			power{"get", "", "pods", "", "", namespace},
			power{"create", "", "pods", "", "", namespace},
			power{"create", "", "serviceaccounts", "token", "", namespace},
			power{"update", "", "configmaps", "", "usher-mail-templates", namespace},
		)
	}
	for _, namespace := range []string{home, otherHome} {
		list = append(list,
			power{"list", accountsGroup, "memberships", "", "", namespace},
			power{"get", "", "pods", "exec", "", namespace},
			power{"create", "", "pods", "exec", "", namespace},
			power{"create", "", "pods", "portforward", "", namespace},
			power{"update", "", "secrets", "", "usher-credentials", namespace},
			power{"impersonate", "", "serviceaccounts", "", "", namespace},
			power{"create", "apps", "deployments", "", "", namespace},
			power{"create", "batch", "cronjobs", "", "", namespace},
		)
	}
	list = append(list,
		power{"delete", accountsGroup, "memberships", "", "", home},
		power{"create", accountsGroup, "invitations", "", "", home},
		power{"update", accountsGroup, "invitations", "status", "", home},
		power{"update", accountsGroup, "memberships", "finalizers", "", home},
		power{"assign", accountsGroup, "roles", "", "developer", home},
		power{"assign", accountsGroup, "permissions", "", "own", home},
		power{"answer", accountsGroup, "invitations", "", "", home},
		power{"bind", rbacGroup, "clusterroles", "", "", home},
		power{"escalate", rbacGroup, "roles", "", "", home},
		power{"get", "", "secrets", "", "", "usher-system"},
		power{"get", "", "secrets", "", "usher-issuer-keys", "usher-system"},
		power{"update", "", "secrets", "", "usher-issuer-keys", "usher-system"},
		power{"get", "", "secrets", "", "", "usher-accounts"},
	)
	for _, verb := range []string{"get", "list", "create"} {
		list = append(list, power{verb, widgetsGroup, "widgets", "", "", staging})
	}
	return append(list,
		power{"escalate", rbacGroup, "clusterroles", "", "", staging},
		power{"impersonate", "", "users", "", "", ""},
		power{"create", accountsGroup, "memberships", "", "", ""},
		power{"update", accountsGroup, "organizations", "", "", ""},
		power{"update", accountsGroup, "organizations", "status", "", ""},
		power{"update", accountsGroup, "accounts", "", "", ""},
		power{"update", accountsGroup, "accounts", "status", "", ""},
		power{"update", rbacGroup, "clusterroles", "", "", ""},
		power{"create", rbacGroup, "clusterrolebindings", "", "", ""},
		power{"delete", "admissionregistration.k8s.io", "validatingadmissionpolicies", "", "", ""},
	)
}

// holdings are the powers that a user has.
type holdings map[power]bool

func union(of ...holdings) holdings {
	all := holdings{}
	for _, h := range of {
		maps.Copy(all, h)
	}
	return all
}

// unmanaged returns the holdings without powers over people.
func (h holdings) unmanaged() holdings {
	rest := maps.Clone(h)
	maps.DeleteFunc(rest, func(p power, _ bool) bool { return p.manages() })
	return rest
}

// without returns the powers that are in h but not in other.
func (h holdings) without(other holdings) []power {
	var more []power
	for _, p := range powers {
		if h[p] && !other[p] {
			more = append(more, p)
		}
	}
	return more
}

// census holds the powers of all watched users, by user name.
type census map[string]holdings

// askers is the number of questions asked at a time.
const askers = 8

// takeCensus asks the API server for the rights of the given users.
func takeCensus(ctx context.Context, people map[string][]string) census {
	GinkgoHelper()
	type question struct {
		user string
		power
	}
	questions := make(chan question)
	var mu sync.Mutex
	var failed error
	found := census{}
	for user := range people {
		found[user] = holdings{}
	}
	var asking sync.WaitGroup
	for range askers {
		asking.Go(func() {
			for q := range questions {
				allowed, err := may(ctx, q.user, people[q.user], q.power)
				mu.Lock()
				if failed = errors.Join(failed, err); allowed {
					found[q.user][q.power] = true
				}
				mu.Unlock()
			}
		})
	}
	for user := range people {
		for _, p := range powers {
			questions <- question{user, p}
		}
	}
	close(questions)
	asking.Wait()
	Expect(failed).NotTo(HaveOccurred())
	return found
}

func may(ctx context.Context, user string, groups []string, p power) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, Groups: groups,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: p.verb, Group: p.group, Resource: p.resource, Subresource: p.subresource, Name: p.name, Namespace: p.namespace,
		},
	}}
	err := admin.Create(ctx, review)
	return review.Status.Allowed, err
}
