// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MembershipStatus is the state of a Membership that Usher last observed.
//
// +kubebuilder:validation:MinProperties=1
type MembershipStatus struct {
	// conditions are Ready, Pending, Active, Expired and PermissionsApplied.
	// Reconciling, Stalled, TwoFactorMissing, Suspended and LastOwner are present
	// only while they are True.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation that the status describes; -1 on a new
	// object.
	// +kubebuilder:validation:Minimum=-1
	// +optional
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`

	// state summarizes the conditions in one word.
	// +optional
	State MembershipState `json:"state,omitempty"`

	// accountRef is the Account that holds the Membership. Unset: none does.
	// +optional
	AccountRef AccountReference `json:"accountRef,omitempty,omitzero"`

	// guard records which generations the API server admitted without Usher's
	// policies. Unset: for every generation, the API server checked that its
	// author may assign the role.
	// +optional
	Guard GuardStatus `json:"guard,omitempty,omitzero"`

	// grants lists what the role, the default grants and the overrides grant, and
	// whether each grant is in force. Unset: nothing is granted, or no Account
	// holds the Membership.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4096
	// +listType=map
	// +listMapKey=permission
	// +listMapKey=resource
	// +optional
	Grants []GrantStatus `json:"grants,omitempty"`
}

// GuardStatus records which generations of a Membership are older than Usher's
// ValidatingAdmissionPolicies. Usher does not put grants that manage people
// into force on the basis of these generations.
type GuardStatus struct {
	// since is the time at which the policies came into force.
	// +required
	Since *metav1.Time `json:"since,omitempty"`

	// generation is the newest generation that existed at that time.
	// +kubebuilder:validation:Minimum=1
	// +required
	Generation int64 `json:"generation,omitempty"`
}

// GrantState reports whether a grant is in force.
//
// +kubebuilder:validation:Enum=InForce;Withheld
type GrantState string

// The states of a grant.
const (
	GrantInForce  GrantState = "InForce"
	GrantWithheld GrantState = "Withheld"
)

// GrantStatus is one permission on one resource, as granted to one person.
type GrantStatus struct {
	// permission is the name of the permission.
	// +required
	Permission CatalogueName `json:"permission,omitempty"`

	// resource is the name of the resource.
	// +required
	Resource CatalogueName `json:"resource,omitempty"`

	// state is InForce, or Withheld for the given reason.
	// +required
	State GrantState `json:"state,omitempty"`

	// clusterRole is the ClusterRole that is bound. Unset: the grant gives a
	// group, or its ClusterRole is not known.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ClusterRole string `json:"clusterRole,omitempty"`

	// group is the group to which the grant adds the person. Unset: the grant
	// gives a ClusterRole.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Group string `json:"group,omitempty"`

	// namespaces are the namespaces in which the ClusterRole is bound: the first
	// 100 by name. Unset: none.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +listType=set
	// +optional
	Namespaces []NamespaceName `json:"namespaces,omitempty"`

	// reason is the reason why the grant is withheld. Unset: the grant is in
	// force.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Reason string `json:"reason,omitempty"`

	// message says what to do about a withheld grant. Unset: there is none.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
}
