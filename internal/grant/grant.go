// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package grant turns a person's grants into what the cluster must contain. It resolves
// permissions and resources against an Organization's catalogue and renders
// RoleBindings. It is pure: it imports no client, and the state of the cluster is an
// argument.
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

// Grant is one permission on one resource, resolved. Either it can be given, or Reason
// and Message say why not.
type Grant struct {
	Pair
	// ClusterRole to bind in Namespaces; empty for a group.
	ClusterRole string
	// Group to which the person belongs; empty for a ClusterRole.
	Group string
	// Manages reports whether the ClusterRole lets the person manage people, at least
	// in the home namespace.
	Manages bool
	// Namespaces that exist, belong to the resource and are not denied, sorted.
	Namespaces []string
	// Missing are namespaces that the resource names but that do not exist, sorted.
	Missing []string
	// Reason why the grant cannot be given; empty if it can.
	Reason string
	// Message says what to do about it.
	Message string
}

// Cluster holds the cluster state on which grants depend.
type Cluster struct {
	// Namespaces that exist.
	Namespaces []corev1.Namespace
	// ClusterRoles that the catalogue names, by name.
	ClusterRoles map[string]ClusterRole
	// Own is Usher's own namespace, which no grant ever reaches.
	Own string
	// Homes holds the home namespaces of all Organizations, at least those of
	// ManagedElsewhere.
	Homes map[string]bool
}

// Resolve looks up each pair in the Organization's catalogue and the cluster, and
// removes what is denied. A Deny applies to the effect of a pair, not to its name: if a
// denied pair would give a ClusterRole in a namespace, or a group, no other grant gives it.
func Resolve(org *accountsv1.Organization, pairs, denied []Pair, cluster Cluster) []Grant {
	grants := make([]Grant, 0, len(pairs))
	deny := cluster.denials(org, denied)
	for _, pair := range pairs {
		grants = append(grants, resolve(org, pair, deny, cluster))
	}
	return grants
}

// UnknownDenies returns, unresolved, each Deny that names a permission or a resource that is
// not in the catalogue. Such a Deny removes nothing, although its author believes that
// it does.
func UnknownDenies(org *accountsv1.Organization, overrides []accountsv1.PermissionOverride) []Grant {
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
		g.Message = fmt.Sprintf("Organization %s has no permission %s; add the permission to the Organization, or use one of its permissions.", org.Name, pair.Permission)
		return g
	case resource == nil:
		g.Reason = accountsv1.ReasonResourceNotFound
		g.Message = fmt.Sprintf("Organization %s has no resource %s; add the resource to the Organization first.", org.Name, pair.Resource)
		return g
	}
	g.Group = permission.Group
	if g.Group != "" {
		if deny.groups[g.Group] {
			g.Reason = accountsv1.ReasonDenied
			g.Message = fmt.Sprintf("Group %s is denied, regardless of which permission and resource grant it; change spec.permissions to restore it.", g.Group)
		}
		return g
	}
	name := permission.ClusterRole
	role, at := cluster.ClusterRoles[name], cluster.matchNamespaces(resource.Namespaces, deny.namespaces[name])
	g.ClusterRole, g.Manages = name, role.Manages || role.ManagesAtHome
	if len(at.denied) > 0 && len(at.found)+len(at.missing)+len(at.system)+len(at.excluded) == 0 {
		g.Reason, g.Message = accountsv1.ReasonDenied, denyMessage(name, at.denied)
		return g
	}
	if g.Reason, g.Message = role.refusal(name); g.Reason != "" {
		return g
	}
	home := string(org.Spec.Namespace)
	elsewhere := func(namespace string) bool { return namespace != home }
	if foreign := slices.DeleteFunc(slices.Clone(at.found), func(n string) bool { return n == home || !cluster.Homes[n] }); role.ManagesAtHome && len(foreign) > 0 {
		at.foreign = foreign
	}
	g.Namespaces, g.Missing = at.found, at.missing
	if role.Manages && slices.ContainsFunc(slices.Concat(at.found, at.missing, at.system, at.excluded), elsewhere) {
		g.Namespaces = slices.DeleteFunc(g.Namespaces, elsewhere)
		g.Reason = accountsv1.ReasonNotHomeNamespace
		g.Message = fmt.Sprintf("ClusterRole %s manages people, so Usher grants it only in namespace %s; grant it on a resource that contains only that namespace.", name, home)
	}
	g.withhold(at)
	return g
}

// withhold sets the reason why a grant does not reach some of its namespaces.
func (g *Grant) withhold(at namespaceMatch) {
	g.Namespaces = slices.DeleteFunc(g.Namespaces, func(n string) bool { return slices.Contains(at.foreign, n) })
	switch {
	case g.Reason != "":
	case len(at.foreign) > 0:
		g.Reason = accountsv1.ReasonNotHomeNamespace
		g.Message = fmt.Sprintf("Namespace %s is the home namespace of another Organization, where ClusterRole %s would manage its people; remove it from resource %s.",
			joinNames(at.foreign), g.ClusterRole, g.Resource)
	case len(at.excluded) > 0:
		g.Reason = accountsv1.ReasonNamespaceExcluded
		g.Message = fmt.Sprintf("Namespace %s has the label %s, so Usher grants nothing there; remove it from resource %s, or remove the label.",
			joinNames(at.excluded), accountsv1.GrantsLabel, g.Resource)
	case len(at.system) > 0:
		g.Reason = accountsv1.ReasonSystemNamespace
		g.Message = fmt.Sprintf("Namespace %s is a system namespace, where Usher grants nothing; remove it from resource %s.", joinNames(at.system), g.Resource)
	case len(at.missing) > 0:
		g.Reason = accountsv1.ReasonNamespaceNotFound
		g.Message = fmt.Sprintf("Namespace %s does not exist, or is being deleted; Usher grants access to it once it exists.", joinNames(at.missing))
	}
	switch {
	case len(at.denied) == 0:
	case g.Reason == "":
		g.Reason, g.Message = accountsv1.ReasonDenied, denyMessage(g.ClusterRole, at.denied)
	default:
		g.Message += " " + denyMessage(g.ClusterRole, at.denied)
	}
}

