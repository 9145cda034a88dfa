// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// OrganizationStatus is what Usher last saw of an Organization.
//
// +kubebuilder:validation:MinProperties=1
type OrganizationStatus struct {
	// conditions are Ready, NamespaceReady, CatalogueValid, PoliciesInForce and
	// MailValid, and Reconciling, Stalled or MailHeld while they are True.
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

	// seats says who has the seats. Unset: spec.seats is unset.
	// +optional
	Seats SeatsStatus `json:"seats,omitempty,omitzero"`

	// owners are the owners, in the order in which they became that: the first
	// 100 of them. Nobody in it loses access before being taken out of it, and
	// the last is not taken out.
	// Unset: there is none.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +listType=map
	// +listMapKey=name
	// +optional
	Owners []OwnerStatus `json:"owners,omitempty"`

	// rollout says how far a change of the catalogue is. Unset: everybody has
	// what the catalogue says.
	// +optional
	Rollout RolloutStatus `json:"rollout,omitempty,omitzero"`
}

// OwnerStatus is an owner of an Organization.
type OwnerStatus struct {
	// name is the name of the Membership.
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// role is the role that makes them one. It is what they have for as long as
	// they are in the list, whatever their Membership says by then.
	// +required
	Role CatalogueName `json:"role,omitempty"`
}

// RolloutStatus is how far a change of the catalogue is.
type RolloutStatus struct {
	// members is how many Memberships are Active.
	// +kubebuilder:validation:Minimum=1
	// +required
	Members int32 `json:"members,omitempty"`

	// updated is how many of them have what the catalogue says by now.
	// +kubebuilder:validation:Minimum=0
	// +required
	Updated *int32 `json:"updated,omitempty"`
}

// SeatsStatus says who has the seats of an Organization. Nobody is invited to,
// or holds, a role that is counted without being in it.
type SeatsStatus struct {
	// taken is how many seats are taken. It is above spec.seats only after
	// that was lowered.
	// +kubebuilder:validation:Minimum=0
	// +required
	Taken *int32 `json:"taken,omitempty"`

	// holders are who has them, by name. Unset: nobody.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10000
	// +listType=atomic
	// +optional
	Holders []SeatHolder `json:"holders,omitempty"`
}

// SeatHolder is the Membership or the Invitation that has a seat.
type SeatHolder struct {
	// name is the name of the Membership, and of its Invitation.
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// invitationUID is the UID of the Invitation that the seat was given for.
	// Unset: it was given for a Membership that somebody holds.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +optional
	InvitationUID string `json:"invitationUID,omitempty"`

	// attempt is the last attempt of the Invitation that may be mailed with
	// this seat. Unset: it was given for a Membership that somebody holds.
	// +kubebuilder:validation:Minimum=1
	// +optional
	Attempt int32 `json:"attempt,omitempty"`
}
