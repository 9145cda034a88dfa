// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Attempt is one numbered sending of an Invitation. Each attempt has its own
// link, which supersedes the link of the previous attempt.
type Attempt struct {
	// number counts the attempts of an Invitation, starting at 1.
	// +kubebuilder:validation:Minimum=1
	// +required
	Number int32 `json:"number,omitempty"`

	// keyID identifies the key with which the link of the attempt is made.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=255
	// +required
	KeyID int32 `json:"keyID,omitempty"`

	// claimTime is the time at which the attempt began. The validity of its link
	// is counted from then.
	// +required
	ClaimTime *metav1.Time `json:"claimTime,omitempty"`

	// organization is the display name of the Organization in the messages of the
	// attempt.
	// +required
	Organization DisplayText `json:"organization,omitempty"`

	// role is the display name of the role in the messages of the attempt.
	// +required
	Role DisplayText `json:"role,omitempty"`

	// language is the language of the messages of the attempt.
	// +required
	Language Language `json:"language,omitempty"`

	// sender is the From header of the mails of the attempt (RFC 5322 section
	// 3.6.2).
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=512
	// +required
	Sender string `json:"sender,omitempty"`

	// resendRequest is the last value of the Invitation's resend annotation that
	// was handled. Unset: none was handled.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ResendRequest string `json:"resendRequest,omitempty"`

	// membershipResendRequest is the last value of the Membership's resend
	// annotation that was handled. Unset: none was handled.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	MembershipResendRequest string `json:"membershipResendRequest,omitempty"`

	// earlier are the previous attempts, newest first, at most 16. They
	// distinguish a superseded link from a link that never existed.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	Earlier []EarlierAttempt `json:"earlier,omitempty"`
}

// Begun reports whether an attempt has begun.
func (a Attempt) Begun() bool { return a.Number != 0 }

// EarlierAttempt is the record of an attempt that remains after a newer attempt
// began.
type EarlierAttempt struct {
	// number is the number of the attempt.
	// +kubebuilder:validation:Minimum=1
	// +required
	Number int32 `json:"number,omitempty"`

	// keyID identifies the key with which the link of the attempt was made.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=255
	// +required
	KeyID int32 `json:"keyID,omitempty"`

	// claimTime is the time at which the attempt began.
	// +required
	ClaimTime *metav1.Time `json:"claimTime,omitempty"`
}

// DeliveryPurpose is the purpose of a message.
//
// +kubebuilder:validation:Enum=Invitation;Confirmation;Joined;Declined;Code;Reset;Locked;CodesLocked;Unlocked;PasswordChanged;SecondFactorChanged;UserNames
type DeliveryPurpose string

// The purposes of messages.
const (
	// PurposeInvitation carries the link to the invited person.
	PurposeInvitation DeliveryPurpose = "Invitation"
	// PurposeConfirmation confirms to the person that they joined, and says how to
	// sign in.
	PurposeConfirmation DeliveryPurpose = "Confirmation"
	// PurposeJoined informs an owner, or the chat, that a person joined.
	PurposeJoined DeliveryPurpose = "Joined"
	// PurposeDeclined informs an owner that a person declined.
	PurposeDeclined DeliveryPurpose = "Declined"
	// PurposeCode carries the code that confirms another address, or the address of
	// an Account.
	PurposeCode DeliveryPurpose = "Code"
	// PurposeReset carries the link for a new password.
	PurposeReset DeliveryPurpose = "Reset"
	// PurposeLocked informs the person that wrong passwords locked their Account.
	PurposeLocked DeliveryPurpose = "Locked"
	// PurposeCodesLocked informs the person that wrong codes locked their second
	// factor, and that their password is known.
	PurposeCodesLocked DeliveryPurpose = "CodesLocked"
	// PurposeUnlocked informs the person that an admin or a manager unlocked their
	// Account.
	PurposeUnlocked DeliveryPurpose = "Unlocked"
	// PurposePasswordChanged informs the person that their password was changed.
	PurposePasswordChanged DeliveryPurpose = "PasswordChanged"
	// PurposeSecondFactorChanged informs the person that a second factor was added
	// or removed.
	PurposeSecondFactorChanged DeliveryPurpose = "SecondFactorChanged"
	// PurposeUserNames carries the user names that belong to the person's address.
	PurposeUserNames DeliveryPurpose = "UserNames"
)

// Medium is the medium of a message.
//
// +kubebuilder:validation:Enum=Email;SMS;Link;Chat
type Medium string

