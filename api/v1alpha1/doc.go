// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 contains the API of Usher: the four kinds of the API group
// accounts.usher.dev, the condition types that each kind reports, and the
// reasons of those conditions.
//
// # Who writes what
//
//   - Specs belong to people and to Git. Usher creates some objects itself, but
//     it never writes to the spec of an object that it did not create.
//   - The status of each kind has one writer, the controller of that kind. The
//     portal writes a few fields that record what a person does. In an
//     Invitation, that is the person's answer. In an Account, it is the person's
//     sign-ins, credentials and requests.
//
// +kubebuilder:object:generate=true
// +groupName=accounts.usher.dev
package v1alpha1
