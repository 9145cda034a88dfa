// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Condition types of an Account, besides Active, Ready, Reconciling and Stalled.
const (
	// ConditionLocked tells whether too many wrong passwords or codes keep
	// everybody from signing in with a password. It goes away by itself, by a
	// reset, or by the annotation accounts.usher.dev/unlockRequestedAt. A
	// passkey still signs in.
	//
	// True: TooManyFailures. False: NotLocked.
	ConditionLocked = "Locked"

	// ConditionTwoFactorEnrolled tells whether signing in takes a second
	// factor, or a passkey that verifies its person.
	//
	// True: Enrolled. False: NotEnrolled.
	ConditionTwoFactorEnrolled = "TwoFactorEnrolled"

	// ConditionRequestBlocked is present, and then True, only while a
	// Membership asks for something to be done to the Account that those who
	// manage its Organization may not ask for, or not yet.
	//
	// True: OwnerElsewhere, ResetLimited.
	ConditionRequestBlocked = "RequestBlocked"
)

// Reasons of an Account's conditions.
const (
	// ReasonTooManyFailures says that too many wrong passwords or codes were tried.
	ReasonTooManyFailures = "TooManyFailures"

	// ReasonNotLocked says that signing in is open.
	ReasonNotLocked = "NotLocked"

	// ReasonEnrolled says that there is a second factor.
	ReasonEnrolled = "Enrolled"

	// ReasonNotEnrolled says that the password is the only factor.
	ReasonNotEnrolled = "NotEnrolled"

	// ReasonDisabled says that spec.state of the Account is Disabled.
	ReasonDisabled = "Disabled"

	// ReasonOwnerElsewhere says that the Account is an owner of another
	// Organization, so that only a cluster admin may act on it.
	ReasonOwnerElsewhere = "OwnerElsewhere"

	// ReasonResetLimited says that those who manage an Organization ask for
	// another link for a new password too soon. It is sent in its time.
	ReasonResetLimited = "ResetLimited"

	// ReasonRequestInvalid says that the value of an annotation which asks for
	// a reset or an unlock is no time. Of an event.
	ReasonRequestInvalid = "RequestInvalid"

	// ReasonLeft says that the person left an Organization. Of an event.
	ReasonLeft = "Left"
)

// AccountState is one word for where an Account stands.
//
// +kubebuilder:validation:Enum=Pending;Active;Locked;Disabled
type AccountState string

// The states of an Account.
const (
	// AccountPending: somebody began to accept an invitation and has not
	// finished. The same link finishes it; otherwise Usher deletes it.
	AccountPending AccountState = "Pending"
	// AccountActive: somebody's account.
	AccountActive AccountState = "Active"
	// AccountLocked: somebody's account, which no password signs in to for a while.
	AccountLocked AccountState = "Locked"
	// AccountDisabled: nothing can be done with it, because its spec says so,
	// or because it is being deleted.
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
// +kubebuilder:printcolumn:name="State",type="string",JSONPath=".status.state",description="Pending, Active, Locked or Disabled"
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

	// state is Active, or Disabled, which ends every session, keeps everybody
	// from signing in and withdraws every grant, and keeps the record. Unset:
	// Active.
	// +optional
	State AccountSwitch `json:"state,omitempty"`
}

// AccountSwitch switches an Account on or off.
//
// +kubebuilder:validation:Enum=Active;Disabled
type AccountSwitch string

// The positions of the switch.
const (
	AccountSwitchActive   AccountSwitch = "Active"
	AccountSwitchDisabled AccountSwitch = "Disabled"
)

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
	// conditions are Ready, Active, Locked and TwoFactorEnrolled, and
	// Reconciling, Stalled or RequestBlocked while they are True.
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

	// signIn counts what was tried at the door. Unset: nothing since the last
	// success.
	// +optional
	SignIn SignIn `json:"signIn,omitempty,omitzero"`

	// twoFactor says whether there is a second factor. Unset: the portal has
	// not said.
	// +optional
	TwoFactor TwoFactor `json:"twoFactor,omitempty"`

	// passwordTime is when the password was last changed. Unset: never since
	// the Account was made.
	// +optional
	PasswordTime *metav1.Time `json:"passwordTime,omitempty"`

	// secondFactorTime is when a second factor was last added or removed.
	// Unset: never since the Account was made.
	// +optional
	SecondFactorTime *metav1.Time `json:"secondFactorTime,omitempty"`

	// resetTimes are when a link for a new password was asked for, newest
	// first, 5 at the most. The link of the newest is good for an hour, and
	// dies with the password that it is about.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	// +listType=atomic
	// +optional
	ResetTimes []metav1.Time `json:"resetTimes,omitempty"`

	// userNameTimes are when the user names of the address were asked for,
	// newest first, 5 at the most.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	// +listType=atomic
	// +optional
	UserNameTimes []metav1.Time `json:"userNameTimes,omitempty"`

	// language is the one that the person last read pages in. Unset: that of
	// their Organization.
	// +optional
	Language Language `json:"language,omitempty"`

	// leaving are the Memberships that the person gives up. What has been
	// carried out is taken off the list.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=namespace
	// +listMapKey=name
	// +optional
	Leaving []MembershipReference `json:"leaving,omitempty"`

	// requestTime is that of the newest reset by annotation that was carried out.
	// Unset: none was.
	// +optional
	RequestTime *metav1.Time `json:"requestTime,omitempty"`

	// deliveries are the mails to the person about the Account.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Deliveries []Delivery `json:"deliveries,omitempty"`
}

// TwoFactor says whether an Account has a second factor.
//
// +kubebuilder:validation:Enum=Enrolled;NotEnrolled
type TwoFactor string

// Whether there is a second factor.
const (
	TwoFactorEnrolled    TwoFactor = "Enrolled"
	TwoFactorNotEnrolled TwoFactor = "NotEnrolled"
)

// SignIn counts what was tried at the door of an Account. Each try is counted
// before it is looked at, and a success forgets them.
//
// +kubebuilder:validation:MinProperties=1
type SignIn struct {
	// failures counts passwords since the last success. Unset: none.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	Failures int32 `json:"failures,omitempty"`

	// codeFailures counts second factors since the last success. Unset: none.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	CodeFailures int32 `json:"codeFailures,omitempty"`

	// failureTime is when the last one was counted. Unset: none was.
	// +optional
	FailureTime *metav1.Time `json:"failureTime,omitempty"`

	// locks counts the times in a row that the Account was locked and became
	// open by itself; each lock is longer than the one before. Unset: none.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	Locks int32 `json:"locks,omitempty"`

	// sessionsEndTime ends every session that was begun before it, or in the
	// same second. Unset: none is ended by it.
	// +optional
	SessionsEndTime *metav1.Time `json:"sessionsEndTime,omitempty"`
}

// MembershipReference names a Membership.
type MembershipReference struct {
	// namespace is the namespace of the Membership.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be the name of a namespace: lower-case letters, digits and dashes"
	// +required
	Namespace NamespaceName `json:"namespace,omitempty"`

	// name is the name of the Membership.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower-case letters, digits and dashes, such as jane-doe"
	// +required
	Name CatalogueName `json:"name,omitempty"`
}

// AccountList is a list of Accounts.
//
// +kubebuilder:object:root=true
type AccountList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Account `json:"items"`
}
