// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Resource is something to which an Organization can grant access.
type Resource struct {
	// name is the name by which grants refer to the resource.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as staging or team-lead"
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// displayName is the name that people read. Unset: the name.
	// +optional
	DisplayName DisplayText `json:"displayName,omitempty"`

	// namespaces defines the namespaces that belong to the resource.
	// +required
	Namespaces ResourceNamespaces `json:"namespaces,omitzero"`
}

// ResourceNamespaces selects the namespaces of a resource, by name or by label.
// It never selects system namespaces, Usher's own, or namespaces with the label
// accounts.usher.dev/grants.
//
// +kubebuilder:validation:ExactlyOneOf=names;selector
// +kubebuilder:validation:XValidation:rule="!has(self.selector) || has(self.selector.matchLabels) && size(self.selector.matchLabels) > 0 || has(self.selector.matchExpressions) && size(self.selector.matchExpressions) > 0",message="selector must not be empty: an empty selector would match every namespace"
type ResourceNamespaces struct {
	// names lists the namespaces. If one does not exist yet, access to it is
	// granted as soon as it exists. At most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be the name of a namespace: lower-case letters, digits and dashes"
	// +kubebuilder:validation:items:XValidation:rule="!self.startsWith('kube-')",message="must not be a system namespace: names that start with kube- belong to Kubernetes itself"
	// +listType=set
	// +optional
	Names []NamespaceName `json:"names,omitempty"`

	// selector selects namespaces by their labels. Every user who can label a
	// namespace then decides whether members get access to it. The status of the
	// Organization lists the namespaces.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// Permission is something that a member can do with a resource. It has exactly
// one target: a ClusterRole or a group.
//
// +kubebuilder:validation:XValidation:rule="has(self.clusterRole) != has(self.group)",message="a permission must have exactly one target: set either clusterRole or group"
type Permission struct {
	// name is the name by which grants refer to the permission.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as staging or team-lead"
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// displayName is the name that people read. Unset: the name.
	// +optional
	DisplayName DisplayText `json:"displayName,omitempty"`

	// clusterRole is the ClusterRole that Usher binds to the member, with a
	// RoleBinding in each namespace of the granted resource. Usher must be allowed
	// to bind it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('system:')",message="clusterRole must not be one of the system's own (system:…): choose view, edit or a ClusterRole of your own"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^/%\\\\s]+$')",message="clusterRole must be the name of a ClusterRole, without spaces, / and %"
	// +optional
	ClusterRole string `json:"clusterRole,omitempty"`

	// group is the group to which the member belongs while the grant is in force.
	// The status of the Membership lists it for the systems that read groups
	// there, and tokens of the member name it next to <organization>:<role>. It
	// must not have that form.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('system:')",message="group must not be one of the system's own (system:…)"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-a-zA-Z0-9._:/@]+$')",message="group must be letters, digits and - . _ : / @"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[-a-zA-Z0-9]+:[-a-zA-Z0-9]+$')",message="group must not have the form of a role, such as acme:owner: in tokens, it would give that role of the Organization acme"
	// +optional
	Group string `json:"group,omitempty"`
}

// RoleSeat decides whether members with a role take a seat.
//
// +kubebuilder:validation:Enum=Counted;Free
type RoleSeat string

// The kinds of seats.
const (
	// SeatCounted means that each member with the role takes one of spec.seats.
	SeatCounted RoleSeat = "Counted"
	// SeatFree means that members with the role take no seat.
	SeatFree RoleSeat = "Free"
)

// RoleStanding is the standing in the Organization of the members with a role.
//
// +kubebuilder:validation:Enum=Owner;Member;Guest
type RoleStanding string

// The standings.
const (
	// StandingOwner is the standing of an owner. Owners are notified when a person
	// joins or declines. An Organization that has an owner never loses the last
	// one.
	StandingOwner RoleStanding = "Owner"
	// StandingMember is the standing of an ordinary member.
	StandingMember RoleStanding = "Member"
	// StandingGuest is the standing of a person from outside. Guests get the
	// grants of the role, but no default grants. They take no seat unless the role
	// sets seat to Counted, and they never manage people.
	StandingGuest RoleStanding = "Guest"
)

// Role is a named set of grants.
type Role struct {
	// name is the name by which Memberships and Invitations refer to the role.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as staging or team-lead"
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// displayName is the name that people read. Unset: the name.
	// +optional
	DisplayName DisplayText `json:"displayName,omitempty"`

	// seat is Counted or Free. With Counted, each member with this role takes one
	// of spec.seats. With Free, members with this role take none. Unset: Free if
	// standing is Guest, otherwise Counted.
	// +optional
	Seat RoleSeat `json:"seat,omitempty"`

	// standing is Owner, Member or Guest. Owners are notified when a person joins
	// or declines, and the last owner cannot be removed. Guests are people from
	// outside. Unset: Member.
	// +optional
	Standing RoleStanding `json:"standing,omitempty"`

	// grants are the grants that every member with this role gets, in addition to
	// the default grants of the Organization. Unset: none. At most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=permission
	// +optional
	Grants []Grant `json:"grants,omitempty"`
}

// Grant gives one permission on one or more resources.
type Grant struct {
	// permission is the name of a permission of the Organization.
	// +required
	Permission CatalogueName `json:"permission,omitempty"`

	// resources are the names of resources of the Organization. At least one, at
	// most 64.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +required
	Resources []CatalogueName `json:"resources,omitempty"`
}

// TakesSeat reports whether a member with the role takes a seat if the
// Organization limits its seats.
func (r Role) TakesSeat() bool {
	if r.Seat == "" {
		return r.Standing != StandingGuest
	}
	return r.Seat == SeatCounted
}

// Title returns the text that people read: the display name or, if it is unset,
// the name.
func (r Role) Title() DisplayText { return title(r.DisplayName, r.Name) }

func title(display DisplayText, name CatalogueName) DisplayText {
	if display != "" {
		return display
	}
	return DisplayText(name)
}
