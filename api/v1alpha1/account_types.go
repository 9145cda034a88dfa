// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Condition types of an Account, in addition to Active, Ready, Reconciling and
// Stalled.
const (
	// ConditionLocked reports whether too many wrong passwords or codes have
	// locked sign-in with a password. A lock ends when it expires, when the person
	// resets the password, or when the annotation
	// accounts.usher.dev/unlockRequestedAt is set. A passkey can still sign in.
	//
	// True: TooManyFailures. False: NotLocked.
	ConditionLocked = "Locked"

	// ConditionTwoFactorEnrolled reports whether sign-in requires a second factor,
	// or a passkey with user verification.
	//
	// True: Enrolled. False: NotEnrolled.
	ConditionTwoFactorEnrolled = "TwoFactorEnrolled"

	// ConditionEmailVerified reports whether the person has proved that they receive
	// mail at the address in spec.email. An Account that was created with a link from
	// a Secret, a short message or an Organization's own mail server starts as False:
	// its address is only what the manifest says. The person can confirm it at the
	// portal.
	//
	// True: Verified. False: NotVerified.
	ConditionEmailVerified = "EmailVerified"

	// ConditionRequestBlocked is present, and then True, only while a Membership
	// requests an action that Usher does not carry out on the Account. The
	// managers of the Organization either have no right to request it, or have to
	// wait.
	//
	// True: OwnerElsewhere, ResetLimited, UnlockLimited.
	ConditionRequestBlocked = "RequestBlocked"
)

// Reasons of an Account's conditions.
const (
	// ReasonTooManyFailures means that too many wrong passwords or codes were
	// entered.
	ReasonTooManyFailures = "TooManyFailures"

	// ReasonNotLocked means that no lock blocks passwords or codes.
	ReasonNotLocked = "NotLocked"

	// ReasonEnrolled means that the Account has a second factor.
	ReasonEnrolled = "Enrolled"

	// ReasonNotEnrolled means that the password is the only factor.
	ReasonNotEnrolled = "NotEnrolled"

	// ReasonVerified means that the person receives mail at the address.
	ReasonVerified = "Verified"

	// ReasonNotVerified means that it is not proved who receives mail at the
	// address.
	ReasonNotVerified = "NotVerified"

	// ReasonDisabled means that spec.state of the Account is Disabled.
	ReasonDisabled = "Disabled"

	// ReasonOwnerElsewhere means that the Account is an owner of another
	// Organization, so only a cluster admin can request actions on it.
	ReasonOwnerElsewhere = "OwnerElsewhere"

	// ReasonResetLimited means that the managers of an Organization requested
	// another link for a new password too soon. Usher sends it as soon as the
	// limit allows.
	ReasonResetLimited = "ResetLimited"

	// ReasonUnlockLimited means that the managers of an Organization requested
	// another unlock too soon. Usher carries it out as soon as the limit allows,
	// if the request is then less than an hour old.
	ReasonUnlockLimited = "UnlockLimited"

	// ReasonRequestInvalid means that an annotation requests a reset or an unlock
	// with a value that is not a timestamp. Used for events.
	ReasonRequestInvalid = "RequestInvalid"

	// ReasonUserNameWithheld means that the person accepted with a user name that
	// no new Account may have, because an earlier Account had it or a binding
	// names it.
	ReasonUserNameWithheld = "UserNameWithheld"

	// ReasonLeft means that the person left an Organization. Used for events.
	ReasonLeft = "Left"
)

// AccountState summarizes the conditions of an Account in one word.
//
// +kubebuilder:validation:Enum=Pending;Active;Locked;Disabled
type AccountState string

// The states of an Account.
const (
	// AccountPending means that a person started to accept an invitation and has
	// not finished. The person can finish with the same link; otherwise Usher
	// deletes the Account.
	AccountPending AccountState = "Pending"
	// AccountActive means that the Account belongs to a person and can be used.
	AccountActive AccountState = "Active"
	// AccountLocked means that the Account belongs to a person, but that sign-in
	// with a password is locked for a while.
	AccountLocked AccountState = "Locked"
	// AccountDisabled means that the Account cannot be used, because its spec
	// disables it or because it is being deleted.
	AccountDisabled AccountState = "Disabled"
)

