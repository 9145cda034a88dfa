// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package organization decides what an Organization needs next and reports whether its
// home namespace and its catalogue are valid. It is pure: it imports neither a client
// nor net/http, and time is an argument.
package organization

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/condition"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/guard"
)

const (
	// recheck is how long to wait before ClusterRoles are checked again, because
	// Usher's own permissions can change without an event.
	recheck = time.Minute
	// recount is how long to wait before the progress of a rollout is counted again.
	recount = time.Second
	// mostCovered is the maximum number of namespaces listed for a resource.
	mostCovered = 20
)

// Facts holds everything that decides about an Organization.
type Facts struct {
	// Now is the time of this reconciliation.
	Now time.Time
	// Organization to decide about.
	Organization *accountsv1.Organization
	// HomeTaken names the older Organization that holds the same home namespace; empty
	// if there is none.
	HomeTaken string
	// Namespace is the home namespace; nil if it does not exist.
	Namespace *corev1.Namespace
	// ClusterRoles that the catalogue names, by name.
	ClusterRoles map[string]grant.ClusterRole
	// Own is Usher's own namespace, which no grant ever reaches.
	Own string
	// Namespaces that exist.
	Namespaces []corev1.Namespace
	// Guard is the state of the policies that Usher is installed with.
	Guard guard.State
	// Seats is the wanted list of seats of the Organization.
	Seats accountsv1.SeatsStatus
	// Owners is the wanted list of owners of the Organization.
	Owners []accountsv1.OwnerStatus
	// FounderMemberships are the existing Memberships in the home namespace with the names of the
	// UnrecordedFounders.
	FounderMemberships []accountsv1.Membership
	// Rollout is the progress of a change of the catalogue; zero: it is complete.
	Rollout accountsv1.RolloutStatus
	// Mail is the fault in the Organization's own mail settings; zero: none.
	Mail MailFault
	// MailHeld is the number of people whose mail is held because their invitations were
	// restored without a status.
	MailHeld int
	// QuotaReached reports whether invitations wait for the quota of the Organization.
	QuotaReached bool
	// BindingsLeft reports whether RoleBindings for members still exist. It is read
	// only while the Organization is being deleted.
	BindingsLeft bool
}

// MailFault is a fault in the Organization's own mail settings.
type MailFault struct {
	// Reason is a reason of the condition MailValid; empty: there is no fault.
	Reason string
	// Message says what to do, in a sentence.
	Message string
}

// Plan holds what to do next, in this order.
type Plan struct {
	// AddFinalizer before anything is created that must be removed again.
	AddFinalizer bool
	// CreateNamespace creates the home namespace.
	CreateNamespace bool
	// CreateFounders holds the Memberships of the first owners to create, and to record
	// afterwards.
	CreateFounders []accountsv1.Membership
	// RecordFounders holds the founders whose Memberships already exist, to record.
	RecordFounders []accountsv1.CatalogueName
	// RemoveFinalizer once nothing is left.
	RemoveFinalizer bool
	// After is the time to the next reconciliation if no event happens before. 0: none
	// is needed.
	After time.Duration
}

// Decide returns what to do next.
func Decide(f Facts) Plan {
	org := f.Organization
	hasFinalizer := slices.Contains(org.Finalizers, accountsv1.Finalizer)
	if org.DeletionTimestamp != nil {
		return Plan{RemoveFinalizer: hasFinalizer && !f.BindingsLeft}
	}
	plan := Plan{AddFinalizer: !hasFinalizer, CreateNamespace: f.Namespace == nil && f.HomeTaken == ""}
	plan.CreateFounders, plan.RecordFounders = f.founders()
	switch {
	case f.Rollout.Members != 0:
		plan.After = recount
	case len(f.Guard.Missing) > 0:
		plan.After = guard.SettleTime
	case len(f.ClusterRoles) > 0:
		plan.After = recheck
	}
	return plan
}

