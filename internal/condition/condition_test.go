// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package condition

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestSetKeepsTransitionTimesAndDropsOldConditions(t *testing.T) {
	then := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	now := then.Add(time.Hour)
	first := New(then, 1, nil)
	first.Reconciling("Sending", "On its way.")
	first.False("Active", "NotAccepted", "Not accepted yet.")
	first.False("Expired", "NotExpired", "Time is left.")

	second := New(now, 2, first.List())
	second.Ready("AwaitingAcceptance", "It was sent.")
	second.False("Active", "NotAccepted", "It was sent.")
	second.Keep()

	want := []metav1.Condition{
		{Type: "Ready", Status: "True", Reason: "AwaitingAcceptance", Message: "It was sent.", ObservedGeneration: 2, LastTransitionTime: metav1.NewTime(now)},
		{Type: "Active", Status: "False", Reason: "NotAccepted", Message: "It was sent.", ObservedGeneration: 2, LastTransitionTime: metav1.NewTime(then)},
		{Type: "Expired", Status: "False", Reason: "NotExpired", Message: "Time is left.", ObservedGeneration: 1, LastTransitionTime: metav1.NewTime(then)},
	}
	if diff := cmp.Diff(want, second.List()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