// AccountName is a user name as its owner chose it, a DNS label. If the
// Organization has a qualifier, a dot and the qualifier follow. People read and
// type jane-doe.acme as jane-doe/acme.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)?$')",message="must be lower-case letters, digits and dashes, such as jane-doe or, with a qualifier, jane-doe.acme"
type AccountName string

// Account represents one person who can sign in. Its name is the user name. The
// portal creates it when a person accepts an Invitation. Credentials are stored
// separately, in a Secret in the namespace usher-accounts.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=acct,categories=usher
// +kubebuilder:selectablefield:JSONPath=".spec.email"
// +kubebuilder:selectablefield:JSONPath=".status.state"
// +kubebuilder:printcolumn:name="State",type="string",JSONPath=".status.state",description="Pending, Active, Locked or Disabled"
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type=='Ready')].status",description="Whether Usher has done its part"
// +kubebuilder:printcolumn:name="Email",type="string",JSONPath=".spec.email",description="The person's address"
// +kubebuilder:printcolumn:name="Reason",type="string",priority=1,JSONPath=".status.conditions[?(@.type=='Ready')].reason",description="The reason of the Ready condition"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp",description="Time since the Account was created"
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$')",message="name must be at most 63 lower-case letters, digits and dashes, such as jane-doe or, with a qualifier, jane-doe.acme",fieldPath=".metadata"
type Account struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata. The name is the user name.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec describes the person to whom the Account belongs.
	// +required
	Spec AccountSpec `json:"spec,omitzero"`

	// status is the state that Usher last observed.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status AccountStatus `json:"status,omitempty,omitzero"`
}

// AccountSpec describes the person to whom an Account belongs.
type AccountSpec struct {
	// email is the person's address: the invited address, or another one that the
	// person confirmed with a code. Immutable.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="email cannot be changed: invite the new address and delete this Account"
	// +required
	Email EmailAddress `json:"email,omitempty"`

	// givenName is the person's given name. Unset: not known.
	// +optional
	GivenName DisplayText `json:"givenName,omitempty"`

	// familyName is the person's family name. Unset: not known.
	// +optional
	FamilyName DisplayText `json:"familyName,omitempty"`

	// invitationRef is the Invitation through which the Account was created.
	// Immutable.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="invitationRef cannot be changed"
	// +required
	InvitationRef InvitationReference `json:"invitationRef,omitzero"`

	// state is Active or Disabled. Disabled ends every session, blocks sign-in and
	// withdraws every grant, but keeps the Account. Unset: Active.
	// +optional
	State AccountSwitch `json:"state,omitempty"`
}

// AccountSwitch enables or disables an Account.
//
// +kubebuilder:validation:Enum=Active;Disabled
type AccountSwitch string

// The values of AccountSwitch.
const (
	AccountSwitchActive   AccountSwitch = "Active"
	AccountSwitchDisabled AccountSwitch = "Disabled"
)

// InvitationReference names one Invitation, but not a later Invitation of the
// same name.
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

