// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Attempt is one numbered mailing of an Invitation. Each has its own link, and
// the link of the one before is dead.
type Attempt struct {
	// number counts the attempts of an Invitation from 1.
	// +kubebuilder:validation:Minimum=1
	// +required
	Number int32 `json:"number,omitempty"`

	// keyID names the key that the attempt's link is made with.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=255
	// +required
	KeyID int32 `json:"keyID,omitempty"`

	// claimTime is when the attempt was begun: the start of its validity.
	// +required
	ClaimTime *metav1.Time `json:"claimTime,omitempty"`

	// organization is what the attempt's messages call the Organization.
	// +required
	Organization DisplayText `json:"organization,omitempty"`

	// role is what the attempt's messages call the role.
	// +required
	Role DisplayText `json:"role,omitempty"`

	// language is that of the attempt's messages.
	// +required
	Language Language `json:"language,omitempty"`

	// sender is the From of the attempt's mails (RFC 5322 section 3.6.2).
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=512
	// +required
	Sender string `json:"sender,omitempty"`

	// resendRequest is the value of the Invitation's resend annotation that
	// was last answered. Unset: none was.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ResendRequest string `json:"resendRequest,omitempty"`

	// membershipResendRequest is the value of the Membership's resend
	// annotation that was last answered. Unset: none was.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	MembershipResendRequest string `json:"membershipResendRequest,omitempty"`

	// earlier are the attempts before this one, newest first, 16 at the most:
	// by them a dead link is told from one that never was.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	Earlier []EarlierAttempt `json:"earlier,omitempty"`
}

// Begun tells whether there is an attempt at all.
func (a Attempt) Begun() bool { return a.Number != 0 }

// EarlierAttempt is what is kept of an attempt after a newer one was begun.
type EarlierAttempt struct {
	// number is that of the attempt.
	// +kubebuilder:validation:Minimum=1
	// +required
	Number int32 `json:"number,omitempty"`

	// keyID names the key that its link was made with.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=255
	// +required
	KeyID int32 `json:"keyID,omitempty"`

	// claimTime is when it was begun.
	// +required
	ClaimTime *metav1.Time `json:"claimTime,omitempty"`
}

// DeliveryPurpose is what a message is for.
//
// +kubebuilder:validation:Enum=Invitation;Confirmation;Joined;Declined;Code;Reset;Locked;PasswordChanged;SecondFactorChanged;UserNames
type DeliveryPurpose string

// The purposes of messages.
const (
	// PurposeInvitation brings the link to the invited person.
	PurposeInvitation DeliveryPurpose = "Invitation"
	// PurposeConfirmation tells the person that they are in, and how to sign in.
	PurposeConfirmation DeliveryPurpose = "Confirmation"
	// PurposeJoined tells an owner, or the chat, that somebody has joined.
	PurposeJoined DeliveryPurpose = "Joined"
	// PurposeDeclined tells an owner that somebody has declined.
	PurposeDeclined DeliveryPurpose = "Declined"
	// PurposeCode brings the code that confirms another address.
	PurposeCode DeliveryPurpose = "Code"
	// PurposeReset brings the link for a new password.
	PurposeReset DeliveryPurpose = "Reset"
	// PurposeLocked tells the person that their Account is locked.
	PurposeLocked DeliveryPurpose = "Locked"
	// PurposePasswordChanged tells the person that their password is another.
	PurposePasswordChanged DeliveryPurpose = "PasswordChanged"
	// PurposeSecondFactorChanged tells the person that a second factor was
	// added or removed.
	PurposeSecondFactorChanged DeliveryPurpose = "SecondFactorChanged"
	// PurposeUserNames brings the person the user names of their address.
	PurposeUserNames DeliveryPurpose = "UserNames"
)

// Medium is what carries a message.
//
// +kubebuilder:validation:Enum=Email;SMS;Link;Chat
type Medium string

