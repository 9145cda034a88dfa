// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/sanitize"
)

// longestExcess is the maximum length in characters of a reported rule.
const longestExcess = 120

// ClusterRole describes a ClusterRole that a catalogue names.
type ClusterRole struct {
	// Exists reports whether the ClusterRole exists.
	Exists bool
	// Bindable reports whether Usher's permissions allow it to bind the ClusterRole.
	Bindable bool
	// Excess names a power in it that Usher never grants, such as "escalate on
	// clusterroles"; empty: none.
	Excess string
	// Manages reports whether it lets its subjects manage the people of an
	// Organization.
	Manages bool
	// ManagesAtHome reports whether it does so if it is bound in a home namespace,
	// for example because its subjects can read the links of invitations there.
	// It is true of every ClusterRole that manages.
	ManagesAtHome bool
}

// Inspect evaluates the rules of a ClusterRole that exists. The order of the rules does
// not matter. Resource names in a rule narrow nothing, because an object can be created
// with that name later.
func Inspect(rules []rbacv1.PolicyRule) ClusterRole {
	role := ClusterRole{Exists: true}
	var found []string
	for _, rule := range rules {
		found = append(found, wildcards(&rule)...)
		for _, p := range forbiddenPowers {
			found = append(found, p.heldBy(&rule)...)
		}
		role.Manages = role.Manages || managesPeople(&rule)
		role.ManagesAtHome = role.ManagesAtHome || managesPeopleAtHome(&rule)
	}
	if len(found) > 0 {
		role.Excess = sanitize.Shorten(sanitize.SingleLine(slices.Min(found)), longestExcess)
	}
	return role
}

// wildcards returns the wildcards of a rule. What they cover can grow.
func wildcards(rule *rbacv1.PolicyRule) (found []string) {
	if slices.Contains(rule.Verbs, rbacv1.VerbAll) {
		found = append(found, "the verb *")
	}
	if slices.Contains(rule.APIGroups, rbacv1.APIGroupAll) {
		found = append(found, "the API group *")
	}
	for _, resource := range rule.Resources {
		if resource == rbacv1.ResourceAll || strings.HasPrefix(resource, "*/") {
			found = append(found, "the resource "+resource)
		}
	}
	for _, url := range rule.NonResourceURLs {
		prefix, wild := strings.CutSuffix(url, rbacv1.NonResourceAll)
		if prefix = strings.TrimRight(prefix, "*"); wild && (prefix == "" || prefix == "/") {
			found = append(found, "the URL "+rbacv1.NonResourceAll)
		}
	}
	return found
}

// power is something that a rule can allow: any of the verbs on any of the resources of
// any of the groups.
type power struct {
	group, resource, verb func(string) bool
}

// forbiddenPowers holds the powers, apart from wildcards, that Usher never grants. Each is a
// way to more than the rule itself allows.
var forbiddenPowers = []power{
	{group: is(rbacv1.GroupName), resource: is("roles", "clusterroles"), verb: is("bind", "escalate")},
	// The built-in ClusterRole edit lets its subjects act as the service accounts of a
	// namespace.
	{group: is(""), resource: not(is("serviceaccounts")), verb: is("impersonate")},
	{group: not(is("")), resource: anyValue, verb: is("impersonate")},
	{group: anyValue, resource: anyValue, verb: constrainedImpersonation},
	{group: is("certificates.k8s.io"), resource: is("signers"), verb: is("approve", "attest", "sign")},
	{group: is(accountsv1.GroupVersion.Group), resource: writtenByUsherOnly, verb: not(reads)},
	{group: is(accountsv1.GroupVersion.Group), resource: anyValue, verb: is("answer")},
}

// heldBy describes how a rule allows the power, such as "bind on roles". It names the
// first verb and the first resource that match.
func (p power) heldBy(rule *rbacv1.PolicyRule) []string {
	verbs, resources := matching(rule.Verbs, p.verb), matching(rule.Resources, p.resource)
	if len(verbs) == 0 || len(resources) == 0 || !slices.ContainsFunc(rule.APIGroups, p.group) {
		return nil
	}
	return []string{slices.Min(verbs) + " on " + slices.Min(resources)}
}

func matching(names []string, match func(string) bool) []string {
	return slices.DeleteFunc(slices.Clone(names), not(match))
}

// managesPeople reports whether a rule allows writing any of Usher's resources.
func managesPeople(rule *rbacv1.PolicyRule) bool {
	return len(rule.Resources) > 0 && slices.ContainsFunc(rule.Verbs, not(reads)) &&
		slices.ContainsFunc(rule.APIGroups, is(accountsv1.GroupVersion.Group, rbacv1.APIGroupAll))
}

// managesPeopleAtHome reports whether a rule lets its subjects manage people if it holds
// in a home namespace. Plain reading does not. Everything else can:
//
//   - With the Secrets, subjects read the links of invitations, and accept in place of an
//     owner. Or they change the credentials with which the Organization sends mail.
//   - With a token of a service account, they have its rights, which can be an owner's. So
//     they have if they can run code in a Pod that uses the service account.
//   - There is no complete list of what runs Pods or writes Secrets: custom resources do,
//     too. So every write counts, and not only a write to resources of Kubernetes.
//   - Who deletes or relabels the namespace removes its people, or changes what
//     selectors cover.
func managesPeopleAtHome(rule *rbacv1.PolicyRule) bool {
	if len(rule.Verbs) == 0 || len(rule.APIGroups) == 0 || len(rule.Resources) == 0 {
		return false
	}
	return slices.ContainsFunc(rule.Verbs, not(reads)) ||
		slices.ContainsFunc(rule.APIGroups, is("", rbacv1.APIGroupAll)) && slices.ContainsFunc(rule.Resources, revealsOrRuns)
}

// revealsOrRuns reports whether reading a resource of the core group is more than that: it
// reveals credentials, or connects to a Pod. Each of these resources takes commands by
// GET requests, too.
func revealsOrRuns(resource string) bool {
	return strings.Contains(resource, rbacv1.ResourceAll) ||
		is("secrets", "pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy")(resource)
}

var reads = is("get", "list", "watch")

// writtenByUsherOnly reports whether only Usher and cluster admins write a resource.
func writtenByUsherOnly(resource string) bool {
	kind, sub, _ := strings.Cut(resource, "/")
	return is("accounts", "organizations")(kind) || is("status", "finalizers")(sub)
}

// constrainedImpersonation reports whether a verb is one of KEP-5284, such as
// impersonate:user-info and impersonate-on:user-info:list.
func constrainedImpersonation(verb string) bool {
	return strings.HasPrefix(verb, "impersonate:") || strings.HasPrefix(verb, "impersonate-on:")
}

func anyValue(string) bool { return true }

func is(names ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(names, s) }
}

func not(f func(string) bool) func(string) bool {
	return func(s string) bool { return !f(s) }
}