// declared returns the permission and the resource that a pair names, or nil for one
// that is not in the catalogue.
func declared(org *accountsv1.Organization, pair Pair) (permission *accountsv1.Permission, resource *accountsv1.Resource) {
	if i := slices.IndexFunc(org.Spec.Permissions, func(p accountsv1.Permission) bool { return p.Name == pair.Permission }); i >= 0 {
		permission = &org.Spec.Permissions[i]
	}
	if i := slices.IndexFunc(org.Spec.Resources, func(r accountsv1.Resource) bool { return r.Name == pair.Resource }); i >= 0 {
		resource = &org.Spec.Resources[i]
	}
	return permission, resource
}

// joinNames joins names. Beyond the tenth it only counts.
func joinNames(names []string) string {
	const most = 10
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// refusal returns why Usher does not bind a ClusterRole at all, if it does not.
func (c ClusterRole) refusal(name string) (reason, message string) {
	switch {
	case !c.Exists:
		return accountsv1.ReasonClusterRoleNotFound,
			fmt.Sprintf("ClusterRole %s does not exist; create it, or name another one in the Organization.", name)
	case !c.Bindable:
		return accountsv1.ReasonBindForbidden,
			fmt.Sprintf("Usher is not allowed to bind ClusterRole %s; add it to the resourceNames of ClusterRole %s, or of one of your own.", name, accountsv1.GrantableName)
	case c.Excess != "":
		return accountsv1.ReasonClusterRoleTooPowerful,
			fmt.Sprintf("Usher does not grant ClusterRole %s, because it holds %s; remove that from it, or name another one in the Organization.", name, c.Excess)
	}
	return "", ""
}

// Reaches reports whether a resource of the Organization contains a namespace with this
// name and these labels.
func Reaches(org *accountsv1.Organization, name string, nsLabels map[string]string) bool {
	return slices.ContainsFunc(org.Spec.Resources, func(r accountsv1.Resource) bool {
		return matches(r.Namespaces, name, nsLabels)
	})
}

// matches reports whether a resource contains a namespace. A selector that the API
// server should have refused matches nothing.
func matches(of accountsv1.ResourceNamespaces, name string, nsLabels map[string]string) bool {
	standsFor, err := namespaceMatcher(of)
	return err == nil && standsFor(name, nsLabels)
}

// namespaceMatcher returns a function that reports whether a resource contains a namespace, by
// the namespace's name and labels. It returns an error if the resource's selector is
// invalid.
func namespaceMatcher(of accountsv1.ResourceNamespaces) (standsFor func(name string, nsLabels map[string]string) bool, err error) {
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

// namespaceMatch holds the namespaces that a resource contains, each list sorted.
type namespaceMatch struct {
	// found are the namespaces that a grant reaches.
	found []string
	// missing are named, but do not exist or are being deleted.
	missing []string
	// system are named, but never reached.
	system []string
	// excluded are named, but have the label that excludes them from every grant.
	excluded []string
	// foreign are the home namespaces of other Organizations among the found ones, if
	// the ClusterRole would manage people there.
	foreign []string
	// denied are the namespaces that a Deny removes, whether they exist or not.
	denied []string
}

// matchNamespaces sorts the namespaces of a resource into lists. A selector that matches nothing
// has no missing namespaces.
func (c Cluster) matchNamespaces(of accountsv1.ResourceNamespaces, denied map[string]bool) (at namespaceMatch) {
	standsFor, err := namespaceMatcher(of)
	excluded := map[string]bool{}
	for i := range c.Namespaces {
		switch ns := &c.Namespaces[i]; {
		case err != nil || !standsFor(ns.Name, ns.Labels) || IsSystem(ns.Name, c.Own) || ns.DeletionTimestamp != nil:
		case IsExcluded(ns):
			excluded[ns.Name] = true
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
		case excluded[name]:
			at.excluded = append(at.excluded, name)
		case denied[name]:
			at.denied = append(at.denied, name)
		default:
			at.missing = append(at.missing, name)
		}
	}
	for _, list := range [][]string{at.found, at.missing, at.system, at.excluded, at.denied} {
		slices.Sort(list)
	}
	return at
}

// Covered returns the namespaces of a resource that grants reach, sorted.
func (c Cluster) Covered(of accountsv1.ResourceNamespaces) []string {
	return c.matchNamespaces(of, nil).found
}

// IsExcluded reports whether a namespace has the label that excludes it from every
// grant. The value does not matter: a mistake in it must not open the namespace.
func IsExcluded(namespace *corev1.Namespace) bool {
	_, excluded := namespace.Labels[accountsv1.GrantsLabel]
	return excluded
}

// IsSystem reports whether a namespace is a system namespace: one of Kubernetes' own, the
// one with the credentials, or Usher's own, which is the argument own. No grant ever
// reaches it, regardless of names and labels in the catalogue.
func IsSystem(namespace, own string) bool {
	return namespace == own || namespace == accountsv1.CredentialsNamespace || strings.HasPrefix(namespace, "kube-")
}
