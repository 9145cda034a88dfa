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
	"github.com/usher-dev/usher/internal/notifier"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

var me = delivery.Process{ClaimOwner: "usher-1", Deadline: time.Minute}

// media are the same as those that the Carriers describe.
var media = notifier.Media()

// tried is a delivery whose last send began the given time before noon.
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
		"no deliveries":                         {},
		"one that was never begun":              {[]accountsv1.Delivery{{Name: "email"}}, "email", 0},
		"the first of two":                      {[]accountsv1.Delivery{{Name: "email"}, {Name: "sms"}}, "email", 0},
		"all are finished":                      {[]accountsv1.Delivery{tried("a", "", sent, 1, 0), tried("b", "", refused, 1, 0), tried("c", "", dropped, 1, 0)}, "", 0},
		"the first is finished":                 {[]accountsv1.Delivery{tried("a", "", sent, 1, 0), {Name: "b"}}, "b", 0},
		"this process claimed, and never began": {[]accountsv1.Delivery{tried("a", "usher-1", "", 1, 0)}, "a", 0},
		"another process may be sending":        {[]accountsv1.Delivery{tried("a", "usher-2", "", 1, 20*time.Second)}, "", 41 * time.Second},
		"another process was sending, and its deadline has passed": {
			[]accountsv1.Delivery{tried("a", "usher-2", "", 1, 61*time.Second)}, "a", 0,
		},
		"the server failed temporarily, and the backoff is over": {
			[]accountsv1.Delivery{tried("a", "", notNow, 1, delivery.FirstBackoff)}, "a", 0,
		},
		"one waits, and a later one waits less": {
			[]accountsv1.Delivery{tried("a", "usher-2", "", 1, 0), tried("b", "usher-2", "", 1, 30*time.Second)}, "", 31 * time.Second,
		},
		"one waits, and a later one waits longer": {
			[]accountsv1.Delivery{tried("a", "usher-2", "", 1, 30*time.Second), tried("b", "usher-2", "", 1, 0)}, "", 31 * time.Second,
		},
		"one waits, and a later one is due": {[]accountsv1.Delivery{tried("a", "usher-2", "", 1, 0), {Name: "b"}}, "b", 0},
		"the server failed temporarily": {
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
				t.Errorf("%q is due after %s, not %q after %s", got, after, c.due, c.after)
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
	media.End(all, "email", accountsv1.DeliveryTemporaryFailure, "not now", noon)
	want.Holder, want.Result, want.Message = "", accountsv1.DeliveryTemporaryFailure, "not now"
	if diff := cmp.Diff(want, all[1]); diff != "" {
		t.Errorf("ended: -want +got\n%s", diff)
	}

	// The input of the bytes is that of the first send.
	later := metav1.NewTime(noon.Add(time.Minute))
	again := delivery.Process{ClaimOwner: "usher-2"}.Next(*d, later.Time)
	again.MessageID = "2@example.com"
	delivery.Begin(d, again)
	want.Tries, want.TryTime, want.Holder, want.Result, want.Message = 2, &later, "usher-2", "", ""
	if diff := cmp.Diff(want, all[1]); diff != "" {
		t.Errorf("repeated: -want +got\n%s", diff)
	}
	media.End(all, "email", accountsv1.DeliverySent, "", later.Add(time.Millisecond))
	want.Holder, want.Result, want.SentTime = "", accountsv1.DeliverySent, &later
	if diff := cmp.Diff(want, all[1]); diff != "" {
		t.Errorf("sent: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(accountsv1.Delivery{Name: "other"}, all[0]); diff != "" {
		t.Errorf("another delivery has changed:\n%s", diff)
	}
}

func TestAMessageWhoseAnswerIsLostIsNotSentWithoutEnd(t *testing.T) {
	cases := map[accountsv1.Medium]struct {
		copies int
		last   accountsv1.DeliveryResult
	}{
		accountsv1.MediumSMS:   {2, accountsv1.DeliverySent},
		accountsv1.MediumChat:  {2, accountsv1.DeliverySent},
		accountsv1.MediumEmail: {7, accountsv1.DeliveryTemporaryFailure}, // the same bytes; never given up
	}
	for medium, c := range cases {
		t.Run(string(medium), func(t *testing.T) {
			all := []accountsv1.Delivery{{Name: "it", Medium: medium}}
			copies, week := 0, noon.Add(7*24*time.Hour)
			for at := noon; at.Before(week); {
				due, after := me.Due(all, "6f1c2d3e", at)
				if due == nil && after == 0 {
					break
				}
				if due == nil {
					at = at.Add(after)
					continue
				}
				copies++
				delivery.Begin(&all[0], me.Next(*due, at))
				media.End(all, "it", delivery.Unconfirmed, "no answer", at)
			}
			if copies != c.copies || all[0].Result != c.last || int(all[0].Unconfirmed) != copies {
				t.Errorf("%d copies were sent in a week, not %d; in the end it is %+v", copies, c.copies, all[0])
			}
			if all[0].Message != "no answer" {
				t.Errorf("the recorded answer is %q", all[0].Message)
			}
		})
	}
}

func TestUnconfirmedSends(t *testing.T) {
	const notNow = accountsv1.DeliveryTemporaryFailure
	cases := map[string]struct {
		unconfirmed int32
		tries       int32
		least, most time.Duration
	}{
		"no answer was lost":              {0, 1, 9 * time.Second, 10 * time.Second},
		"a mail is sent again soon":       {1, 1, 4 * time.Minute, 5 * time.Minute},
		"the next one is rarer":           {2, 2, 18 * time.Minute, 18 * time.Minute},
		"after many, sends are very rare": {6, 6, 76 * time.Hour, 77 * time.Hour},
		"any number is possible":          {1 << 30, 1 << 30, 365 * 24 * time.Hour, 3 * 365 * 24 * time.Hour},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := tried("email", "", notNow, c.tries, 0)
			d.Medium, d.Unconfirmed = accountsv1.MediumEmail, c.unconfirmed
			if _, after := me.Due([]accountsv1.Delivery{d}, "6f1c2d3e", noon); after < c.least || after > c.most {
				t.Errorf("it is sent again after %s", after)
			}
		})
	}
}

func TestSendOfADeadProcessIsUnconfirmed(t *testing.T) {
	cases := map[string]struct {
		holder string
		spent  bool
	}{
		"another process ended during the second send": {"usher-2", true},
		"this process never began the send":            {"usher-1", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := tried("sms", c.holder, "", 2, time.Hour)
			d.Medium, d.Unconfirmed = accountsv1.MediumSMS, 1
			delivery.Begin(&d, me.Next(d, noon))
			if media.MayNotResend(d) != c.spent {
				t.Errorf("after a claim it is %+v", d)
			}
		})
	}
}

func TestASenderIsThatOfTheFirstTry(t *testing.T) {
	d := accountsv1.Delivery{Name: "email", Medium: accountsv1.MediumEmail}
	first := me.Next(d, noon)
	first.Sender = "people@acme.example"
	delivery.Begin(&d, first)
	again := me.Next(d, noon)
	again.Sender = "others@acme.example"
	delivery.Begin(&d, again)
	if d.Sender != "people@acme.example" {
		t.Errorf("the sender is %s", d.Sender)
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
			t.Errorf("after %d sends it waits %v", tries, wait)
		}
		waited += wait
		asked++
	}
	if asked > 20 {
		t.Errorf("in an hour, the mail server was contacted %d times", asked)
	}
}
