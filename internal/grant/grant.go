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
	// Namespaces that exist and belong to the resource, sorted.
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

// Resolve looks each pair up in the Organization's catalogue and the cluster.
func Resolve(org *accountsv1.Organization, pairs []Pair, cluster Cluster) []Grant {
	grants := make([]Grant, 0, len(pairs))
	for _, pair := range pairs {
		grants = append(grants, resolve(org, pair, cluster))
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
			g := resolve(org, Pair{o.Permission, resource}, Cluster{})
			if o.Effect == accountsv1.EffectDeny && (g.Reason == accountsv1.ReasonPermissionNotFound || g.Reason == accountsv1.ReasonResourceNotFound) {
				misnamed = append(misnamed, g)
			}
		}
	}
	return misnamed
}

func resolve(org *accountsv1.Organization, pair Pair, cluster Cluster) Grant {
	g := Grant{Pair: pair}
	p := slices.IndexFunc(org.Spec.Permissions, func(p accountsv1.Permission) bool { return p.Name == pair.Permission })
	r := slices.IndexFunc(org.Spec.Resources, func(r accountsv1.Resource) bool { return r.Name == pair.Resource })
	switch {
	case p < 0:
		g.Reason = accountsv1.ReasonPermissionNotFound
		g.Message = fmt.Sprintf("Organization %s has no permission %s; add it there, or name one that it has.", org.Name, pair.Permission)
		return g
	case r < 0:
		g.Reason = accountsv1.ReasonResourceNotFound
		g.Message = fmt.Sprintf("Organization %s has no resource %s; declare it there first.", org.Name, pair.Resource)
		return g
	}
	g.Group = org.Spec.Permissions[p].Group
	if g.Group != "" {
		return g
	}
	name := org.Spec.Permissions[p].ClusterRole
	role := cluster.ClusterRoles[name]
	g.ClusterRole, g.Manages = name, role.Manages
	if g.Reason, g.Message = role.refusal(name); g.Reason != "" {
		return g
	}
	g.Namespaces, g.Missing = cluster.namespaces(org.Spec.Resources[r].Namespaces)
	home := string(org.Spec.Namespace)
	switch elsewhere := func(namespace string) bool { return namespace != home }; {
	case role.Manages && (slices.ContainsFunc(g.Namespaces, elsewhere) || slices.ContainsFunc(g.Missing, elsewhere)):
		g.Namespaces = slices.DeleteFunc(g.Namespaces, elsewhere)
		g.Reason = accountsv1.ReasonNotHomeNamespace
		g.Message = fmt.Sprintf("ClusterRole %s manages people, and is given in namespace %s alone; grant it on a resource that is that namespace and no other.", name, home)
	case len(g.Missing) > 0:
		g.Reason = accountsv1.ReasonNamespaceNotFound
		g.Message = fmt.Sprintf("Namespace %s does not exist, or is being deleted; access to it follows once it exists.", few(g.Missing))
	}
	return g
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
	if of.Selector == nil {
		return slices.Contains(of.Names, accountsv1.NamespaceName(name))
	}
	selector, err := metav1.LabelSelectorAsSelector(of.Selector)
	return err == nil && selector.Matches(labels.Set(nsLabels))
}

// namespaces returns those that the resource stands for: the ones that exist,
// and the ones that it names and that do not. A selector that matches nothing
// misses nothing.
func (c Cluster) namespaces(of accountsv1.ResourceNamespaces) (found, missing []string) {
	for i := range c.Namespaces {
		ns := &c.Namespaces[i]
		if c.reachable(ns) && matches(of, ns.Name, ns.Labels) {
			found = append(found, ns.Name)
		}
	}
	for _, name := range of.Names {
		if !slices.Contains(found, string(name)) {
			missing = append(missing, string(name))
		}
	}
	slices.Sort(found)
	slices.Sort(missing)
	return found, missing
}

// reachable tells whether a grant may reach a namespace at all, whatever a
// name or a label says.
func (c Cluster) reachable(ns *corev1.Namespace) bool {
	return ns.Name != c.Own && !strings.HasPrefix(ns.Name, "kube-") && ns.DeletionTimestamp == nil
}
