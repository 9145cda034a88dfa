// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ConditionDelivered tells whether the mail server took the mail of the
// current attempt.
//
// True: Sent. Unknown: Sending. False: TemporaryFailure, Refused, and every
// reason for which Ready can be False.
const ConditionDelivered = "Delivered"

// Reasons of an Invitation's conditions.
const (
	// ReasonSent says that the mail server took the mail.
	ReasonSent = "Sent"

	// ReasonTemporaryFailure says that the mail could not be handed over this
	// time and that Usher tries again.
	ReasonTemporaryFailure = "TemporaryFailure"

	// ReasonRefused says that the mail server refused the mail for good.
	ReasonRefused = "Refused"

	// ReasonAccountNotFound says that the Account that accepted was deleted
	// before the acceptance was carried out.
	ReasonAccountNotFound = "AccountNotFound"

	// ReasonLinkKeysInvalid says that the Secret with the link keys cannot be used.
	ReasonLinkKeysInvalid = "LinkKeysInvalid"

	// ReasonMembershipConflict says that the Membership of the same name is
	// for another address.
	ReasonMembershipConflict = "MembershipConflict"
)

// InvitationState is one word for where an Invitation stands.
//
// +kubebuilder:validation:Enum=Sending;Pending;Active;Expired;Failed
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
// +kubebuilder:printcolumn:name="State",type="string",JSONPath=".status.state",description="Sending, Pending, Active, Expired or Failed"
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
}

// InvitationStatus is what Usher last saw of an Invitation, and the
// person's acceptance.
//
// +kubebuilder:validation:MinProperties=1
type InvitationStatus struct {
	// conditions are Ready, Delivered, Pending, Active and Expired, and
	// Reconciling or Stalled while they are True.
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

	// delivery is the current attempt. It is written before any mail goes out,
	// and fixes every byte of that mail, so that a repeat after a crash is the
	// same mail. Unset: none has been begun.
	// +optional
	Delivery Delivery `json:"delivery,omitempty,omitzero"`

	// acceptance is the person's answer. Only the portal writes it, and it
	// writes nothing else. Unset: no answer yet.
	// +optional
	Acceptance Acceptance `json:"acceptance,omitempty,omitzero"`
}

// Delivery is one attempt to deliver an invitation, and the claim of the
// process that is at it.
type Delivery struct {
	// attempt numbers the mailings of an Invitation from 1. Each has its own link.
	// +kubebuilder:validation:Minimum=1
	// +required
	Attempt int32 `json:"attempt,omitempty"`

	// messageID is the Message-ID of the attempt's mail (RFC 5322 section
	// 3.6.4), without the angle brackets.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	MessageID string `json:"messageID,omitempty"`

	// keyID names the key that the attempt's link is made with.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=255
	// +required
	KeyID int32 `json:"keyID,omitempty"`

	// claimTime is when the attempt was begun: the Date of its mail, and the
	// start of its validity.
	// +required
	ClaimTime *metav1.Time `json:"claimTime,omitempty"`

	// organization is what the attempt's mail calls the Organization.
	// +required
	Organization DisplayText `json:"organization,omitempty"`

	// role is what the attempt's mail calls the role.
	// +required
	Role DisplayText `json:"role,omitempty"`

	// tries counts how often the attempt's mail was offered to the mail server.
	// +kubebuilder:validation:Minimum=1
	// +required
	Tries int32 `json:"tries,omitempty"`

	// tryTime is when the last try began.
	// +required
	TryTime *metav1.Time `json:"tryTime,omitempty"`

	// holder is the process that is at the last try. Unset: the try has ended,
	// and result says how.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Holder string `json:"holder,omitempty"`

	// result is how the last try ended. Unset: not known yet, or never to be
	// known because the process died.
	// +optional
	Result DeliveryResult `json:"result,omitempty"`

	// sentTime is when the mail server took the mail. Unset: it has not yet.
	// +optional
	SentTime *metav1.Time `json:"sentTime,omitempty"`

	// message is what the mail server answered to a try that failed, in short.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Message string `json:"message,omitempty"`
}

// DeliveryResult is how a try to deliver ended.
//
// +kubebuilder:validation:Enum=Sent;TemporaryFailure;Refused
type DeliveryResult string

// The results of a try.
const (
	// DeliverySent: the mail server took responsibility for the mail.
	DeliverySent DeliveryResult = "Sent"
	// DeliveryTemporaryFailure: not this time; the same bytes go out again.
	DeliveryTemporaryFailure DeliveryResult = "TemporaryFailure"
	// DeliveryRefused: the mail server refused the mail for good.
	DeliveryRefused DeliveryResult = "Refused"
)

// Begun tells whether there is an attempt at all.
func (d Delivery) Begun() bool { return d.Attempt != 0 }

// Acceptance is a person's answer to an Invitation.
type Acceptance struct {
	// accountRef is the Account that took the Invitation up.
	// +required
	AccountRef AcceptedAccountReference `json:"accountRef,omitzero"`

	// acceptedTime is when it was taken up.
	// +required
	AcceptedTime *metav1.Time `json:"acceptedTime,omitempty"`
}

// Given tells whether there is an answer at all.
func (a Acceptance) Given() bool { return a.AccountRef.Name != "" }

// AcceptedAccountReference names one Account and no later one of the same name.
type AcceptedAccountReference struct {
	// name is the name of the Account.
	// +required
	Name AccountName `json:"name,omitempty"`

	// uid is the UID of the Account.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	UID string `json:"uid,omitempty"`
}

// InvitationList is a list of Invitations.
//
// +kubebuilder:object:root=true
type InvitationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Invitation `json:"items"`
}