// Report returns the status of the Organization.
func Report(f Facts) accountsv1.OrganizationStatus {
	generation := f.Organization.Generation
	c := condition.New(f.Now, generation, f.Organization.Status.Conditions)
	namespaceReason, namespaceMessage := f.namespace()
	catalogueReason, catalogueMessage := f.catalogue()
	switch {
	case f.Organization.DeletionTimestamp != nil:
		c.Reconciling(accountsv1.ReasonDeleting, "The Organization is being deleted; the access of its members is being withdrawn.")
	case namespaceReason == accountsv1.ReasonNamespaceTaken:
		c.Stalled(namespaceReason, namespaceMessage)
	case namespaceReason != "":
		c.Reconciling(namespaceReason, namespaceMessage)
	case catalogueReason != "":
		c.Stalled(catalogueReason, catalogueMessage)
	case len(f.Guard.Missing) > 0:
		c.Stalled(accountsv1.ReasonPoliciesMissing, f.policies())
	case f.Mail.Reason != "":
		c.Stalled(f.Mail.Reason, f.Mail.Message)
	case len(f.waitingFounders()) > 0:
		c.Reconciling(accountsv1.ReasonFounderNameTaken,
			"Memberships with the names of these founders are being deleted. Usher creates the founders afterwards: "+joinNames(f.waitingFounders())+".")
	case f.Rollout.Members != 0:
		c.Reconciling(accountsv1.ReasonRollingOut, "A change of the catalogue is being rolled out to the members; status.rollout shows the progress.")
	default:
		c.Ready(accountsv1.ReasonReconciled, "The home namespace exists and everything in the catalogue can be granted.")
	}
	c.Either(accountsv1.ConditionNamespaceReady, namespaceReason == "", accountsv1.ReasonReconciled, namespaceReason,
		cmp.Or(namespaceMessage, "The home namespace exists."))
	c.Either(accountsv1.ConditionCatalogueValid, catalogueReason == "", accountsv1.ReasonReconciled, catalogueReason,
		cmp.Or(catalogueMessage, "Everything in the catalogue can be granted."))
	c.Either(accountsv1.ConditionPoliciesInForce, len(f.Guard.Missing) == 0, accountsv1.ReasonReconciled, accountsv1.ReasonPoliciesMissing, f.policies())
	c.Either(accountsv1.ConditionMailValid, f.Mail.Reason == "", accountsv1.ReasonReconciled, f.Mail.Reason,
		cmp.Or(f.Mail.Message, "The Organization's mail settings and wording can be used."))
	if f.MailHeld > 0 {
		c.True(accountsv1.ConditionMailHeld, accountsv1.ReasonMailHeld, fmt.Sprintf(
			"%d people were invited before a status was lost, so Usher does not mail them again on its own; annotate the Organization with %s to mail them.",
			f.MailHeld, accountsv1.ReleaseMailAnnotation))
	}
	if f.QuotaReached {
		c.True(accountsv1.ConditionQuotaReached, accountsv1.ReasonQuotaReached, fmt.Sprintf(
			"Usher has sent the %d invitations that the Organization may send within 24 hours. The others wait, and Usher sends them by itself; raise spec.invitationsPerDay to send them now.",
			InvitationsPerDay(f.Organization)))
	}
	return accountsv1.OrganizationStatus{
		Conditions: c.List(), ObservedGeneration: &generation, Seats: f.Seats, Owners: f.Owners,
		Founders: recordedFounders(f.Organization), Rollout: f.Rollout, Resources: f.coverage(),
	}
}

// coverage returns what the selectors of the resources cover.
func (f Facts) coverage() []accountsv1.ResourceStatus {
	var list []accountsv1.ResourceStatus
	for _, r := range f.Organization.Spec.Resources {
		if r.Namespaces.Selector == nil {
			continue
		}
		names := grant.Cluster{Namespaces: f.Namespaces, Own: f.Own}.Covered(r.Namespaces)
		covered := int32(len(names)) //nolint:gosec // G115: a cluster has fewer namespaces
		one := accountsv1.ResourceStatus{Name: r.Name, Covered: &covered}
		for _, name := range names[:min(len(names), mostCovered)] {
			one.Namespaces = append(one.Namespaces, accountsv1.NamespaceName(name))
		}
		list = append(list, one)
	}
	return list
}

