// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

func TestDeliveries(t *testing.T) {
	situations{
		"another process is sending": {someFacts(tried(other, "", 1), at(30*time.Second)), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "wait 31s",
		}},
		"another process was sending, and its deadline has passed": {someFacts(tried(other, "", 1), at(61*time.Second)), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "claim email 2",
		}},
		"this process claimed and never began to send": {someFacts(tried(me, "", 1)), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "claim email 2",
		}},
		"the mail server failed temporarily": {someFacts(tried(me, accountsv1.DeliveryTemporaryFailure, 1)), says{
			"Sending", "False TemporaryFailure Reconciling", "False NotAccepted", "False TemporaryFailure", "wait 9.98s",
		}},
		"the backoff is over": {someFacts(tried(me, accountsv1.DeliveryTemporaryFailure, 1), at(10*time.Second)), says{
			"Sending", "False TemporaryFailure Reconciling", "False NotAccepted", "False TemporaryFailure", "claim email 2",
		}},
		"the mail server refused it permanently": {someFacts(tried(me, accountsv1.DeliveryRefused, 1)), says{
			"Failed", "False Refused Stalled", "False Refused", "False Refused", "wait",
		}},
		"one channel sent, one is next": {someFacts(by("Email", "SMS"), tried("", "", 0), delivered("email", "Sent")), says{
			"Pending", "False Sending Reconciling", "False NotAccepted", "True AwaitingAcceptance", "claim sms 1",
		}},
		"one channel sent, one refused permanently": {
			someFacts(by("Email", "SMS"), tried(me, accountsv1.DeliverySent, 1), delivered("sms", "Refused")), says{
				"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s",
			},
		},
		"a dead link in a Secret": {
			someFacts(by("Link"), tried(me, accountsv1.DeliverySent, 1), declining), says{
				"Declined", "True Declined", "False Declined", "False Declined", "withdraw link",
			},
		},
		"sent, and not marked as sent yet": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), func(f *Facts) { f.Invitation.Annotations = nil }), says{
				"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "mark",
			},
		},
		"one channel is retried, one sent": {
			someFacts(by("SMS", "Email"), tried(me, accountsv1.DeliverySent, 1), delivered("sms", "TemporaryFailure"), at(0)), says{
				"Pending", "False TemporaryFailure Reconciling", "False NotAccepted", "True AwaitingAcceptance", "wait 9.09s",
			},
		},
		"all channels refused permanently": {
			someFacts(by("Email", "SMS"), tried(me, accountsv1.DeliveryRefused, 1)), says{
				"Failed", "False Refused Stalled", "False Refused", "False Refused", "wait",
			},
		},
		"all channels refused permanently, and a code is planned": {
			someFacts(codeFor("doe@example.net", 1), tried(me, accountsv1.DeliveryRefused, 1), func(f *Facts) {
				f.Invitation.Status.Deliveries = append(f.Invitation.Status.Deliveries, codeDelivery(1, accountsv1.OtherAddress{Requests: 1}))
			}),
			says{"Failed", "False Refused Stalled", "False Refused", "False Refused", "wait"},
		},
		"a link in a Secret, and it was accepted": {
			someFacts(by("Link"), tried(me, accountsv1.DeliverySent, 1), state("Active")), says{
				"Active", "True Accepted", "True Accepted", "False Accepted", "withdraw link",
			},
		},
		"a link in a Secret that has expired": {
			someFacts(by("Link"), tried(me, accountsv1.DeliverySent, 1), at(DefaultValidity)), says{
				"Expired", "True Expired", "False Expired", "False Expired", "withdraw link",
			},
		},
		"a link in a Secret that was withdrawn": {
			someFacts(by("Link"), tried(me, accountsv1.DeliverySent, 1), delivered("link", "Withdrawn"), at(DefaultValidity)), says{
				"Expired", "True Expired", "False Expired", "False Expired", "wait",
			},
		},
		"a link that may be in a Secret and has expired": {
			someFacts(by("Link"), tried(me, accountsv1.DeliveryTemporaryFailure, 1), at(DefaultValidity)), says{
				"Failed", "False TemporaryFailure Stalled", "False NotAccepted", "False TemporaryFailure", "withdraw link",
			},
		},
		"a requested code": {someFacts(tried(me, accountsv1.DeliverySent, 1), codeFor("eve@example.org", 1)), says{
			"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "claim code-1-1 1",
		}},
		"a requested code for an address that is no longer allowed": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), codeFor("eve@example.org", 1), func(f *Facts) { f.Organization.Spec.AddressMatch = "" }), says{
				"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s",
			},
		},
		"a requested code for a denied domain": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), codeFor("eve@example.org", 1), func(f *Facts) {
				f.Organization.Spec.DeniedDomains = []accountsv1.DomainName{"example.org"}
			}),
			says{"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s"},
		},
		"a code requested ten minutes ago": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), codeFor("eve@example.org", 1), at(CodeValidity)), says{
				"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 167h50m0s",
			},
		},
	}.check(t)
}

