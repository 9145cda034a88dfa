// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package grant turns what a person was granted into what the cluster must
// hold: it resolves permissions and resources against an Organization's
// catalogue and renders RoleBindings. It is pure: it imports no client, and
// what exists comes in as arguments.
package grant

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// Pair is one permission on one resource, by their names in the catalogue.
type Pair struct {
	Permission, Resource accountsv1.CatalogueName
}

// Grant is one permission on one resource, resolved: either it can be given,
// or Reason and Message say why not.
type Grant struct {
	Pair
	// ClusterRole to bind in Namespaces; empty for a group.
	ClusterRole string
	// Group that the person belongs to; empty for a ClusterRole.
	Group string
	// Manages tells whether the ClusterRole lets the person manage people.
	Manages bool
	// Namespaces that exist, belong to the resource and are not denied, sorted.
	Namespaces []string
	// Missing are namespaces that the resource names and that do not exist, sorted.
	Missing []string
	// Reason why the grant cannot be given; empty when it can.
	Reason string
	// Message says what to do about it.
	Message string
}

// Cluster is what exists in the cluster, as far as grants depend on it.
type Cluster struct {
	// Namespaces that exist.
	Namespaces []corev1.Namespace
	// ClusterRoles that the catalogue names, by name.
	ClusterRoles map[string]ClusterRole
	// Own is Usher's own namespace, which no grant ever reaches.
	Own string
}

// Resolve looks each pair up in the Organization's catalogue and the cluster, and
// takes from it what is denied. Deny wins by what it stands for: no grant gives a
// ClusterRole in a namespace, or a group, that a denied pair would give there.
func Resolve(org *accountsv1.Organization, pairs, denied []Pair, cluster Cluster) []Grant {
	grants := make([]Grant, 0, len(pairs))
	deny := cluster.denials(org, denied)
	for _, pair := range pairs {
		grants = append(grants, resolve(org, pair, deny, cluster))
	}
	return grants
}

// Misnamed returns, unresolved, each Deny that names a permission or a resource
// that the catalogue does not have: it takes nothing away, and whoever wrote it
// believes that it does.
func Misnamed(org *accountsv1.Organization, overrides []accountsv1.PermissionOverride) []Grant {
	var misnamed []Grant
	for _, o := range overrides {
		for _, resource := range o.Resources {
			g := resolve(org, Pair{o.Permission, resource}, denials{}, Cluster{})
			if o.Effect == accountsv1.EffectDeny && (g.Reason == accountsv1.ReasonPermissionNotFound || g.Reason == accountsv1.ReasonResourceNotFound) {
				misnamed = append(misnamed, g)
			}
		}
	}
	return misnamed
}

func resolve(org *accountsv1.Organization, pair Pair, deny denials, cluster Cluster) Grant {
	g := Grant{Pair: pair}
	permission, resource := declared(org, pair)
	switch {
	case permission == nil:
		g.Reason = accountsv1.ReasonPermissionNotFound
		g.Message = fmt.Sprintf("Organization %s has no permission %s; add it there, or name one that it has.", org.Name, pair.Permission)
		return g
	case resource == nil:
		g.Reason = accountsv1.ReasonResourceNotFound
		g.Message = fmt.Sprintf("Organization %s has no resource %s; declare it there first.", org.Name, pair.Resource)
		return g
	}
	g.Group = permission.Group
	if g.Group != "" {
		if deny.groups[g.Group] {
			g.Reason = accountsv1.ReasonDenied
			g.Message = fmt.Sprintf("Group %s is denied, whichever permission and resource give it; change spec.permissions to give it back.", g.Group)
		}
		return g
	}
	name := permission.ClusterRole
	role, at := cluster.ClusterRoles[name], cluster.places(resource.Namespaces, deny.namespaces[name])
	g.ClusterRole, g.Manages = name, role.Manages
	if len(at.denied) > 0 && len(at.found)+len(at.missing)+len(at.system) == 0 {
		g.Reason, g.Message = accountsv1.ReasonDenied, ofDeny(name, at.denied)
		return g
	}
	if g.Reason, g.Message = role.refusal(name); g.Reason != "" {
		return g
	}
	g.Namespaces, g.Missing = at.found, at.missing
	g.withhold(at, string(org.Spec.Namespace))
	return g
}

// withhold says what keeps a grant away from some of its namespaces.
func (g *Grant) withhold(at places, home string) {
	switch elsewhere := func(namespace string) bool { return namespace != home }; {
	case g.Manages && slices.ContainsFunc(slices.Concat(at.found, at.missing, at.system), elsewhere):
		g.Namespaces = slices.DeleteFunc(g.Namespaces, elsewhere)
		g.Reason = accountsv1.ReasonNotHomeNamespace
		g.Message = fmt.Sprintf("ClusterRole %s manages people, and is given in namespace %s alone; grant it on a resource that is that namespace and no other.", g.ClusterRole, home)
	case len(at.system) > 0:
		g.Reason = accountsv1.ReasonSystemNamespace
		g.Message = fmt.Sprintf("Namespace %s is of the system, where nothing is given; take it out of resource %s.", few(at.system), g.Resource)
	case len(at.missing) > 0:
		g.Reason = accountsv1.ReasonNamespaceNotFound
		g.Message = fmt.Sprintf("Namespace %s does not exist, or is being deleted; access to it follows once it exists.", few(at.missing))
	}
	switch {
	case len(at.denied) == 0:
	case g.Reason == "":
		g.Reason, g.Message = accountsv1.ReasonDenied, ofDeny(g.ClusterRole, at.denied)
	default:
		g.Message += " " + ofDeny(g.ClusterRole, at.denied)
	}
}

