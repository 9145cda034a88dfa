// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package condition builds the condition list of a status from observations, so that
// every kind follows the kstatus contract in the same way. Ready is always present.
// Reconciling and Stalled are present only while True, and never both. The package is
// pure.
package condition

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// Set builds a condition list. A condition that is not set again is dropped. A
// condition whose status has not changed keeps its transition time.
type Set struct {
	now        time.Time
	generation int64
	before     []metav1.Condition
	list       []metav1.Condition
}

// New starts a list for an object of the given generation at the given time. The
// previous conditions are before.
func New(now time.Time, generation int64, before []metav1.Condition) *Set {
	return &Set{now: now, generation: generation, before: before}
}

// Set sets a condition to this status, for this reason.
func (s *Set) Set(conditionType string, status metav1.ConditionStatus, reason, message string) {
	transition := metav1.NewTime(s.now.Truncate(time.Second))
	if old := meta.FindStatusCondition(s.before, conditionType); old != nil && old.Status == status {
		transition = old.LastTransitionTime
	}
	meta.SetStatusCondition(&s.list, metav1.Condition{
		Type: conditionType, Status: status, Reason: reason, Message: message,
		ObservedGeneration: s.generation, LastTransitionTime: transition,
	})
}

// True sets a condition to True.
func (s *Set) True(conditionType, reason, message string) {
	s.Set(conditionType, metav1.ConditionTrue, reason, message)
}

// False sets a condition to False.
func (s *Set) False(conditionType, reason, message string) {
	s.Set(conditionType, metav1.ConditionFalse, reason, message)
}

// Either sets a condition to True for one reason, or to False for another.
func (s *Set) Either(conditionType string, holds bool, whenTrue, whenFalse, message string) {
	if holds {
		s.True(conditionType, whenTrue, message)
		return
	}
	s.False(conditionType, whenFalse, message)
}

// Ready reports that nothing is left to do.
func (s *Set) Ready(reason, message string) {
	s.True(accountsv1.ConditionReady, reason, message)
}

// Reconciling reports that Usher is at work, or waits for something that can appear
// without a change by an admin.
func (s *Set) Reconciling(reason, message string) {
	s.False(accountsv1.ConditionReady, reason, message)
	s.True(accountsv1.ConditionReconciling, reason, message)
}

// Stalled reports that an admin must change a manifest or the platform before Usher can
// continue.
func (s *Set) Stalled(reason, message string) {
	s.False(accountsv1.ConditionReady, reason, message)
	s.True(accountsv1.ConditionStalled, reason, message)
}

// Keep copies every previous condition that was not set again, except those of kstatus.
// So conditions that a failed reconciliation did not observe stay unchanged.
func (s *Set) Keep() {
	for _, old := range s.before {
		switch old.Type {
		case accountsv1.ConditionReady, accountsv1.ConditionReconciling, accountsv1.ConditionStalled:
			continue
		}
		if meta.FindStatusCondition(s.list, old.Type) == nil {
			s.list = append(s.list, old)
		}
	}
}

// List returns the finished list.
func (s *Set) List() []metav1.Condition { return s.list }
