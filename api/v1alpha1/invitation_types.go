// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// ConditionDelivered reports whether every channel has taken the message of the
	// current attempt. Its message gives the result of each channel.
	//
	// True: Sent. Unknown: Sending, Accepted. False: TemporaryFailure, Refused,
	// Unconfirmed, Suspended, Expired, Declined, and every other reason for which
	// Ready can be False.
	ConditionDelivered = "Delivered"

	// ConditionResendBlocked is present, and then True, only while a resend is
	// requested that Usher does not carry out.
	//
	// True: ResendLimited, QuotaReached, ResendInvalid, TermsChanged.
	ConditionResendBlocked = "ResendBlocked"

	// ConditionCodeBlocked is present, and then True, only while Usher holds a
	// code that the person requested for another address. A code that is held for
	// ten minutes expires, and the person can request another one.
	//
	// True: ResendLimited, QuotaReached.
	ConditionCodeBlocked = "CodeBlocked"
)

// Reasons of an Invitation's conditions.
const (
	// ReasonSent means that the mail server took the mail.
	ReasonSent = "Sent"

	// ReasonTemporaryFailure means that the mail could not be delivered yet. Usher
	// retries until the link expires.
	ReasonTemporaryFailure = "TemporaryFailure"

	// ReasonRefused means that the mail server refused the mail permanently.
	ReasonRefused = "Refused"

	// ReasonAccountNotFound means that the Account that accepted was deleted
	// before the acceptance was carried out.
	ReasonAccountNotFound = "AccountNotFound"

	// ReasonLinkKeysInvalid means that the Secret with the link keys cannot be
	// used.
	ReasonLinkKeysInvalid = "LinkKeysInvalid"

	// ReasonMembershipConflict means that the Membership of the same name is for
	// another address, Organization or role, or allows more than the role.
	ReasonMembershipConflict = "MembershipConflict"

	// ReasonAddressMismatch means that the address of the Account that accepted
	// differs from the invited one, and that the Invitation does not allow this.
	ReasonAddressMismatch = "AddressMismatch"

	// ReasonLegalEntityMismatch means that the Account that accepted belongs to an
	// Organization of another legal entity.
	ReasonLegalEntityMismatch = "LegalEntityMismatch"

	// ReasonAddressNotAllowed means that the Organization does not allow addresses
	// of that domain.
	ReasonAddressNotAllowed = "AddressNotAllowed"

	// ReasonAddressInvited means that another Invitation of the Organization to
	// the same address is open.
	ReasonAddressInvited = "AddressInvited"

	// ReasonAddressIsMember means that the address already belongs to a member of
	// the Organization.
	ReasonAddressIsMember = "AddressIsMember"

	// ReasonAddressHasAccount means that a member of the Organization already
	// signs in with an Account of that address.
	ReasonAddressHasAccount = "AddressHasAccount"

	// ReasonResendLimited means that the mailbox or the phone number has reached
	// its daily limit of messages. The message says when the next attempt is
	// possible.
	ReasonResendLimited = "ResendLimited"

	// ReasonTermsChanged means that the terms of the Membership have changed since
	// Usher created the Invitation for it.
	ReasonTermsChanged = "TermsChanged"

	// ReasonResendInvalid means that the value of the resend annotation is not a
	// timestamp.
	ReasonResendInvalid = "ResendInvalid"
)

// InvitationState summarizes the conditions of an Invitation in one word.
//
// +kubebuilder:validation:Enum=Sending;Pending;Active;Expired;Declined;Failed
type InvitationState string

// The states of an Invitation.
const (
	// InvitationSending means that the mail server has not taken the mail yet.
	InvitationSending InvitationState = "Sending"
	// InvitationPending means that the mail was sent and the person has not
	// answered.
	InvitationPending InvitationState = "Pending"
	// InvitationActive means that the person accepted. From then on, the
	// Invitation only serves as a record.
	InvitationActive InvitationState = "Active"
	// InvitationExpired means that the invitation expired.
	InvitationExpired InvitationState = "Expired"
	// InvitationDeclined means that the person declined.
	InvitationDeclined InvitationState = "Declined"
	// InvitationFailed means that a manifest or the platform must change first.
	InvitationFailed InvitationState = "Failed"
)

