// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/invitation"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// acme may send ten invitations a day.
func acme() *accountsv1.Organization {
	return &accountsv1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "acme"}, Spec: accountsv1.OrganizationSpec{InvitationsPerDay: 10}}
}

// invited returns an Invitation of acme to an address.
func invited(n int, email string) *accountsv1.Invitation {
	return &accountsv1.Invitation{
		ObjectMeta: metav1.ObjectMeta{UID: types.UID(fmt.Sprint(n))},
		Spec: accountsv1.InvitationSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: accountsv1.EmailAddress(email),
		},
	}
}

// sentAt returns an Invitation that was sent at a time.
func sentAt(n int, at time.Time) accountsv1.Invitation {
	inv := invited(n, fmt.Sprintf("p%d@example.com", n))
	claimed := metav1.NewTime(at)
	inv.Status.Attempt = accountsv1.Attempt{Number: 1, ClaimTime: &claimed}
	return *inv
}

// beginning returns the claim of a first attempt.
func beginning(at time.Time) invitation.Claim {
	claimed := metav1.NewTime(at)
	return invitation.Claim{
		Try:        delivery.Try{Name: "email", Tries: 1, Time: claimed},
		Attempt:    &accountsv1.Attempt{Number: 1, ClaimTime: &claimed},
		Deliveries: []accountsv1.Delivery{{Name: "email", Purpose: accountsv1.PurposeInvitation, Medium: accountsv1.MediumEmail}},
	}
}

func TestReservationsKeepTheLimitsTogether(t *testing.T) {
	for name, c := range map[string]struct {
		address string
		want    int32
	}{
		"of the Organization": {"p%d@example.com", 10},
		"of a mailbox":        {"j.ane+%d@gmail.com", invitation.MostMailings},
	} {
		t.Run(name, func(t *testing.T) {
			var n Notifier
			var reserved atomic.Int32
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					if _, is := n.Reserve(acme(), invited(i, fmt.Sprintf(c.address, i)), beginning(noon)); is {
						reserved.Add(1)
					}
				})
			}
			all.Wait()
			if reserved.Load() != c.want {
				t.Errorf("%d were reserved, not %d", reserved.Load(), c.want)
			}
		})
	}
}

func TestAReleasedReservationDoesNotCount(t *testing.T) {
	var n Notifier
	for i := range 100 {
		release, reserved := n.Reserve(acme(), invited(i, fmt.Sprintf("p%d@example.com", i)), beginning(noon))
		if !reserved {
			t.Fatalf("the reservation %d is refused", i)
		}
		release()
	}
}

// A restarted process has noted nothing, and counts the Invitations that exist.
func TestTheQuotaHoldsAfterARestart(t *testing.T) {
	var existing []accountsv1.Invitation
	for i := range 10 {
		existing = append(existing, sentAt(i, noon.Add(time.Duration(i)*time.Hour)))
	}
	var n Notifier
	now := noon.Add(12 * time.Hour)
	if n.Counts("acme") || !n.QuotaFreeAt(acme(), now).IsZero() {
		t.Error("a new process has counted already")
	}
	n.CountExisting("acme", existing, now)
	if at := n.QuotaFreeAt(acme(), now); !n.Counts("acme") || !at.Equal(noon.Add(24*time.Hour)) {
		t.Errorf("the quota is free at %s, not a day after the first", at)
	}
	if _, reserved := n.Reserve(acme(), invited(99, "p99@example.com"), beginning(now)); reserved {
		t.Error("an eleventh is reserved")
	}
	later := noon.Add(24 * time.Hour)
	if _, reserved := n.Reserve(acme(), invited(99, "p99@example.com"), beginning(later)); !reserved {
		t.Error("none is reserved a day after the first")
	}
}

func TestADeletedInvitationCountsForADay(t *testing.T) {
	var n Notifier
	for i := range 10 {
		inv := sentAt(i, noon)
		n.NoteMailings(&inv, noon)
	}
	n.CountExisting("acme", nil, noon) // all of them were deleted
	if at := n.QuotaFreeAt(acme(), noon.Add(time.Hour)); !at.Equal(noon.Add(24 * time.Hour)) {
		t.Errorf("the quota is free at %s", at)
	}
	if at := n.QuotaFreeAt(acme(), noon.Add(24*time.Hour)); !at.IsZero() {
		t.Errorf("a day later, the quota is free at %s", at)
	}
	inv := sentAt(50, noon.Add(48*time.Hour))
	n.NoteMailings(&inv, noon.Add(48*time.Hour))
	if kept := len(n.mailings.noted); kept != 2 {
		t.Errorf("%d keys are kept, not those of one Invitation", kept)
	}
}

func TestAttemptsWithinOneSecondCountEach(t *testing.T) {
	inv := sentAt(1, noon)
	for number := int32(2); number <= 10; number++ {
		claim, before := beginning(noon), inv.Status.Attempt
		claim.Attempt.Number = number
		claim.Attempt.Earlier = append([]accountsv1.EarlierAttempt{{Number: before.Number, ClaimTime: before.ClaimTime}}, before.Earlier...)
		invitation.Begin(&inv.Status, claim)
	}
	var n Notifier
	n.NoteMailings(&inv, noon)
	if at := n.QuotaFreeAt(acme(), noon); !at.Equal(noon.Add(24 * time.Hour)) {
		t.Errorf("after ten attempts, the quota is free at %s", at)
	}
}
