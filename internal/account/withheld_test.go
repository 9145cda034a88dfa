// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

const why = "ConfigMap user-name-jane in namespace usher-system"

func withheld(f *Facts) { f.NameWithheld = why }

func asIs(*Acceptance) {}

func deletedNow(f *Facts) {
	deleted := metav1.NewTime(noon.Add(-time.Hour))
	f.Account.DeletionTimestamp = &deleted
}

func TestAnAccountWithAWithheldNameIsNotCompleted(t *testing.T) {
	f := someFacts(accepted(asIs), originAcceptedBy("a1"))
	if Decide(f).Record == nil {
		t.Fatal("an Account is completed with its acceptance")
	}
	// The refusal is reported at once, also while the portal may still work on it.
	for _, age := range []time.Duration{0, time.Minute} {
		withheld(&f)
		f.Account.CreationTimestamp = metav1.NewTime(noon.Add(-age))
		if plan := Decide(f); plan.Record != nil || plan.TwoFactor != "" || plan.Discard || plan.Claim != nil {
			t.Errorf("at the age of %v: %+v", age, plan)
		}
		status := Report(f)
		stalled := meta.FindStatusCondition(status.Conditions, accountsv1.ConditionStalled)
		if status.State != accountsv1.AccountPending || stalled == nil || stalled.Reason != accountsv1.ReasonUserNameWithheld ||
			!strings.Contains(stalled.Message, why) || meta.IsStatusConditionTrue(status.Conditions, accountsv1.ConditionReady) {
			t.Errorf("at the age of %v: %+v", age, status)
		}
	}
}

func TestAnAccountOfAPersonKeepsItsName(t *testing.T) {
	f := someFacts(record("acme/jane"), withheld)
	status := Report(f)
	if status.State != accountsv1.AccountActive || !meta.IsStatusConditionTrue(status.Conditions, accountsv1.ConditionReady) {
		t.Errorf("%+v", status)
	}
	f = someFacts(record(""), accepted(asIs), withheld)
	if Decide(f).Record == nil {
		t.Error("a person whose record became empty cannot join again")
	}
}

func TestAnAccountWithAWithheldNameIsDiscardedWithItsInvitation(t *testing.T) {
	f := someFacts(withheld, func(f *Facts) { f.Origin = nil })
	if !Decide(f).Discard {
		t.Error("it stays")
	}
}

func TestOnlyTheNameOfAPersonIsRetired(t *testing.T) {
	for name, tc := range map[string]struct {
		facts Facts
		want  Plan
	}{
		"a person's Account":            {someFacts(record("acme/jane"), deletedNow), Plan{RemoveFinalizer: true, RetireName: true}},
		"one without Memberships":       {someFacts(record(""), deletedNow), Plan{RemoveFinalizer: true, RetireName: true}},
		"an incomplete Account":         {someFacts(deletedNow), Plan{RemoveFinalizer: true}},
		"one that still has access":     {someFacts(record("acme/jane"), deletedNow, func(f *Facts) { f.BindingsLeft = true }), Plan{}},
		"one without Usher's finalizer": {someFacts(record("acme/jane"), deletedNow, func(f *Facts) { f.Account.Finalizers = nil }), Plan{}},
	} {
		if got := Decide(tc.facts); got.RetireName != tc.want.RetireName || got.RemoveFinalizer != tc.want.RemoveFinalizer {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
