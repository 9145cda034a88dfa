// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MembershipStatus is what Usher last saw of a Membership.
//
// +kubebuilder:validation:MinProperties=1
type MembershipStatus struct {
	// conditions are Ready, Pending, Active, Expired and PermissionsApplied,
	// and Reconciling, Stalled, TwoFactorMissing, Suspended or LastOwner while
	// they are True.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation that the status speaks of; -1 on a
	// new object.
	// +kubebuilder:validation:Minimum=-1
	// +optional
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`

	// state is one word derived from the conditions.
	// +optional
	State MembershipState `json:"state,omitempty"`

	// accountRef is the Account that took the Membership up. Unset: none did.
	// +optional
	AccountRef AccountReference `json:"accountRef,omitempty,omitzero"`

	// guard says which generations nobody was asked about. Unset: the API
	// server asked for each whether who wrote it may assign the role.
	// +optional
	Guard GuardStatus `json:"guard,omitempty,omitzero"`

	// grants lists what the role, the default grants and the overrides grant,
	// and whether it is in force. Unset: nothing is granted, or nobody is there to have it.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4096
	// +listType=map
	// +listMapKey=permission
	// +listMapKey=resource
	// +optional
	Grants []GrantStatus `json:"grants,omitempty"`
}

// GuardStatus says which generations of a Membership are older than Usher's
// ValidatingAdmissionPolicies. Grants that manage people do not come into force
// by them.
type GuardStatus struct {
	// since is when the policies came into force.
	// +required
	Since *metav1.Time `json:"since,omitempty"`

	// generation is the newest generation that there was by then.
	// +kubebuilder:validation:Minimum=1
	// +required
	Generation int64 `json:"generation,omitempty"`
}

// GrantState says whether a grant is in force.
//
// +kubebuilder:validation:Enum=InForce;Withheld
type GrantState string

// The states of a grant.
const (
	GrantInForce  GrantState = "InForce"
	GrantWithheld GrantState = "Withheld"
)

// GrantStatus is one permission on one resource, as one person has it.
type GrantStatus struct {
	// permission is the name of the permission.
	// +required
	Permission CatalogueName `json:"permission,omitempty"`

	// resource is the name of the resource.
	// +required
	Resource CatalogueName `json:"resource,omitempty"`

	// state is InForce, or Withheld for the reason given.
	// +required
	State GrantState `json:"state,omitempty"`

	// clusterRole is the ClusterRole that is bound. Unset: the grant is of a
	// group, or not known.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ClusterRole string `json:"clusterRole,omitempty"`

	// group is the group that the grant puts the person in. Unset: it is a
	// ClusterRole that is granted.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Group string `json:"group,omitempty"`

	// namespaces are those in which the ClusterRole is bound: the first 100 by
	// name. Unset: none.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +listType=set
	// +optional
	Namespaces []NamespaceName `json:"namespaces,omitempty"`

	// reason is why the grant is withheld. Unset: it is in force.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Reason string `json:"reason,omitempty"`

	// message says what to do about a withheld grant.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
}