// policies returns a message that reports whether Usher's policies are in force and, if
// not, what to do.
func (f Facts) policies() string {
	if len(f.Guard.Missing) == 0 {
		return "The policies that Usher is installed with are in force."
	}
	return "Apply config/policy of this version of Usher, because these ValidatingAdmissionPolicies are absent, not enforced or changed: " +
		strings.Join(f.Guard.Missing, ", ") + "." // all of them: there are no more than Usher has
}

// NamespaceOwner returns the name of the Organization that holds a home namespace, from all
// Organizations that name it. The oldest holds it, or the first by name if several have
// the same age.
func NamespaceOwner(orgs []accountsv1.Organization) string {
	if len(orgs) == 0 {
		return ""
	}
	oldest := slices.MinFunc(orgs, func(a, b accountsv1.Organization) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	return oldest.Name
}

// NamedClusterRoles returns the ClusterRoles that the catalogue names, sorted.
func NamedClusterRoles(org *accountsv1.Organization) []string {
	var names []string
	for _, p := range org.Spec.Permissions {
		if p.ClusterRole != "" {
			names = append(names, p.ClusterRole)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (f Facts) namespace() (reason, message string) {
	name := f.Organization.Spec.Namespace
	switch {
	case f.HomeTaken != "":
		return accountsv1.ReasonNamespaceTaken,
			fmt.Sprintf("Namespace %s is already the home namespace of Organization %s; create this Organization again with another namespace.", name, f.HomeTaken)
	case f.Namespace != nil && f.Namespace.DeletionTimestamp != nil:
		return accountsv1.ReasonNamespaceTerminating,
			fmt.Sprintf("Namespace %s is being deleted. Usher recreates it after the deletion.", name)
	}
	return "", ""
}

// catalogue returns the first kind of fault in the catalogue, and names everything that
// has it.
func (f Facts) catalogue() (reason, message string) {
	for _, fault := range []struct {
		reason, message string
		names           []string
	}{
		{accountsv1.ReasonUnknownPermission, "Declare these granted permissions in spec.permissions", f.unknownPermissions()},
		{accountsv1.ReasonUnknownResource, "Declare these granted resources in spec.resources", f.unknownResources()},
		{accountsv1.ReasonUnknownRole, "Give these founders a role of spec.roles whose standing is Owner", f.foundersWithoutRole()},
		{
			accountsv1.ReasonFounderNameTaken,
			"Delete the Memberships that have the names of these founders, or give the founders other names", f.foundersWithoutName(),
		},
		{accountsv1.ReasonInvalidDomain, "Correct these domains, which must look like example.com", f.invalidDomains()},
		{accountsv1.ReasonInvalidSelector, "Correct the label selectors of these resources", f.invalidSelectors()},
		{accountsv1.ReasonSystemNamespace, "Remove these system namespaces, where Usher grants nothing, from these resources", f.systemNamespaces()},
		{accountsv1.ReasonNamespaceExcluded, "Remove these namespaces, whose label " + accountsv1.GrantsLabel + " excludes them from grants, from these resources", f.excludedNamespaces()},
		{accountsv1.ReasonClusterRoleNotFound, "Create these ClusterRoles, or name others", f.clusterRoles(func(c grant.ClusterRole) bool { return !c.Exists })},
		{
			accountsv1.ReasonBindForbidden, "Allow Usher to bind these ClusterRoles (resourceNames of the ClusterRole usher-grantable)",
			f.clusterRoles(func(c grant.ClusterRole) bool { return !c.Bindable }),
		},
		{
			accountsv1.ReasonClusterRoleTooPowerful, "Remove from these ClusterRoles what Usher never grants, or name others", f.excessive(),
		},
	} {
		if len(fault.names) > 0 {
			return fault.reason, fault.message + ": " + joinNames(fault.names) + "."
		}
	}
	return "", ""
}

func (f Facts) unknownPermissions() []string {
	declared := map[accountsv1.CatalogueName]bool{}
	for _, p := range f.Organization.Spec.Permissions {
		declared[p.Name] = true
	}
	var unknown []string
	f.eachGrant(func(where string, g accountsv1.Grant) {
		if !declared[g.Permission] {
			unknown = append(unknown, fmt.Sprintf("%s (%s)", g.Permission, where))
		}
	})
	return unknown
}

func (f Facts) unknownResources() []string {
	declared := map[accountsv1.CatalogueName]bool{}
	for _, r := range f.Organization.Spec.Resources {
		declared[r.Name] = true
	}
	var unknown []string
	f.eachGrant(func(where string, g accountsv1.Grant) {
		for _, resource := range g.Resources {
			if !declared[resource] {
				unknown = append(unknown, fmt.Sprintf("%s (%s)", resource, where))
			}
		}
	})
	return unknown
}

// eachGrant calls do for each grant of the catalogue, with a description of its place.
func (f Facts) eachGrant(do func(where string, g accountsv1.Grant)) {
	for _, role := range f.Organization.Spec.Roles {
		for _, g := range role.Grants {
			do(fmt.Sprintf("role %s", role.Name), g)
		}
	}
	for _, g := range f.Organization.Spec.DefaultGrants {
		do("default grants", g)
	}
}

func (f Facts) invalidSelectors() []string {
	var invalid []string
	for _, r := range f.Organization.Spec.Resources {
		if _, err := metav1.LabelSelectorAsSelector(r.Namespaces.Selector); err != nil {
			invalid = append(invalid, string(r.Name))
		}
	}
	return invalid
}

// systemNamespaces returns the system namespaces that resources name, with the
// resource.
func (f Facts) systemNamespaces() []string {
	var system []string
	for _, r := range f.Organization.Spec.Resources {
		for _, name := range r.Namespaces.Names {
			if grant.IsSystem(string(name), f.Own) {
				system = append(system, fmt.Sprintf("%s (%s)", name, r.Name))
			}
		}
	}
	return system
}

// excludedNamespaces returns the namespaces that resources name although a label excludes
// them from grants, with the resource.
func (f Facts) excludedNamespaces() []string {
	excluded := map[string]bool{}
	for i := range f.Namespaces {
		excluded[f.Namespaces[i].Name] = grant.IsExcluded(&f.Namespaces[i])
	}
	var found []string
	for _, r := range f.Organization.Spec.Resources {
		for _, name := range r.Namespaces.Names {
			if excluded[string(name)] {
				found = append(found, fmt.Sprintf("%s (%s)", name, r.Name))
			}
		}
	}
	return found
}

func (f Facts) invalidDomains() []string {
	var invalid []string
	for _, d := range slices.Concat(f.Organization.Spec.AllowedDomains, f.Organization.Spec.DeniedDomains) {
		if address.CheckDomain(string(d)) != nil {
			invalid = append(invalid, string(d))
		}
	}
	return invalid
}

// clusterRoles returns the ClusterRoles that the catalogue names and that have the
// fault.
func (f Facts) clusterRoles(amiss func(grant.ClusterRole) bool) []string {
	return slices.DeleteFunc(NamedClusterRoles(f.Organization), func(name string) bool { return !amiss(f.ClusterRoles[name]) })
}

// excessive returns the ClusterRoles that Usher never grants, with the reason.
func (f Facts) excessive() []string {
	names := f.clusterRoles(func(c grant.ClusterRole) bool { return c.Excess != "" })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s (%s)", name, f.ClusterRoles[name].Excess)
	}
	return names
}

// joinNames joins names, sorted and without duplicates. Beyond the tenth it only counts.
func joinNames(names []string) string {
	const most = 10
	slices.Sort(names)
	names = slices.Compact(names)
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}
