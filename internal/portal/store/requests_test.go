// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// requested returns the Account of Jane, with a Membership of Acme that requests a reset
// link for her as of the given time.
func requested(t *testing.T, at time.Time) *storetest.World {
	t.Helper()
	a := storetest.Recorded(storetest.MadeFor(storetest.JaneUID, "jane"))
	a.Annotations[accountsv1.MembershipsAnnotation] = storetest.Home + "/jane"
	m := &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: storetest.Home, Name: "jane",
			Annotations: map[string]string{accountsv1.ResetAnnotation: at.Format(time.RFC3339)},
		},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: a.Spec.Email, Role: "developer",
		},
	}
	return storetest.NewWorld(t, a, m)
}

func times(w *storetest.World) []metav1.Time { return w.Account("jane").Status.ResetTimes }

func TestARequestByAnnotationIsRecordedOnce(t *testing.T) {
	w := requested(t, storetest.Start)
	names, err := w.Store().Holders(t.Context(), client.ObjectKey{Namespace: storetest.Home, Name: "jane"})
	w.Must(err)
	if len(names) != 1 || names[0] != "jane" {
		t.Errorf("the holders are %q", names)
	}
	for range 3 {
		after, err := w.Store().RecordResetRequests(t.Context(), "jane")
		w.Must(err)
		if got := times(w); len(got) != 1 || !got[0].Time.Equal(storetest.Start) || after != 0 {
			t.Fatalf("recorded %v, and again after %s", got, after)
		}
		w.Clock.Step(time.Minute)
	}
}

func TestARequestByAnnotationWaitsForItsTime(t *testing.T) {
	w := requested(t, storetest.Start.Add(time.Second))
	after, err := w.Store().RecordResetRequests(t.Context(), "jane")
	w.Must(err)
	if after != time.Second || len(times(w)) != 0 {
		t.Errorf("recorded %v, and again after %s", times(w), after)
	}
	for name, want := range map[string]int{"nobody": 0, "jane": 1} {
		w.Clock.SetTime(storetest.Start.Add(time.Second))
		after, err = w.Store().RecordResetRequests(t.Context(), name)
		w.Must(err)
		if after != 0 || name == "jane" && len(times(w)) != want {
			t.Errorf("%s: recorded %v, and again after %s", name, times(w), after)
		}
	}
}

// organizationReads counts the reads of Organizations.
type organizationReads struct {
	client.Reader
	count int
}

func (r *organizationReads) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	if _, is := obj.(*accountsv1.Organization); is {
		r.count++
	}
	return r.Reader.Get(ctx, key, obj, opts...)
}

func TestAnAccountWithoutARequestCostsNoReadOfAnOrganization(t *testing.T) {
	w := requested(t, storetest.Start)
	m := &accountsv1.Membership{}
	w.Must(w.Client.Get(t.Context(), client.ObjectKey{Namespace: storetest.Home, Name: "jane"}, m))
	m.Annotations = nil
	w.Must(w.Client.Update(t.Context(), m))
	s := w.Store()
	reads := &organizationReads{Reader: s.Reader}
	s.Reader = reads
	after, err := s.RecordResetRequests(t.Context(), "jane")
	w.Must(err)
	if after != 0 || len(times(w)) != 0 || reads.count != 0 {
		t.Errorf("recorded %v, and again after %s, with %d reads of Organizations", times(w), after, reads.count)
	}
}

// TestSeveralPortalsRecordARequestOnce has portals record one request in many orders, with
// and without lost answers.
func TestSeveralPortalsRecordARequestOnce(t *testing.T) {
	for _, fault := range []func(*storetest.World) *storetest.Tapped{
		storetest.DoBefore("note account", func(w *storetest.World) {
			_, err := w.Store().RecordResetRequests(context.Background(), "jane")
			w.Must(err)
		}),
		storetest.DoAfter("note account", func(w *storetest.World) {
			_, err := w.Store().RecordResetRequests(context.Background(), "jane")
			w.Must(err)
		}),
		storetest.LoseAnswer("note account"),
	} {
		w := requested(t, storetest.Start)
		tap := fault(w)
		if _, err := w.Through(tap).RecordResetRequests(t.Context(), "jane"); err != nil {
			// The next reconciliation finds the request recorded.
			_, err = w.Store().RecordResetRequests(t.Context(), "jane")
			w.Must(err)
		}
		if got := times(w); len(got) != 1 {
			t.Errorf("recorded %v", got)
		}
	}
}

func TestNoRequestIsRecordedForAnOwnerOfAnotherOrganization(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *storetest.World, m *accountsv1.Membership)
		want   int
	}{
		"a member there": {func(*storetest.World, *accountsv1.Membership) {}, 1},
		"an owner there": {func(_ *storetest.World, m *accountsv1.Membership) { m.Spec.Role = "owner" }, 0},
		// The Organization still relies on this owner, and so does the rule.
		"a retained owner there": {func(_ *storetest.World, m *accountsv1.Membership) {
			m.Spec.Role, m.Finalizers = "owner", []string{accountsv1.Finalizer}
			m.DeletionTimestamp = &metav1.Time{Time: storetest.Start}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := requested(t, storetest.Start)
			org := &accountsv1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "globex"}, Spec: accountsv1.OrganizationSpec{
				Namespace: "globex", Roles: []accountsv1.Role{{Name: "developer"}, {Name: "owner", Standing: accountsv1.StandingOwner}},
			}}
			org.Status.Owners = []accountsv1.OwnerStatus{{Name: "jane", Role: "owner"}}
			m := &accountsv1.Membership{ObjectMeta: metav1.ObjectMeta{Namespace: "globex", Name: "jane"}, Spec: accountsv1.MembershipSpec{
				OrganizationRef: accountsv1.OrganizationReference{Name: "globex"}, Email: w.Account("jane").Spec.Email, Role: "developer",
			}}
			c.change(w, m)
			a := w.Account("jane")
			a.Annotations[accountsv1.MembershipsAnnotation] += ",globex/jane"
			world := storetest.NewWorld(t, a, org, m)
			world.Must(nil)
			asked := &accountsv1.Membership{}
			w.Must(w.Client.Get(t.Context(), client.ObjectKey{Namespace: storetest.Home, Name: "jane"}, asked))
			asked.ResourceVersion = ""
			world.Must(world.Client.Create(t.Context(), asked))
			_, err := world.Store().RecordResetRequests(t.Context(), "jane")
			world.Must(err)
			if got := len(times(world)); got != c.want {
				t.Errorf("recorded %d requests, not %d", got, c.want)
			}
		})
	}
}