// AccountStatus is the state of an Account that Usher last observed.
//
// +kubebuilder:validation:MinProperties=1
type AccountStatus struct {
	// conditions are Ready, Active, Locked, TwoFactorEnrolled and EmailVerified.
	// Reconciling, Stalled and RequestBlocked are present only while they are True.
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
	State AccountState `json:"state,omitempty"`

	// signIn counts failed sign-ins and locks, and holds the time at which
	// sessions were last ended. Unset: there is nothing to record.
	// +optional
	SignIn SignIn `json:"signIn,omitempty,omitzero"`

	// twoFactor is Enrolled if the Account has a second factor, otherwise
	// NotEnrolled. Unset: the portal has not recorded it yet.
	// +optional
	TwoFactor TwoFactor `json:"twoFactor,omitempty"`

	// passwordTime is the time of the last password change. Unset: the password
	// has not been changed since the Account was created.
	// +optional
	PasswordTime *metav1.Time `json:"passwordTime,omitempty"`

	// secondFactorTime is the time at which a second factor was last added or
	// removed. Unset: none has been added or removed since the Account was
	// created.
	// +optional
	SecondFactorTime *metav1.Time `json:"secondFactorTime,omitempty"`

	// resetTimes are the times at which the portal recorded a request for a link
	// for a new password, newest first, at most 5. The person makes such a request
	// at the portal, and a manager or an admin with an annotation. Only the link of
	// the newest request is valid. It expires after one hour, and becomes invalid
	// when the password changes.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	// +listType=atomic
	// +optional
	ResetTimes []metav1.Time `json:"resetTimes,omitempty"`

	// userNameTimes are the times at which a mail with the user names of the
	// address was requested, newest first, at most 5.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	// +listType=atomic
	// +optional
	UserNameTimes []metav1.Time `json:"userNameTimes,omitempty"`

	// emailCodeTimes are the times at which the person requested a code that
	// confirms spec.email, newest first, at most 5. Only the code of the newest
	// request is valid, for 10 minutes.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	// +listType=atomic
	// +optional
	EmailCodeTimes []metav1.Time `json:"emailCodeTimes,omitempty"`

	// emailCodeGuesses counts the wrong codes since the newest request. Unset: none.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=5
	// +optional
	EmailCodeGuesses int32 `json:"emailCodeGuesses,omitempty"`

	// emailVerifiedTime is the time at which the person confirmed spec.email at the
	// portal: with a mailed code or, without a second factor, with a link for a new
	// password. Unset: they did not.
	// +optional
	EmailVerifiedTime *metav1.Time `json:"emailVerifiedTime,omitempty"`

	// deviceApprovals are the sign-ins on other devices that the person approved at
	// the portal, newest first, at most 5. Each works once, for 10 minutes. Unset:
	// none.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	// +listType=atomic
	// +optional
	DeviceApprovals []DeviceApproval `json:"deviceApprovals,omitempty"`

	// unlockTimes are the times at which an annotation unlocked the Account,
	// newest first, at most 5. They limit the requests of managers. Unset: none
	// did.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	// +listType=atomic
	// +optional
	UnlockTimes []metav1.Time `json:"unlockTimes,omitempty"`

	// language is the language in which the person last read pages. Unset: the
	// language of their Organization.
	// +optional
	Language Language `json:"language,omitempty"`

	// leaving lists the Memberships that the person is leaving. The controller
	// removes an entry from the list when it has carried it out.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=namespace
	// +listMapKey=name
	// +optional
	Leaving []MembershipReference `json:"leaving,omitempty"`

	// deliveries are the mails to the person about the Account.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	// +optional
	Deliveries []Delivery `json:"deliveries,omitempty"`
}

// DeviceApproval is one sign-in on another device that the person approved (RFC
// 8628).
type DeviceApproval struct {
	// codeHash is the SHA-256 hash, in hex, of the code that the device showed.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-f]{64}$')",message="must be a SHA-256 hash in hex"
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	// +required
	CodeHash string `json:"codeHash,omitempty"`

	// sessionHash identifies the session of the portal in which the person
	// approved it. If that session ends, the approval ends too.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-f]{64}$')",message="must be a SHA-256 hash in hex"
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	// +required
	SessionHash string `json:"sessionHash,omitempty"`

	// time is when the person approved it.
	// +required
	Time *metav1.Time `json:"time,omitempty"`
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

// EmailVerified reports whether the person has proved that they receive mail at
// spec.email, by the record or by what they did since.
func (a *Account) EmailVerified() bool {
	return a.Annotations[EmailVerifiedAnnotation] != "" || a.Status.EmailVerifiedTime != nil
}

// AccountList is a list of Accounts.
//
// +kubebuilder:object:root=true
type AccountList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Account `json:"items"`
}