// Invitation represents one attempt to get one person to accept one role. Usher
// creates an Invitation, of the same name, for each Membership that has not
// been accepted yet. If an Invitation is created manually, Usher creates the
// Membership of the same name when the person accepts.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=inv,categories=usher
// +kubebuilder:selectablefield:JSONPath=".spec.email"
// +kubebuilder:selectablefield:JSONPath=".spec.role"
// +kubebuilder:selectablefield:JSONPath=".status.state"
// +kubebuilder:printcolumn:name="State",type="string",JSONPath=".status.state",description="Sending, Pending, Active, Expired, Declined or Failed"
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].status",description="Whether Usher has done its part"
// +kubebuilder:printcolumn:name="Email",type="string",JSONPath=".spec.email",description="The invited address"
// +kubebuilder:printcolumn:name="Role",type="string",JSONPath=".spec.role",description="The role in the Organization"
// +kubebuilder:printcolumn:name="Expires",type="string",JSONPath=".status.expirationTime",description="When the link stops working"
// +kubebuilder:printcolumn:name="Reason",type="string",priority=1,JSONPath=".status.conditions[?(@.type=='Ready')].reason",description="The reason of the Ready condition"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp",description="Time since the Invitation was created"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')",message="name must be at most 63 lower-case letters, digits and dashes, such as jane-doe",fieldPath=".metadata"
type Invitation struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata. The namespace must be the home
	// namespace of the Organization.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec describes who is invited to which Organization and role. Immutable.
	// +required
	Spec InvitationSpec `json:"spec,omitzero"`

	// status is the state that Usher last observed.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status InvitationStatus `json:"status,omitempty,omitzero"`
}

// InvitationSpec describes who is invited to which Organization and role.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an invitation cannot be changed: delete it and create a new one"
type InvitationSpec struct {
	// organizationRef is the Organization. Immutable.
	// +required
	OrganizationRef OrganizationReference `json:"organizationRef,omitzero"`

	// email is the address to which the invitation is mailed. Immutable.
	// +required
	Email EmailAddress `json:"email,omitempty"`

	// givenName is the person's given name, used in the mail and to propose a user
	// name. Unset: not known. Immutable.
	// +optional
	GivenName DisplayText `json:"givenName,omitempty"`

	// familyName is the person's family name. Unset: not known. Immutable.
	// +optional
	FamilyName DisplayText `json:"familyName,omitempty"`

	// invitedBy is the name of the inviter, as the invited person reads it. Unset:
	// the Organization. Immutable.
	// +optional
	InvitedBy DisplayText `json:"invitedBy,omitempty"`

	// role is the name of a role of the Organization. If a Membership of the same
	// name exists, the role of the Membership applies. Immutable.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as developer"
	// +required
	Role CatalogueName `json:"role,omitempty"`

	InvitationTerms `json:",inline"`
}

// InvitationStatus is the state of an Invitation that Usher last observed, and
// the person's answer.
//
// +kubebuilder:validation:MinProperties=1
type InvitationStatus struct {
	// conditions are Ready, Delivered, Pending, Active and Expired. Reconciling,
	// Stalled, ResendBlocked and CodeBlocked are present only while they are True.
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
	State InvitationState `json:"state,omitempty"`

	// expirationTime is the time at which the link of the current attempt stops
	// working. Unset: nothing has been mailed yet.
	// +optional
	ExpirationTime *metav1.Time `json:"expirationTime,omitempty"`

	// attempt is the current attempt. Usher writes it before sending anything. It
	// fixes every byte of the messages, so a retry after a crash sends the same
	// mail. Unset: no attempt has begun.
	// +optional
	Attempt Attempt `json:"attempt,omitempty,omitzero"`

	// deliveries are the messages about this Invitation: the link by each channel,
	// the codes to other addresses, and the notices about the answer. Codes stay
	// for a day, because they count towards the limits on mail.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Deliveries []Delivery `json:"deliveries,omitempty"`

	// acceptance records which Account accepted the Invitation. Only the portal
	// writes it. Unset: not accepted.
	// +optional
	Acceptance Acceptance `json:"acceptance,omitempty,omitzero"`

	// decline records that the person declined. Only the portal writes it. Unset:
	// not declined.
	// +optional
	Decline Decline `json:"decline,omitempty,omitzero"`

	// otherAddress is the address with which the person wants to accept instead of
	// the invited one. Only the portal writes it. Unset: none.
	// +optional
	OtherAddress OtherAddress `json:"otherAddress,omitempty,omitzero"`

	// guesses counts the codes for another address that were entered with the link
	// of the current attempt. Only the portal increments it, before it checks the
	// code. Unset: none.
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