// The media.
const (
	// MediumEmail: the mail server.
	MediumEmail Medium = "Email"
	// MediumSMS: the SMS gateway.
	MediumSMS Medium = "SMS"
	// MediumLink: a Secret in the home namespace.
	MediumLink Medium = "Link"
	// MediumChat: the chat of the Organization.
	MediumChat Medium = "Chat"
)

// Delivery is one message to one recipient, and the claim of the process that
// is at it.
type Delivery struct {
	// name tells the deliveries of an Invitation, or of an Account, apart.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=127
	// +required
	Name string `json:"name,omitempty"`

	// purpose is what the message is for.
	// +required
	Purpose DeliveryPurpose `json:"purpose,omitempty"`

	// medium is what carries the message.
	// +required
	Medium Medium `json:"medium,omitempty"`

	// recipient is the address, the number, or the name of the Secret. Unset:
	// the chat of the Organization.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=254
	// +optional
	Recipient string `json:"recipient,omitempty"`

	// language is that of the message. Unset: that of the attempt, if there is one.
	// +optional
	Language Language `json:"language,omitempty"`

	// permissions are what a confirmation says that the person can do, one line
	// each, as it was when they joined. Unset: it says nothing about that.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +listType=atomic
	// +optional
	Permissions []string `json:"permissions,omitempty"`

	// messageID is the Message-ID of a mail (RFC 5322 section 3.6.4), without
	// the angle brackets. Unset: it is no mail, or not begun.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +optional
	MessageID string `json:"messageID,omitempty"`

	// sender is the From of a mail (RFC 5322 section 3.6.2), as it was when the
	// mail was first claimed. Unset: that of the attempt, if there is one.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Sender string `json:"sender,omitempty"`

	// claimTime is when the message was first claimed: the Date of a mail.
	// Unset: it has not been begun.
	// +optional
	ClaimTime *metav1.Time `json:"claimTime,omitempty"`

	// tries counts how often the message was offered.
	// +kubebuilder:validation:Minimum=1
	// +optional
	Tries int32 `json:"tries,omitempty"`

	// tryTime is when the last try began.
	// +optional
	TryTime *metav1.Time `json:"tryTime,omitempty"`

	// unconfirmed counts the tries after which nobody knows whether the message
	// was taken: it went out and was not answered, or the process died at it. So
	// many copies may have arrived. Unset: none.
	// +kubebuilder:validation:Minimum=1
	// +optional
	Unconfirmed int32 `json:"unconfirmed,omitempty"`

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

	// sentTime is when the message was taken, or was tried for the last time.
	// Unset: neither yet.
	// +optional
	SentTime *metav1.Time `json:"sentTime,omitempty"`

	// message is what was answered to a try that was not confirmed, in short.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Message string `json:"message,omitempty"`
}

// DeliveryResult is how a try to deliver ended.
//
// +kubebuilder:validation:Enum=Sent;TemporaryFailure;Refused;Withdrawn
type DeliveryResult string

// The results of a try.
const (
	// DeliverySent: the other side took responsibility for the message. Or it got
	// a short message or a line in a chat twice and confirmed neither, so that it
	// is not offered again: message says so.
	DeliverySent DeliveryResult = "Sent"
	// DeliveryTemporaryFailure: not this time; the same bytes go out again.
	DeliveryTemporaryFailure DeliveryResult = "TemporaryFailure"
	// DeliveryRefused: the other side refused the message for good.
	DeliveryRefused DeliveryResult = "Refused"
	// DeliveryWithdrawn: it was handed over, and taken away again with the link.
	DeliveryWithdrawn DeliveryResult = "Withdrawn"
)

// ReasonUnconfirmed says, in an event, that a message counts as sent although
// nobody confirmed that it was taken.
const ReasonUnconfirmed = "Unconfirmed"

// Begun tells whether the message was ever claimed.
func (d Delivery) Begun() bool { return d.Tries != 0 }
