// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// right is a right that RBAC gives actors who are not cluster admins.
type right struct {
	who        []*actor
	group      string
	resources  string
	namespaces string
	verbs      string
}

// rights is everything that RBAC should allow, written independently of Usher's
// manifests.
var rights = []right{
	{[]*actor{owner, manager}, accountsGroup, "memberships,invitations", home, "create,update,patch,delete"},
	{[]*actor{outsider}, accountsGroup, "memberships,invitations", otherHome, "create,update,patch,delete"},
	{
		[]*actor{clerk, impostor},
		accountsGroup, "memberships,memberships/status,invitations,invitations/status", home + "," + staging,
		"create,update,patch,delete,deletecollection",
	},
	{[]*actor{clerk, impostor}, rbacGroup, "rolebindings", home + "," + staging, "delete"},
}

// finalizerOnlyRight is an additional right that RBAC gives if only finalizers change.
// Kubernetes requires no bind verb for such an update.
var finalizerOnlyRight = right{[]*actor{clerk, impostor}, rbacGroup, "rolebindings", home + "," + staging, "update,patch"}

// assignable are the roles that an actor may assign, by namespace. A star means all
// roles and all permissions.
var assignable = map[*actor]map[string]string{
	owner: {home: "*"}, manager: {home: "developer,guest"}, outsider: {otherHome: "*"},
}

// allowable are the permissions that a manager may allow on top of a role. They include
// every one that leads to the Secrets of a home namespace.
var allowable = []granted{
	{"deploy", "home"},
	{"deploy", "staging"},
	{"deploy", "neighbour"},
	{"deploy", "everywhere"},
	{"administer", "home"},
	{"collected", "home"},
	{"manage", "home"},
	{"look", "home"},
}

// assignableNames returns the names by which a manager has the verb assign on
// permissions. The name of a permission alone gives nothing.
func assignableNames() []string {
	names := []string{"operate", "own", "administer"}
	for _, g := range allowable {
		names = append(names, g.permission+":"+g.resource)
	}
	return names
}

// expected reports whether the API server should accept the request.
func (r request) expected(policiesInForce bool) bool {
	if r.who == clusterAdmin {
		return true
	}
	verbs := map[verb][]string{
		creates: {"create"}, updates: {"update"}, merges: {"patch"}, patches: {"patch"}, applies: {"patch"},
		deletes: {"delete"}, deletesAll: {"deletecollection"},
	}[r.verb]
	if r.verb == applies && r.before == nil {
		verbs = append(verbs, "create")
	}
	for _, v := range verbs {
		if !r.rbacAllows(v) {
			return false
		}
	}
	return !policiesInForce || r.policiesAllow()
}

func (r request) rbacAllows(k8sVerb string) bool {
	resource := r.kind.resource
	if r.sub != "" {
		resource += "/" + r.sub
	}
	has := rights
	if r.before != nil && r.after != nil && !slices.ContainsFunc(parts, func(part string) bool {
		return part != "metadata.finalizers" && r.changed(part)
	}) {
		has = append(slices.Clone(rights), finalizerOnlyRight)
	}
	return slices.ContainsFunc(has, func(has right) bool {
		return slices.Contains(has.who, r.who) && has.group == r.kind.group && isOneOf(resource, split(has.resources)...) &&
			isOneOf(r.object().GetNamespace(), split(has.namespaces)...) && isOneOf(k8sVerb, split(has.verbs)...)
	})
}

// policiesAllow reports whether the policies should let the request pass. The actor
// is not a cluster admin, and RBAC allows the request.
func (r request) policiesAllow() bool {
	if r.kind == rolebindings {
		return len(r.object().GetFinalizers()) == 0
	}
	if r.kind != memberships && r.kind != invitations {
		return true
	}
	return !r.touchesRecords() && (!r.changesAccess() || r.mayAssign() && !r.ownMembership())
}

// changesAccess reports whether the request changes a person's permissions, or the
// metadata that others rely on.
func (r request) changesAccess() bool {
	return r.sub == "status" || r.before == nil || r.after == nil || r.changed("spec") || r.gainsOwner() || r.changesMetadata()
}

func (r request) changesMetadata() bool {
	return r.changed("metadata.labels") || r.changed("metadata.annotations") || r.changed("metadata.finalizers")
}

func (r request) gainsOwner() bool {
	return r.changed("metadata.ownerReferences") && len(r.after.GetOwnerReferences()) > 0
}

func (r request) mayAssign() bool {
	may := assignable[r.who][r.object().GetNamespace()]
	if may == "*" {
		return true
	}
	for _, o := range []*unstructured.Unstructured{r.before, r.after} {
		if role := text(o, "spec", "role"); o != nil && !isOneOf(role, split(may)...) {
			return false
		}
	}
	before := allowedIn(r.before)
	return !slices.ContainsFunc(allowedIn(r.after), func(g granted) bool {
		return !slices.Contains(before, g) && (r.who != manager || !slices.Contains(allowable, g))
	})
}

func (r request) ownMembership() bool {
	return r.kind == memberships && r.sub == "" && r.before != nil && (r.after == nil || r.changed("spec") || r.gainsOwner()) &&
		r.who.user == userOf(text(r.before, "status", "accountRef", "name"))
}

// touchesRecords reports whether the request changes Usher's records in metadata.
func (r request) touchesRecords() bool {
	if r.sub != "" || r.after == nil {
		return false
	}
	kept := func(o *unstructured.Unstructured) (found []string) {
		if o == nil {
			return nil
		}
		for key, value := range o.GetAnnotations() {
			if strings.HasPrefix(key, accountsGroup+"/") {
				found = append(found, key+"="+value)
			}
		}
		if r.before != nil { // an object may be created with the finalizer
			found = append(found, slices.DeleteFunc(o.GetFinalizers(), func(f string) bool { return f != accountsGroup+"/withdraw" })...)
		}
		if r.kind == invitations {
			for _, ref := range o.GetOwnerReferences() {
				found = append(found, ref.Kind+string(ref.UID))
			}
		}
		slices.Sort(found)
		return found
	}
	return !slices.Equal(kept(r.before), kept(r.after))
}

// allowedIn returns the permissions that a Membership allows on top of the role.
func allowedIn(o *unstructured.Unstructured) []granted {
	if o == nil {
		return nil
	}
	list, _, _ := unstructured.NestedSlice(o.Object, "spec", "permissions")
	var found []granted
	for _, item := range list {
		override, _ := item.(map[string]any)
		resources, _ := override["resources"].([]any)
		for _, resource := range resources {
			permission, _ := override["permission"].(string)
			if name, isText := resource.(string); isText && override["effect"] == "Allow" {
				found = append(found, granted{permission, name})
			}
		}
	}
	return found
}

// gift is what a person may have because of a request that should be accepted.
type gift struct {
	person string
	has    holdings
}

// gives returns what a request gives, if its sender was free to give it.
func (r request) gives() []gift {
	if r.after == nil || r.sub != "" || r.kind != memberships && r.kind != invitations ||
		r.after.GetNamespace() != home || text(r.after, "spec", "organizationRef", "name") != home {
		return nil
	}
	return []gift{{personOf(text(r.after, "spec", "email")), worthOf(text(r.after, "spec", "role"), allowedIn(r.after)...)}}
}

// text returns the value of a field, or "" if it is not set.
func text(o *unstructured.Unstructured, path ...string) string {
	if o == nil {
		return ""
	}
	value, _, _ := unstructured.NestedString(o.Object, path...)
	return value
}
