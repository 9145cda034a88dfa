// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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

// TwoFactor records whether an Account has a second factor.
//
// +kubebuilder:validation:Enum=Enrolled;NotEnrolled
type TwoFactor string

// The values of TwoFactor.
const (
	TwoFactorEnrolled    TwoFactor = "Enrolled"
	TwoFactorNotEnrolled TwoFactor = "NotEnrolled"
)

// SignIn counts the failed sign-ins to an Account. Usher counts each password
// or code before checking it. Passwords and codes are counted and locked
// separately.
//
// +kubebuilder:validation:MinProperties=1
type SignIn struct {
	// failures counts the passwords entered since the last right password, without
	// those from browsers that the person has signed in with before. Unset: none.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	Failures int32 `json:"failures,omitempty"`

	// failureTime is the time at which the last of these passwords was counted.
	// Unset: none was counted.
	// +optional
	FailureTime *metav1.Time `json:"failureTime,omitempty"`

	// locks counts the consecutive locks by passwords that expired. Each lock lasts
	// longer than the one before. Unset: none.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	Locks int32 `json:"locks,omitempty"`

	// codeFailures counts the second-factor codes entered since the last right
	// code. A right password or a new password leaves it unchanged. Unset: none.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	CodeFailures int32 `json:"codeFailures,omitempty"`

	// codeFailureTime is the time at which the last of these codes was counted.
	// Unset: failureTime, which earlier versions of Usher used for codes too.
	// +optional
	CodeFailureTime *metav1.Time `json:"codeFailureTime,omitempty"`

	// codeLocks counts the locks by codes that ended without a right code. Each
	// lock lasts longer than the one before. Unset: none.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	CodeLocks int32 `json:"codeLocks,omitempty"`

	// sessionsEndTime ends every session that began before this time or in the
	// same second. Unset: it ends no session.
	// +optional
	SessionsEndTime *metav1.Time `json:"sessionsEndTime,omitempty"`
}
