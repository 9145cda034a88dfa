// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package condition builds the condition list of a status from what was seen,
// so that every kind keeps the kstatus contract in the same way: Ready always;
// Reconciling or Stalled only while True, and never both. It is pure.
package condition

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// Set is a condition list in the making. A condition that is not set again is
// dropped; one whose status has not changed keeps its transition time.
type Set struct {
	now        time.Time
	generation int64
	before     []metav1.Condition
	list       []metav1.Condition
}

// New begins a list for an object of the given generation, at the given time,
// whose conditions were as in before.
func New(now time.Time, generation int64, before []metav1.Condition) *Set {
	return &Set{now: now, generation: generation, before: before}
}

// Set says that a condition has this status, for this reason.
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

// True says that a condition is True.
func (s *Set) True(conditionType, reason, message string) {
	s.Set(conditionType, metav1.ConditionTrue, reason, message)
}

// False says that a condition is False.
func (s *Set) False(conditionType, reason, message string) {
	s.Set(conditionType, metav1.ConditionFalse, reason, message)
}

// Either says that a condition is True for one reason, or False for another.
func (s *Set) Either(conditionType string, holds bool, whenTrue, whenFalse, message string) {
	if holds {
		s.True(conditionType, whenTrue, message)
		return
	}
	s.False(conditionType, whenFalse, message)
}

// Ready says that nothing is left to do.
func (s *Set) Ready(reason, message string) {
	s.True(accountsv1.ConditionReady, reason, message)
}

// Reconciling says that Usher is at work, or waits for something that can
// appear by itself.
func (s *Set) Reconciling(reason, message string) {
	s.False(accountsv1.ConditionReady, reason, message)
	s.True(accountsv1.ConditionReconciling, reason, message)
}

// Stalled says that a manifest or the platform must change before Usher can go on.
func (s *Set) Stalled(reason, message string) {
	s.False(accountsv1.ConditionReady, reason, message)
	s.True(accountsv1.ConditionStalled, reason, message)
}

// Keep takes over from before every condition that was not set and that is
// none of kstatus' own: what a failed look did not see is as it was.
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

// List is the finished list.
func (s *Set) List() []metav1.Condition { return s.list }