// declared are the permission and the resource that a pair names; nil for one
// that the catalogue does not have.
func declared(org *accountsv1.Organization, pair Pair) (permission *accountsv1.Permission, resource *accountsv1.Resource) {
	if i := slices.IndexFunc(org.Spec.Permissions, func(p accountsv1.Permission) bool { return p.Name == pair.Permission }); i >= 0 {
		permission = &org.Spec.Permissions[i]
	}
	if i := slices.IndexFunc(org.Spec.Resources, func(r accountsv1.Resource) bool { return r.Name == pair.Resource }); i >= 0 {
		resource = &org.Spec.Resources[i]
	}
	return permission, resource
}

// few joins names; beyond the tenth it only counts.
func few(names []string) string {
	const most = 10
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// refusal says why a ClusterRole is not bound at all, if it is not.
func (c ClusterRole) refusal(name string) (reason, message string) {
	switch {
	case !c.Exists:
		return accountsv1.ReasonClusterRoleNotFound,
			fmt.Sprintf("There is no ClusterRole %s; make it, or name another one in the Organization.", name)
	case !c.Bindable:
		return accountsv1.ReasonBindForbidden,
			fmt.Sprintf("Usher may not bind ClusterRole %s; name it in the ClusterRole %s, or in one of your own.", name, accountsv1.GrantableName)
	case c.Excess != "":
		return accountsv1.ReasonClusterRoleTooPowerful,
			fmt.Sprintf("ClusterRole %s is given to nobody, because it holds %s; take that out of it, or name another one in the Organization.", name, c.Excess)
	}
	return "", ""
}

// Manages tells whether a role of the Organization lets people manage people,
// which guests never do.
func Manages(org *accountsv1.Organization, role accountsv1.Role, roles map[string]ClusterRole) bool {
	return role.Standing != accountsv1.StandingGuest && slices.ContainsFunc(org.Grants(role), func(g accountsv1.Grant) bool {
		return slices.ContainsFunc(org.Spec.Permissions, func(p accountsv1.Permission) bool {
			return p.Name == g.Permission && roles[p.ClusterRole].Manages
		})
	})
}

// Reaches tells whether a resource of the Organization stands for a namespace
// of this name and these labels.
func Reaches(org *accountsv1.Organization, name string, nsLabels map[string]string) bool {
	return slices.ContainsFunc(org.Spec.Resources, func(r accountsv1.Resource) bool {
		return matches(r.Namespaces, name, nsLabels)
	})
}

// matches tells whether a resource stands for a namespace. A selector that
// the API server should have refused matches nothing.
func matches(of accountsv1.ResourceNamespaces, name string, nsLabels map[string]string) bool {
	standsFor, err := members(of)
	return err == nil && standsFor(name, nsLabels)
}

// members returns what tells whether a resource stands for a namespace, by its
// name and labels; an error where its selector cannot be read.
func members(of accountsv1.ResourceNamespaces) (standsFor func(name string, nsLabels map[string]string) bool, err error) {
	if of.Selector == nil {
		return func(name string, _ map[string]string) bool {
			return slices.Contains(of.Names, accountsv1.NamespaceName(name))
		}, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(of.Selector)
	if err != nil {
		return nil, err
	}
	return func(_ string, nsLabels map[string]string) bool { return selector.Matches(labels.Set(nsLabels)) }, nil
}

// places are the namespaces that a resource stands for, each list sorted.
type places struct {
	// found are those that a grant reaches.
	found []string
	// missing are named, and do not exist or are being deleted.
	missing []string
	// system are named, and never reached.
	system []string
	// denied are those that a Deny takes away, there or not.
	denied []string
}

// places sorts out what a resource stands for. A selector that matches nothing
// misses nothing.
func (c Cluster) places(of accountsv1.ResourceNamespaces, denied map[string]bool) (at places) {
	standsFor, err := members(of)
	for i := range c.Namespaces {
		switch ns := &c.Namespaces[i]; {
		case err != nil || !standsFor(ns.Name, ns.Labels) || IsSystem(ns.Name, c.Own) || ns.DeletionTimestamp != nil:
		case denied[ns.Name]:
			at.denied = append(at.denied, ns.Name)
		default:
			at.found = append(at.found, ns.Name)
		}
	}
	for _, named := range of.Names {
		switch name := string(named); {
		case slices.Contains(at.found, name) || slices.Contains(at.denied, name):
		case IsSystem(name, c.Own):
			at.system = append(at.system, name)
		case denied[name]:
			at.denied = append(at.denied, name)
		default:
			at.missing = append(at.missing, name)
		}
	}
	for _, list := range [][]string{at.found, at.missing, at.system, at.denied} {
		slices.Sort(list)
	}
	return at
}

// IsSystem tells whether a namespace is of the system: one of Kubernetes' own, or
// Usher's own, of the name given. No grant ever reaches it, whatever a name or a
// label says.
func IsSystem(namespace, own string) bool {
	return namespace == own || strings.HasPrefix(namespace, "kube-")
}
