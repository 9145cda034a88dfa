// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Acceptance records that a person accepted an Invitation.
type Acceptance struct {
	// accountRef is the Account that accepted the Invitation.
	// +required
	AccountRef AcceptedAccountReference `json:"accountRef,omitzero"`

	// acceptedTime is the time at which the Invitation was accepted.
	// +required
	AcceptedTime *metav1.Time `json:"acceptedTime,omitempty"`
}

// Given reports whether the Invitation was accepted.
func (a Acceptance) Given() bool { return a.AccountRef.Name != "" }

// AcceptedAccountReference names one Account, but not a later Account of the
// same name.
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

// Decline records that a person declined an Invitation.
type Decline struct {
	// declinedTime is the time at which the Invitation was declined.
	// +required
	DeclinedTime *metav1.Time `json:"declinedTime,omitempty"`

	// reason is the text that the person entered when declining. It is free text,
	// so do not trust what it says. Unset: the person gave no reason.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\x00-\\\\x09\\\\x0b-\\\\x1f\\\\x7f-\\\\x9f\\u00ad\\u115f\\u1160\\u200b\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\U000e0000-\\U000e007f]')",message="must be plain text without invisible characters other than line breaks"
	// +optional
	Reason string `json:"reason,omitempty"`
}

// Given reports whether the Invitation was declined.
func (d Decline) Given() bool { return d.DeclinedTime != nil }

// OtherAddress is an address with which a person wants to accept instead of the
// invited one. It includes the request for the code that confirms the address.
type OtherAddress struct {
	// email is the address to confirm.
	// +required
	Email EmailAddress `json:"email,omitempty"`

	// requestTime is the time at which the person requested the code. The code is
	// valid for ten minutes from then.
	// +required
	RequestTime *metav1.Time `json:"requestTime,omitempty"`

	// requests counts the codes that were requested with the link of the current
	// attempt.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=5
	// +required
	Requests int32 `json:"requests,omitempty"`
}

// Given reports whether a code was requested.
func (o OtherAddress) Given() bool { return o.Requests != 0 }
