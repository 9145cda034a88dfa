// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AccountState is one word for where an Account stands.
//
// +kubebuilder:validation:Enum=Pending;Active;Disabled
type AccountState string

// The states of an Account.
const (
	// AccountPending: somebody began to accept an invitation and has not
	// finished. The same link finishes it; otherwise Usher deletes it.
	AccountPending AccountState = "Pending"
	// AccountActive: somebody's account.
	AccountActive AccountState = "Active"
	// AccountDisabled: it is being deleted, and nothing can be done with it.
	AccountDisabled AccountState = "Disabled"
)

// AccountName is a user name as its owner chose it, a DNS label. Where the
// Organization has a qualifier, a dot and the qualifier follow: people read and
// type jane-doe.acme as jane-doe/acme.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)?$')",message="must be lower-case letters, digits and dashes, such as jane-doe, and with a qualifier jane-doe.acme"
type AccountName string

// Account is one person who can sign in; its name is the user name. The portal
// makes it when somebody accepts an Invitation. Credentials are kept apart, in
// a Secret of Usher's own namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=acct,categories=usher
// +kubebuilder:selectablefield:JSONPath=".spec.email"
// +kubebuilder:selectablefield:JSONPath=".status.state"
// +kubebuilder:printcolumn:name="State",type="string",JSONPath=".status.state",description="Pending, Active or Disabled"
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].status",description="Whether Usher has done its part"
// +kubebuilder:printcolumn:name="Email",type="string",JSONPath=".spec.email",description="The person's address"
// +kubebuilder:printcolumn:name="Reason",type="string",priority=1,JSONPath=".status.conditions[?(@.type=='Ready')].reason",description="Why it is, or is not, ready"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp",description="Time since the Account was made"
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$')",message="name must be lower-case letters, digits and dashes, 63 at the most, such as jane-doe, and with a qualifier jane-doe.acme",fieldPath=".metadata"
type Account struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata. The name is the user name.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is who the Account belongs to.
	// +required
	Spec AccountSpec `json:"spec,omitzero"`

	// status is what Usher last saw.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status AccountStatus `json:"status,omitempty,omitzero"`
}

// AccountSpec is who an Account belongs to.
type AccountSpec struct {
	// email is the person's address: the one that was invited, or another that
	// they confirmed by a code. Immutable.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="email cannot be changed: invite the new address and delete this Account"
	// +required
	Email EmailAddress `json:"email,omitempty"`

	// givenName is the person's given name. Unset: not given.
	// +optional
	GivenName DisplayText `json:"givenName,omitempty"`

	// familyName is the person's family name. Unset: not given.
	// +optional
	FamilyName DisplayText `json:"familyName,omitempty"`

	// invitationRef is the Invitation that the Account was made through. Immutable.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="invitationRef cannot be changed"
	// +required
	InvitationRef InvitationReference `json:"invitationRef,omitzero"`
}

// InvitationReference names one Invitation and no later one of the same name.
type InvitationReference struct {
	// namespace is the namespace of the Invitation.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be the name of a namespace: lower-case letters, digits and dashes"
	// +required
	Namespace NamespaceName `json:"namespace,omitempty"`

	// name is the name of the Invitation.
	// +required
	Name CatalogueName `json:"name,omitempty"`

	// uid is the UID of the Invitation.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	UID string `json:"uid,omitempty"`
}

// AccountStatus is what Usher last saw of an Account.
//
// +kubebuilder:validation:MinProperties=1
type AccountStatus struct {
	// conditions are Ready and Active, and Reconciling or Stalled while they
	// are True.
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
	State AccountState `json:"state,omitempty"`
}

// AccountList is a list of Accounts.
//
// +kubebuilder:object:root=true
type AccountList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Account `json:"items"`
}