// codeFor requests the nth code, for an address, where any address can accept.
func codeFor(email accountsv1.EmailAddress, n int32) func(*Facts) {
	return func(f *Facts) {
		f.Organization.Spec.AddressMatch = accountsv1.AddressMatchAnyAddress
		f.Invitation.Status.OtherAddress = accountsv1.OtherAddress{Email: email, RequestTime: second(f.Now), Requests: n}
	}
}

func TestACodeGoesToTheAddressThatItConfirmsAlone(t *testing.T) {
	for name, first := range map[string]accountsv1.DeliveryResult{
		"the first send failed temporarily":       accountsv1.DeliveryTemporaryFailure,
		"the result of the first send is unknown": "",
		"the first code was sent":                 accountsv1.DeliverySent,
		"the first code was refused":              accountsv1.DeliveryRefused,
	} {
		t.Run(name, func(t *testing.T) {
			f := someFacts(tried(me, accountsv1.DeliverySent, 1), codeFor("eve@example.org", 1))
			if did := step(&f, first); did != "claim code-1-1 1" {
				t.Fatalf("it did: %s", did)
			}
			f.Now = f.Now.Add(time.Second)
			codeFor("jane@example.net", 2)(&f)
			sent := 0
			for end := f.Now.Add(time.Hour); f.Now.Before(end); f.Now = f.Now.Add(time.Second) {
				if claim := Decide(f).Claim; claim != nil {
					step(&f, accountsv1.DeliveryTemporaryFailure)
					checkCode(t, f, claim.Name)
					sent++
				}
			}
			if sent < 3 {
				t.Errorf("the code was tried %d times", sent)
			}
		})
	}
}

// checkCode checks which address gets a code, and when.
func checkCode(t *testing.T, f Facts, name string) {
	t.Helper()
	d := Delivery(f.Invitation, name)
	other := f.Invitation.Status.OtherAddress
	if d.Recipient != string(other.Email) {
		t.Fatalf("the code that confirms %s goes to %s", other.Email, d.Recipient)
	}
	if late := f.Now.Sub(other.RequestTime.Time); late >= CodeValidity {
		t.Errorf("a code is sent %s after it was requested", late)
	}
}

func TestChannelsGoOneByOneAndEachByItself(t *testing.T) {
	f := someFacts(by("Email", "SMS", "Link"))
	var did []string
	for _, result := range []accountsv1.DeliveryResult{"TemporaryFailure", "", "Refused", "Sent", "", "Sent", ""} {
		did = append(did, step(&f, result)+" → "+string(f.Invitation.Status.State))
		f.Now = f.Now.Add(5 * time.Second)
	}
	want := []string{
		"attempt 1 → Sending", "mark → Sending", "claim email 2 → Sending", "claim sms 1 → Pending",
		"claim link 1 → Pending", "claim link 2 → Pending", "wait 167h59m30s → Pending",
	}
	if diff := cmp.Diff(want, did); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	ids := map[string]bool{}
	for _, d := range f.Invitation.Status.Deliveries {
		ids[d.MessageID] = true
		if (d.MessageID != "") != (d.Medium == accountsv1.MediumEmail) {
			t.Errorf("%s has the Message-ID %q", d.Name, d.MessageID)
		}
	}
	if len(ids) != 2 {
		t.Errorf("Message-IDs: %v", ids)
	}
}

// A status holds up to 64 deliveries with unique names; the API server refuses more.
func TestThereAreNeverMoreDeliveriesThanAStatusTakes(t *testing.T) {
	for _, yes := range []bool{true, false} {
		f := someFacts(by("Email", "SMS", "Link"), tried(me, accountsv1.DeliverySent, 1))
		for range 9 {
			for n := range int32(MostCodes) {
				f.Now = f.Now.Add(time.Minute)
				codeFor("doe@example.net", n+1)(&f)
				step(&f, accountsv1.DeliveryTemporaryFailure)
			}
			asked(f.Now.Format(time.RFC3339))(&f)
			for Decide(f).Claim != nil { // a new attempt, over each channel
				step(&f, accountsv1.DeliverySent)
			}
		}
		answered(&f, yes, 40, true)
		for range 3 {
			f.Invitation.Status = Report(f)
			state("Pending")(&f) // the status was saved in part, or the answer is seen again
		}
		deliveries := f.Invitation.Status.Deliveries
		names := map[string]bool{}
		for _, d := range deliveries {
			names[d.Name] = true
		}
		if len(deliveries) > 64 || len(names) != len(deliveries) || len(deliveries) < 3+maxCodes-1+maxOwners {
			t.Errorf("there are %d deliveries, of %d names", len(deliveries), len(names))
		}
	}
}

