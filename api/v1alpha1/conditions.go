// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// GetConditions returns the conditions in the status.
func (o *Organization) GetConditions() []metav1.Condition { return o.Status.Conditions }

// SetConditions replaces the conditions in the status.
func (o *Organization) SetConditions(c []metav1.Condition) { o.Status.Conditions = c }

// GetConditions returns the conditions in the status.
func (m *Membership) GetConditions() []metav1.Condition { return m.Status.Conditions }

// SetConditions replaces the conditions in the status.
func (m *Membership) SetConditions(c []metav1.Condition) { m.Status.Conditions = c }

// GetConditions returns the conditions in the status.
func (i *Invitation) GetConditions() []metav1.Condition { return i.Status.Conditions }

// SetConditions replaces the conditions in the status.
func (i *Invitation) SetConditions(c []metav1.Condition) { i.Status.Conditions = c }

// GetConditions returns the conditions in the status.
func (a *Account) GetConditions() []metav1.Condition { return a.Status.Conditions }

// SetConditions replaces the conditions in the status.
func (a *Account) SetConditions(c []metav1.Condition) { a.Status.Conditions = c }
