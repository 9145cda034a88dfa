// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// SignInRules is how the members of an Organization sign in. Of several
// Organizations of one Account the strictest rules count.
//
// +kubebuilder:validation:MinProperties=1
type SignInRules struct {
	// maxFailures is how many wrong passwords in a row lock an Account, from 3
	// to 100. Unset: 5.
	// +kubebuilder:validation:Minimum=3
	// +kubebuilder:validation:Maximum=100
	// +optional
	MaxFailures int32 `json:"maxFailures,omitempty"`

	// twoFactor is Required, where nobody becomes a member without a second
	// factor and members without one lose their access after a time of grace,
	// or Optional. Unset: Optional.
	// +optional
	TwoFactor TwoFactorRule `json:"twoFactor,omitempty"`

	// twoFactorGraceSeconds is how long members who have no second factor keep
	// their access once it is Required, in seconds, from 60 to 90 days. Unset:
	// 7 days.
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=7776000
	// +optional
	TwoFactorGraceSeconds int32 `json:"twoFactorGraceSeconds,omitempty"`
}

// TwoFactorRule says whether members need a second factor.
//
// +kubebuilder:validation:Enum=Required;Optional
type TwoFactorRule string

// The rules for second factors.
const (
	TwoFactorRequired TwoFactorRule = "Required"
	TwoFactorOptional TwoFactorRule = "Optional"
)
