// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Resource is something that access can be given to.
type Resource struct {
	// name is what grants refer to.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as staging or team-lead"
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// displayName is what people read. Unset: the name.
	// +optional
	DisplayName DisplayText `json:"displayName,omitempty"`

	// namespaces are the namespaces that the resource stands for.
	// +required
	Namespaces ResourceNamespaces `json:"namespaces,omitzero"`
}

// ResourceNamespaces says which namespaces a resource stands for, by name or
// by label. Namespaces of the system, and Usher's own, are never among them.
//
// +kubebuilder:validation:ExactlyOneOf=names;selector
// +kubebuilder:validation:XValidation:rule="!has(self.selector) || has(self.selector.matchLabels) && size(self.selector.matchLabels) > 0 || has(self.selector.matchExpressions) && size(self.selector.matchExpressions) > 0",message="selector must not be empty: an empty selector would match every namespace"
type ResourceNamespaces struct {
	// names lists the namespaces. One that does not exist yet is granted as
	// soon as it does. At most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be the name of a namespace: lower-case letters, digits and dashes"
	// +kubebuilder:validation:items:XValidation:rule="!self.startsWith('kube-')",message="must not be a system namespace: names that start with kube- belong to Kubernetes itself"
	// +listType=set
	// +optional
	Names []NamespaceName `json:"names,omitempty"`

	// selector picks namespaces by their labels. Whoever may label a namespace
	// decides then whether people get access to it.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// Permission is something that may be done with a resource. It has exactly one
// target: a ClusterRole or a group.
//
// +kubebuilder:validation:XValidation:rule="has(self.clusterRole) != has(self.group)",message="a permission has one target: set either clusterRole or group, not both and not none"
type Permission struct {
	// name is what grants refer to.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as staging or team-lead"
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// displayName is what people read. Unset: the name.
	// +optional
	DisplayName DisplayText `json:"displayName,omitempty"`

	// clusterRole is bound to the member, by a RoleBinding, in each namespace
	// of the granted resource. Usher must be allowed to bind it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('system:')",message="clusterRole must not be one of the system's own (system:…): choose view, edit or a ClusterRole of your own"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^/%\\\\s]+$')",message="clusterRole must be the name of a ClusterRole, without spaces, / and %"
	// +optional
	ClusterRole string `json:"clusterRole,omitempty"`

	// group is a group that the member belongs to while the grant is in force.
	// Membership status lists it, for whatever reads groups from there; it has
	// no meaning to Kubernetes itself.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('system:')",message="group must not be one of the system's own (system:…)"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-a-zA-Z0-9._:/@]+$')",message="group must be letters, digits and - . _ : / @"
	// +optional
	Group string `json:"group,omitempty"`
}

// RoleSeat says whether whoever has a role takes a seat.
//
// +kubebuilder:validation:Enum=Counted;Free
type RoleSeat string

// The kinds of seats.
const (
	// SeatCounted: each member takes one of spec.seats.
	SeatCounted RoleSeat = "Counted"
	// SeatFree: members take none.
	SeatFree RoleSeat = "Free"
)

// RoleStanding says what whoever has a role is to the Organization.
//
// +kubebuilder:validation:Enum=Owner;Member;Guest
type RoleStanding string

// The standings.
const (
	// StandingOwner: an owner, who is told when somebody joins or declines. An
	// Organization that has one never loses the last.
	StandingOwner RoleStanding = "Owner"
	// StandingMember: a member like any other.
	StandingMember RoleStanding = "Member"
	// StandingGuest: somebody from outside, who has what the role grants and
	// none of the default grants, takes no seat unless the role says so, and
	// never manages people.
	StandingGuest RoleStanding = "Guest"
)

// Role is a named set of grants.
type Role struct {
	// name is what Memberships and Invitations refer to.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as staging or team-lead"
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// displayName is what people read. Unset: the name.
	// +optional
	DisplayName DisplayText `json:"displayName,omitempty"`

	// seat is Counted, where each member with this role takes one of
	// spec.seats, or Free. Unset: Free where standing is Guest, else Counted.
	// +optional
	Seat RoleSeat `json:"seat,omitempty"`

	// standing is Owner, where whoever has this role is told when somebody
	// joins or declines and the last of them stays, Guest, for people from
	// outside, or Member. Unset: Member.
	// +optional
	Standing RoleStanding `json:"standing,omitempty"`

	// grants are what everybody with this role may do, besides the default
	// grants of the Organization. Unset: nothing. At most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=permission
	// +optional
	Grants []Grant `json:"grants,omitempty"`
}

// Grant gives one permission on some resources.
type Grant struct {
	// permission is the name of a permission of the Organization.
	// +required
	Permission CatalogueName `json:"permission,omitempty"`

	// resources are the names of resources of the Organization. At least one,
	// at most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +required
	Resources []CatalogueName `json:"resources,omitempty"`
}

// Counted tells whether whoever has the role takes a seat, where seats are limited.
func (r Role) Counted() bool {
	if r.Seat == "" {
		return r.Standing != StandingGuest
	}
	return r.Seat == SeatCounted
}

// Title is what people read: the display name or, without one, the name.
func (r Role) Title() DisplayText { return title(r.DisplayName, r.Name) }

func title(display DisplayText, name CatalogueName) DisplayText {
	if display != "" {
		return display
	}
	return DisplayText(name)
}
