// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// ConditionDelivered tells whether the current attempt was handed over, by
	// every channel; its message tells each channel's outcome.
	//
	// True: Sent. Unknown: Sending. False: TemporaryFailure, Refused, and every
	// reason for which Ready can be False.
	ConditionDelivered = "Delivered"

	// ConditionResendBlocked is present, and then True, only while a resend
	// was asked for that Usher does not carry out.
	//
	// True: ResendLimited, ResendInvalid, TermsChanged.
	ConditionResendBlocked = "ResendBlocked"
)

// Reasons of an Invitation's conditions.
const (
	// ReasonSent says that the mail server took the mail.
	ReasonSent = "Sent"

	// ReasonTemporaryFailure says that the mail could not be handed over this
	// time. Usher tries again until the time of the link is over.
	ReasonTemporaryFailure = "TemporaryFailure"

	// ReasonRefused says that the mail server refused the mail for good.
	ReasonRefused = "Refused"

	// ReasonAccountNotFound says that the Account that accepted was deleted
	// before the acceptance was carried out.
	ReasonAccountNotFound = "AccountNotFound"

	// ReasonLinkKeysInvalid says that the Secret with the link keys cannot be used.
	ReasonLinkKeysInvalid = "LinkKeysInvalid"

	// ReasonMembershipConflict says that the Membership of the same name is
	// for another address or role.
	ReasonMembershipConflict = "MembershipConflict"

	// ReasonAddressMismatch says that the Account that accepted has another
	// address than the invited one, which the Invitation does not allow.
	ReasonAddressMismatch = "AddressMismatch"

	// ReasonLegalEntityMismatch says that the Account that accepted belongs to
	// an Organization of another legal entity.
	ReasonLegalEntityMismatch = "LegalEntityMismatch"

	// ReasonAddressNotAllowed says that the Organization does not take
	// addresses of that domain.
	ReasonAddressNotAllowed = "AddressNotAllowed"

	// ReasonAddressInvited says that another Invitation of the Organization to
	// the same address is open.
	ReasonAddressInvited = "AddressInvited"

	// ReasonAddressIsMember says that the address belongs to a member of the
	// Organization already.
	ReasonAddressIsMember = "AddressIsMember"

	// ReasonAddressHasAccount says that a member of the Organization signs in
	// with that address already.
	ReasonAddressHasAccount = "AddressHasAccount"

	// ReasonResendLimited says that the address was mailed, or the telephone
	// texted, as often as it may be within a day; the message says when the next
	// attempt is possible.
	ReasonResendLimited = "ResendLimited"

	// ReasonTermsChanged says that the Membership has other terms by now than
	// the Invitation that was made for it.
	ReasonTermsChanged = "TermsChanged"

	// ReasonResendInvalid says that the value of the resend annotation is no time.
	ReasonResendInvalid = "ResendInvalid"
)

// InvitationState is one word for where an Invitation stands.
//
// +kubebuilder:validation:Enum=Sending;Pending;Active;Expired;Declined;Failed
type InvitationState string

// The states of an Invitation.
const (
	// InvitationSending: the mail has not reached the mail server yet.
	InvitationSending InvitationState = "Sending"
	// InvitationPending: the mail is out, and the person has not answered.
	InvitationPending InvitationState = "Pending"
	// InvitationActive: the person took it up. From here on it is history.
	InvitationActive InvitationState = "Active"
	// InvitationExpired: the time ran out.
	InvitationExpired InvitationState = "Expired"
	// InvitationDeclined: the person does not want to join.
	InvitationDeclined InvitationState = "Declined"
	// InvitationFailed: a manifest or the platform must change first.
	InvitationFailed InvitationState = "Failed"
)

