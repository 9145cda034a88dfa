// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package delivery_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

var me = delivery.Process{Holder: "usher-1", Deadline: time.Minute}

// tried is a delivery whose last try was begun so long before noon.
func tried(name, holder string, result accountsv1.DeliveryResult, tries int32, ago time.Duration) accountsv1.Delivery {
	at := metav1.NewTime(noon.Add(-ago))
	return accountsv1.Delivery{Name: name, Holder: holder, Result: result, Tries: tries, ClaimTime: &at, TryTime: &at}
}

func TestTheFirstThatCanBeTriedIsDue(t *testing.T) {
	const (
		sent    = accountsv1.DeliverySent
		notNow  = accountsv1.DeliveryTemporaryFailure
		refused = accountsv1.DeliveryRefused
		dropped = accountsv1.DeliveryWithdrawn
		seed    = "6f1c2d3e"
	)
	cases := map[string]struct {
		all   []accountsv1.Delivery
		due   string
		after time.Duration
	}{
		"there is none":                         {},
		"one that was never begun":              {[]accountsv1.Delivery{{Name: "email"}}, "email", 0},
		"the first of two":                      {[]accountsv1.Delivery{{Name: "email"}, {Name: "sms"}}, "email", 0},
		"all are finished":                      {[]accountsv1.Delivery{tried("a", "", sent, 1, 0), tried("b", "", refused, 1, 0), tried("c", "", dropped, 1, 0)}, "", 0},
		"the first is finished":                 {[]accountsv1.Delivery{tried("a", "", sent, 1, 0), {Name: "b"}}, "b", 0},
		"this process claimed, and never began": {[]accountsv1.Delivery{tried("a", "usher-1", "", 1, 0)}, "a", 0},
		"another process may be at it":          {[]accountsv1.Delivery{tried("a", "usher-2", "", 1, 20*time.Second)}, "", 41 * time.Second},
		"another process was at it, and cannot be any more": {
			[]accountsv1.Delivery{tried("a", "usher-2", "", 1, 61*time.Second)}, "a", 0,
		},
		"the other side said not now, and the pause is over": {
			[]accountsv1.Delivery{tried("a", "", notNow, 1, delivery.FirstBackoff)}, "a", 0,
		},
		"one waits, and a later one waits less": {
			[]accountsv1.Delivery{tried("a", "usher-2", "", 1, 0), tried("b", "usher-2", "", 1, 30*time.Second)}, "", 31 * time.Second,
		},
		"one waits, and a later one waits longer": {
			[]accountsv1.Delivery{tried("a", "usher-2", "", 1, 30*time.Second), tried("b", "usher-2", "", 1, 0)}, "", 31 * time.Second,
		},
		"one waits, and a later one can go": {[]accountsv1.Delivery{tried("a", "usher-2", "", 1, 0), {Name: "b"}}, "b", 0},
		"the other side said not now": {
			[]accountsv1.Delivery{tried("a", "", notNow, 3, time.Second)}, "", delivery.Backoff(3, seed+"a") - time.Second,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			due, after := me.Due(c.all, seed, noon)
			got := ""
			if due != nil {
				got = due.Name
			}
			if got != c.due || after != c.after {
				t.Errorf("it is %q, after %s, not %q, after %s", got, after, c.due, c.after)
			}
		})
	}
}

func TestATryIsClaimedEndedAndRepeated(t *testing.T) {
	all := []accountsv1.Delivery{{Name: "other"}, {Name: "email", Purpose: accountsv1.PurposeReset, Recipient: "jane@example.com"}}
	d := delivery.Find(all, "email")
	first := me.Next(*d, noon.Add(300*time.Millisecond))
	first.MessageID = "1@example.com"
	delivery.Begin(d, first)
	at := metav1.NewTime(noon)
	want := accountsv1.Delivery{
		Name: "email", Purpose: accountsv1.PurposeReset, Recipient: "jane@example.com",
		MessageID: "1@example.com", ClaimTime: &at, Tries: 1, TryTime: &at, Holder: "usher-1",
	}
	if diff := cmp.Diff(want, all[1]); diff != "" {
		t.Errorf("claimed: -want +got\n%s", diff)
	}
	delivery.End(d, accountsv1.DeliveryTemporaryFailure, "not now", noon)
	want.Holder, want.Result, want.Message = "", accountsv1.DeliveryTemporaryFailure, "not now"
	if diff := cmp.Diff(want, all[1]); diff != "" {
		t.Errorf("ended: -want +got\n%s", diff)
	}

	// What the bytes are made of is that of the first try.
	later := metav1.NewTime(noon.Add(time.Minute))
	again := delivery.Process{Holder: "usher-2"}.Next(*d, later.Time)
	again.MessageID = "2@example.com"
	delivery.Begin(d, again)
	want.Tries, want.TryTime, want.Holder, want.Result, want.Message = 2, &later, "usher-2", "", ""
	if diff := cmp.Diff(want, all[1]); diff != "" {
		t.Errorf("repeated: -want +got\n%s", diff)
	}
	delivery.End(d, accountsv1.DeliverySent, "", later.Add(time.Millisecond))
	want.Holder, want.Result, want.SentTime = "", accountsv1.DeliverySent, &later
	if diff := cmp.Diff(want, all[1]); diff != "" {
		t.Errorf("sent: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(accountsv1.Delivery{Name: "other"}, all[0]); diff != "" {
		t.Errorf("another delivery has changed:\n%s", diff)
	}
}

func TestNoDeliveryIsFoundByAnotherName(t *testing.T) {
	if d := delivery.Find([]accountsv1.Delivery{{Name: "email"}}, "pigeon"); d != nil {
		t.Errorf("there is %+v", d)
	}
}

func TestBackoffNeverWaitsLongAndNeverAsksOften(t *testing.T) {
	asked, waited := 1, time.Duration(0)
	for tries := int32(1); waited < time.Hour; tries++ {
		wait := delivery.Backoff(tries, "6f1c2d3e")
		if wait > 5*time.Minute || wait < 9*time.Second {
			t.Errorf("after %d tries it waits %v", tries, wait)
		}
		waited += wait
		asked++
	}
	if asked > 20 {
		t.Errorf("in an hour the mail server was asked %d times", asked)
	}
}
