// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// SignInRules defines how the members of an Organization sign in. If an Account
// belongs to several Organizations, the strictest of their rules apply.
//
// +kubebuilder:validation:MinProperties=1
type SignInRules struct {
	// maxFailures is the number of consecutive wrong passwords that locks an
	// Account, from 3 to 100. Unset: 5.
	// +kubebuilder:validation:Minimum=3
	// +kubebuilder:validation:Maximum=100
	// +optional
	MaxFailures int32 `json:"maxFailures,omitempty"`

	// twoFactor decides whether members need a second factor. With Required,
	// people cannot join without one, and members who have none lose their access
	// after the grace period. With Optional, they can do without. Unset: Optional.
	// +optional
	TwoFactor TwoFactorRule `json:"twoFactor,omitempty"`

	// twoFactorGraceSeconds is the grace period, in seconds, for which members
	// without a second factor keep their access once twoFactor is Required:
	// from 60 to 7776000 (90 days). Unset: 604800 (7 days).
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=7776000
	// +optional
	TwoFactorGraceSeconds int32 `json:"twoFactorGraceSeconds,omitempty"`
}

// TwoFactorRule decides whether members need a second factor.
//
// +kubebuilder:validation:Enum=Required;Optional
type TwoFactorRule string

// The rules for second factors.
const (
	TwoFactorRequired TwoFactorRule = "Required"
	TwoFactorOptional TwoFactorRule = "Optional"
)
