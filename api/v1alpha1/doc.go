// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 is the contract of Usher: the four kinds of the API group
// accounts.usher.dev, the condition types that each of them reports, and the
// reasons those conditions can have.
//
// Specs are written by people and by Git, and by nobody else: Usher never
// writes to a spec that it did not itself create. Status is written by the one
// controller of the kind; the only exception is the acceptance of an
// Invitation, which the portal writes and nothing else.
//
// +kubebuilder:object:generate=true
// +groupName=accounts.usher.dev
package v1alpha1