func TestAnEndIsWrittenForTheTryThatEndedAlone(t *testing.T) {
	f := someFacts(by("Email", "SMS"), tried(me, "", 1))
	before := f.Invitation.Status.DeepCopy()
	f.Media.End(f.Invitation.Status.Deliveries, "pigeon", accountsv1.DeliverySent, "", f.Now)
	if diff := cmp.Diff(before, &f.Invitation.Status); diff != "" {
		t.Errorf("of no delivery at all:\n%s", diff)
	}
	f.Media.End(f.Invitation.Status.Deliveries, "sms", accountsv1.DeliveryRefused, "no such number", f.Now)
	if diff := cmp.Diff(before.Deliveries[0], f.Invitation.Status.Deliveries[0]); diff != "" {
		t.Errorf("of another channel:\n%s", diff)
	}
	d := Delivery(f.Invitation, "sms")
	if d.Name != "sms" || d.Result != accountsv1.DeliveryRefused || d.Message != "no such number" || d.Holder != "" || d.SentTime != nil {
		t.Errorf("it ended as %+v", d)
	}
	if d := Delivery(f.Invitation, "pigeon"); d.Name != "" {
		t.Error("there is a delivery by pigeon")
	}
}

func TestDeliveredReportsEachChannel(t *testing.T) {
	f := someFacts(by("Email", "SMS", "Link"), tried(me, "", 1), delivered("email", "Refused"), delivered("sms", "TemporaryFailure"))
	status := Report(f)
	i := slices.IndexFunc(status.Conditions, func(c metav1.Condition) bool { return c.Type == accountsv1.ConditionDelivered })
	want := "Email: refused permanently: because. SMS: retrying: because. Link: being sent."
	if got := status.Conditions[i]; got.Message != want || got.Status != "False" || got.Reason != "Refused" {
		t.Errorf("Delivered is %s %s: %s", got.Status, got.Reason, got.Message)
	}
}

func TestUnconfirmedTextIsReported(t *testing.T) {
	f := someFacts(by("SMS"), tried(me, "", 1), delivered("sms", "Sent"))
	f.Invitation.Status.Deliveries[0].Unconfirmed, f.Invitation.Status.Deliveries[0].Message = 2, "the gateway answered 502"
	f.Invitation.Status = Report(f)
	want := "SMS: sent twice without confirmation: the gateway answered 502."
	if got := (&life{Facts: f}).condition(accountsv1.ConditionDelivered); got.Message != want || got.Reason != "Unconfirmed" {
		t.Errorf("it says %s: %s", got.Reason, got.Message)
	}
}

func TestUndeliveredReportsEachChannel(t *testing.T) {
	f := someFacts(by("Email", "SMS", "Link"), tried(me, "", 1), delivered("email", "TemporaryFailure"), delivered("link", "Refused"), at(DefaultValidity))
	f.Invitation.Status = Report(f)
	want := "The link has expired, and no channel is known to have sent it. " +
		"Email: not sent: because. SMS: not known to have been sent. Link: refused permanently: because. " +
		"Fix the cause; annotate the Invitation or its Membership with accounts.usher.dev/resendRequestedAt to invite again."
	if got := (&life{Facts: f}).condition(accountsv1.ConditionReady); got.Message != want || got.Reason != "TemporaryFailure" {
		t.Errorf("it says %s: %s", got.Reason, got.Message)
	}
}

func TestARepeatIsTheSameMail(t *testing.T) {
	f := someFacts(tried(other, "", 1), at(time.Hour))
	f.Organization.Spec.DisplayName, f.NewestKey, f.MailDomain, f.Sender = "Renamed", 8, "elsewhere.example", "x@elsewhere.example"
	f.Organization.Spec.Language = "it"
	before := f.Invitation.Status.DeepCopy()
	Begin(&f.Invitation.Status, *Decide(f).Claim)
	after := f.Invitation.Status.DeepCopy()
	if after.Deliveries[0].Tries != 2 || after.Deliveries[0].Holder != me {
		t.Errorf("the repeat is not claimed: %+v", after.Deliveries[0])
	}
	for _, s := range []*accountsv1.InvitationStatus{before, after} {
		d := &s.Deliveries[0]
		d.Tries, d.TryTime, d.Holder, d.Unconfirmed = 0, nil, "", 0
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the inputs of the mail have changed: -first +repeat\n%s", diff)
	}
}