// Invitation is one attempt to win one person for one role. Usher makes one,
// of the same name, for each Membership that nobody has taken up yet; applied
// by hand, it makes the Membership of the same name when it is accepted.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=inv,categories=usher
// +kubebuilder:selectablefield:JSONPath=".spec.email"
// +kubebuilder:selectablefield:JSONPath=".spec.role"
// +kubebuilder:selectablefield:JSONPath=".status.state"
// +kubebuilder:printcolumn:name="State",type="string",JSONPath=".status.state",description="Sending, Pending, Active, Expired, Declined or Failed"
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].status",description="Whether Usher has done its part"
// +kubebuilder:printcolumn:name="Email",type="string",JSONPath=".spec.email",description="The address that is invited"
// +kubebuilder:printcolumn:name="Role",type="string",JSONPath=".spec.role",description="The role in the Organization"
// +kubebuilder:printcolumn:name="Expires",type="string",JSONPath=".status.expirationTime",description="When the link stops to work"
// +kubebuilder:printcolumn:name="Reason",type="string",priority=1,JSONPath=".status.conditions[?(@.type=='Ready')].reason",description="Why it is, or is not, ready"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp",description="Time since the Invitation was made"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')",message="name must be lower-case letters, digits and dashes, 63 at the most, such as jane-doe",fieldPath=".metadata"
type Invitation struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata. The namespace must be the
	// home namespace of the Organization.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is who is invited to what.
	// +required
	Spec InvitationSpec `json:"spec,omitzero"`

	// status is what Usher last saw.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status InvitationStatus `json:"status,omitempty,omitzero"`
}

// InvitationSpec is who is invited to what.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an invitation cannot be changed once it is made: delete it and make a new one"
type InvitationSpec struct {
	// organizationRef is the Organization. Immutable.
	// +required
	OrganizationRef OrganizationReference `json:"organizationRef,omitzero"`

	// email is the address that the invitation is mailed to. Immutable.
	// +required
	Email EmailAddress `json:"email,omitempty"`

	// givenName is the person's given name, to propose a user name from and to
	// write in the mail. Unset: not known. Immutable.
	// +optional
	GivenName DisplayText `json:"givenName,omitempty"`

	// familyName is the person's family name. Unset: not known. Immutable.
	// +optional
	FamilyName DisplayText `json:"familyName,omitempty"`

	// invitedBy is who invites, as the invited person shall read it. Unset:
	// the Organization. Immutable.
	// +optional
	InvitedBy DisplayText `json:"invitedBy,omitempty"`

	// role is the name of a role of the Organization. Where a Membership of
	// the same name exists, its role counts. Immutable.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as developer"
	// +required
	Role CatalogueName `json:"role,omitempty"`

	InvitationTerms `json:",inline"`
}

// InvitationStatus is what Usher last saw of an Invitation, and the
// person's answer.
//
// +kubebuilder:validation:MinProperties=1
type InvitationStatus struct {
	// conditions are Ready, Delivered, Pending, Active and Expired, and
	// Reconciling, Stalled or ResendBlocked while they are True.
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
	State InvitationState `json:"state,omitempty"`

	// expirationTime is when the link of the current attempt stops to work.
	// Unset: nothing has been mailed yet.
	// +optional
	ExpirationTime *metav1.Time `json:"expirationTime,omitempty"`

	// attempt is the current mailing. It is written before anything goes out,
	// and fixes every byte of it, so that a repeat after a crash is the same
	// mail. Unset: none has been begun.
	// +optional
	Attempt Attempt `json:"attempt,omitempty,omitzero"`

	// deliveries are the messages about this Invitation: its link by each
	// channel, and who is told about the answer.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +optional
	Deliveries []Delivery `json:"deliveries,omitempty"`

	// acceptance says who took the Invitation up. Only the portal writes it.
	// Unset: nobody has.
	// +optional
	Acceptance Acceptance `json:"acceptance,omitempty,omitzero"`

	// decline says that the person does not want to join. Only the portal
	// writes it. Unset: nobody said so.
	// +optional
	Decline Decline `json:"decline,omitempty,omitzero"`

	// otherAddress is the address that the person wants to accept with in
	// place of the invited one. Only the portal writes it. Unset: none.
	// +optional
	OtherAddress OtherAddress `json:"otherAddress,omitempty,omitzero"`

	// guesses counts the codes for another address that were tried with the
	// current attempt's link. Only the portal counts it up, before it looks at
	// what was typed.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	Guesses int32 `json:"guesses,omitempty"`
}

// InvitationList is a list of Invitations.
//
// +kubebuilder:object:root=true
type InvitationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Invitation `json:"items"`
}
