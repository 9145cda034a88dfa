// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/invitation"
)

// requesting returns an Invitation that was sent two days before, whose person requests a code, and the
// claim of the code.
func requesting(n int, email string) (*accountsv1.Invitation, invitation.Claim) {
	inv, at := sentAt(n, noon.Add(-48*time.Hour)), metav1.NewTime(noon)
	inv.Status.OtherAddress = accountsv1.OtherAddress{Email: accountsv1.EmailAddress(email), RequestTime: &at, Requests: 1}
	return &inv, invitation.Claim{Try: delivery.Try{Name: "code-1-1", Tries: 1, Time: at}}
}

func TestReservationsOfCodesKeepTheLimitsTogether(t *testing.T) {
	for name, c := range map[string]struct {
		address string
		want    int32
	}{
		"of the Organization": {"p%d@example.net", 10},
		"of a mailbox":        {"j.ane+%d@gmail.com", invitation.MostMailings},
	} {
		t.Run(name, func(t *testing.T) {
			var n Notifier
			var reserved atomic.Int32
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					inv, claim := requesting(i, fmt.Sprintf(c.address, i))
					if _, is := n.Reserve(acme(), inv, claim); is {
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

// mailedCode returns the Invitation after its code was mailed.
func mailedCode(n int, email string) accountsv1.Invitation {
	inv, claim := requesting(n, email)
	invitation.Begin(&inv.Status, claim)
	return *inv
}

func TestCodesCountWithInvitations(t *testing.T) {
	limit := CodeLimits(accountsv1.Delivery{Medium: accountsv1.MediumEmail, Recipient: "jane@gmail.com"})[0]
	own, same, other := mailedCode(1, "jane+1@gmail.com"), mailedCode(2, "jane+2@gmail.com"), mailedCode(3, "jane+3@gmail.com")
	other.Spec.OrganizationRef.Name = "globex"
	deleted := mailedCode(4, "jane+4@gmail.com")
	var n Notifier
	n.NoteMailings(&deleted, noon)
	counted := n.CountMailings(&own, limit, []accountsv1.Invitation{own, same, other})
	if len(counted.All) != 4 || len(counted.SameOrganization) != 3 {
		t.Errorf("%d are counted, %d of the same Organization", len(counted.All), len(counted.SameOrganization))
	}
	for _, inv := range []*accountsv1.Invitation{&own, &other} {
		if keys := LimitKeys(inv); !slices.Contains(keys, limit.Key) || len(keys) != 2 {
			t.Errorf("its keys are %q", keys)
		}
	}
}

// A restarted process has noted nothing, and counts the codes in the statuses that exist.
func TestCodesCountAfterARestart(t *testing.T) {
	var existing []accountsv1.Invitation
	for i := range 5 {
		existing = append(existing, mailedCode(i, fmt.Sprintf("jane+%d@gmail.com", i)))
	}
	var n Notifier
	n.CountExisting("acme", existing, noon)
	inv, claim := requesting(10, "jane@gmail.com")
	if _, reserved := n.Reserve(acme(), inv, claim); reserved {
		t.Error("a sixth code to the mailbox is reserved")
	}
	if _, reserved := n.Reserve(acme(), invited(11, "jane+more@gmail.com"), beginning(noon)); reserved {
		t.Error("an invitation to the mailbox is reserved")
	}
	for i := range 5 {
		existing = append(existing, mailedCode(20+i, fmt.Sprintf("p%d@example.net", i)))
	}
	n.CountExisting("acme", existing, noon)
	if at := n.QuotaFreeAt(acme(), noon); !at.Equal(noon.Add(24 * time.Hour)) {
		t.Errorf("the quota is free at %s", at)
	}
}

func TestARetryOfACodeNeedsNoReservation(t *testing.T) {
	var n Notifier
	for i := range 100 {
		inv, claim := requesting(1, "jane@gmail.com")
		invitation.Begin(&inv.Status, claim)
		n.NoteMailings(inv, noon)
		claim.Tries = int32(i + 2)
		if _, reserved := n.Reserve(acme(), inv, claim); !reserved {
			t.Fatalf("the retry %d is refused", i)
		}
	}
	if at := n.QuotaFreeAt(acme(), noon); !at.IsZero() {
		t.Errorf("the quota is free at %s", at)
	}
}