// The media.
const (
	// MediumEmail delivers through the mail server.
	MediumEmail Medium = "Email"
	// MediumSMS delivers through the SMS gateway.
	MediumSMS Medium = "SMS"
	// MediumLink delivers to a Secret in the home namespace.
	MediumLink Medium = "Link"
	// MediumChat delivers to the chat of the Organization.
	MediumChat Medium = "Chat"
)

// Delivery is one message to one recipient, together with the claim of the
// process that is sending it.
type Delivery struct {
	// name identifies the delivery within its Invitation or Account.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=127
	// +required
	Name string `json:"name,omitempty"`

	// purpose is the purpose of the message.
	// +required
	Purpose DeliveryPurpose `json:"purpose,omitempty"`

	// medium is the medium of the message.
	// +required
	Medium Medium `json:"medium,omitempty"`

	// recipient is the mail address, the phone number, or the name of the Secret.
	// Unset: the chat of the Organization.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=254
	// +optional
	Recipient string `json:"recipient,omitempty"`

	// language is the language of the message. Unset: the language of the attempt,
	// if one exists.
	// +optional
	Language Language `json:"language,omitempty"`

	// permissions are the permissions that a confirmation lists, one line each, as
	// they were when the person joined. Unset: the message lists none.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +listType=atomic
	// +optional
	Permissions []string `json:"permissions,omitempty"`

	// messageID is the Message-ID of a mail (RFC 5322 section 3.6.4), without
	// angle brackets. Unset: the message is not a mail, or was not claimed yet.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +optional
	MessageID string `json:"messageID,omitempty"`

	// sender is the From header of a mail (RFC 5322 section 3.6.2), as it was when
	// the mail was first claimed. Unset: the sender of the attempt, if one exists.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Sender string `json:"sender,omitempty"`

	// claimTime is the time at which the message was first claimed, and the Date
	// header of a mail. Unset: the message was not claimed yet.
	// +optional
	ClaimTime *metav1.Time `json:"claimTime,omitempty"`

	// tries counts how often Usher has tried to send the message. Unset: never.
	// +kubebuilder:validation:Minimum=1
	// +optional
	Tries int32 `json:"tries,omitempty"`

	// tryTime is the time at which the last try began. Unset: there was none.
	// +optional
	TryTime *metav1.Time `json:"tryTime,omitempty"`

	// unconfirmed counts the tries with an unknown outcome. In these, the
	// recipient's server never confirmed the message, or the process died while
	// sending it. Up to this many copies may have arrived. Unset: none.
	// +kubebuilder:validation:Minimum=1
	// +optional
	Unconfirmed int32 `json:"unconfirmed,omitempty"`

	// holder is the process that is making the last try. Unset: the try has ended,
	// and result records how.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Holder string `json:"holder,omitempty"`

	// result is the result of the last try. Unset: not known yet, or never known
	// because the process died.
	// +optional
	Result DeliveryResult `json:"result,omitempty"`

	// sentTime is the time at which the message was taken, or was tried for the
	// last time. Unset: neither has happened yet.
	// +optional
	SentTime *metav1.Time `json:"sentTime,omitempty"`

	// message is a short form of the reply to a try that was not confirmed. Unset:
	// there is none.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Message string `json:"message,omitempty"`
}

// DeliveryResult is the result of one try to send a message.
//
// +kubebuilder:validation:Enum=Sent;TemporaryFailure;Refused;Withdrawn
type DeliveryResult string

// The results of a try.
const (
	// DeliverySent means that the receiving server took responsibility for the
	// message. It is also the result of an SMS or a chat message that was sent
	// twice without confirmation, because Usher does not send it again; message
	// then reports this.
	DeliverySent DeliveryResult = "Sent"
	// DeliveryTemporaryFailure means that this try failed. Usher retries with the
	// same bytes.
	DeliveryTemporaryFailure DeliveryResult = "TemporaryFailure"
	// DeliveryRefused means that the receiving server refused the message
	// permanently.
	DeliveryRefused DeliveryResult = "Refused"
	// DeliveryWithdrawn means that the message was delivered and then removed
	// again together with the link.
	DeliveryWithdrawn DeliveryResult = "Withdrawn"
)

// ReasonUnconfirmed means that a message counts as sent although its delivery
// was never confirmed. Used for the condition Delivered and for events.
const ReasonUnconfirmed = "Unconfirmed"

// Claimed reports whether the message was ever claimed.
func (d Delivery) Claimed() bool { return d.Tries != 0 }
