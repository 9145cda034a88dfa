// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Acceptance is a person's yes to an Invitation.
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

// Decline is a person's no to an Invitation.
type Decline struct {
	// declinedTime is when it was said.
	// +required
	DeclinedTime *metav1.Time `json:"declinedTime,omitempty"`

	// reason is what the person wrote about it: whatever they liked, so that
	// nothing is to be believed of it. Unset: nothing.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\x00-\\\\x09\\\\x0b-\\\\x1f\\\\x7f-\\\\x9f\\u00ad\\u115f\\u1160\\u200b\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\U000e0000-\\U000e007f]')",message="must be plain text, without characters that cannot be seen other than line breaks"
	// +optional
	Reason string `json:"reason,omitempty"`
}

// Given tells whether there is an answer at all.
func (d Decline) Given() bool { return d.DeclinedTime != nil }

// OtherAddress is an address that a person wants to accept with in place of the
// invited one, and the request for a code that shows that it is theirs.
type OtherAddress struct {
	// email is the address.
	// +required
	Email EmailAddress `json:"email,omitempty"`

	// requestTime is when the code was asked for; it counts for ten minutes.
	// +required
	RequestTime *metav1.Time `json:"requestTime,omitempty"`

	// requests counts the codes that were asked for with the current attempt's link.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=5
	// +required
	Requests int32 `json:"requests,omitempty"`
}

// Given tells whether a code was asked for at all.
func (o OtherAddress) Given() bool { return o.Requests != 0 }
