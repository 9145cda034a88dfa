// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

func TestCheckTellsNothingWithoutAGenuineLink(t *testing.T) {
	keys := someKeys(t, 7)
	sent := func(changes ...func(*Facts)) Offer {
		return someFacts(append([]func(*Facts){tried(me, accountsv1.DeliverySent, 1)}, changes...)...).Offer
	}
	text, err := keys.DeriveLink(someUID, sent().Invitation.Status.Attempt)
	if err != nil {
		t.Fatal(err)
	}
	link, _ := ParseLink(text)
	cases := map[string]struct {
		offer Offer
		now   time.Time
		want  LinkStatus
	}{
		"open":                                   {sent(), claimed, LinkOpen},
		"the last second":                        {sent(), claimed.Add(DefaultValidity - time.Second), LinkOpen},
		"expired":                                {sent(), claimed.Add(DefaultValidity), LinkExpired},
		"declined":                               {sent(declining), claimed, LinkDeclined},
		"reported as expired":                    {sent(state("Expired")), claimed, LinkExpired},
		"reported as failed":                     {sent(state("Failed")), claimed, LinkWithdrawn},
		"its seat is assigned to another person": {sent(seats(1, accountsv1.SeatHolder{Name: "john"})), claimed, LinkSeatless},
		"a newer link was sent":                  {sent(asked(aRequest), func(f *Facts) { Begin(&f.Invitation.Status, *Decide(*f).Claim) }), claimed, LinkSuperseded},
		"used":                                   {sent(accepting), claimed, LinkUsed},
		"used, and expired later":                {sent(accepting), claimed.Add(DefaultValidity), LinkUsed},
		"used, its status lost":                  {sent(func(f *Facts) { f.Joined = true }), claimed, LinkUsed},
		"no Organization":                        {sent(func(f *Facts) { f.Organization = nil }), claimed, LinkWithdrawn},
		"the role no longer exists":              {sent(func(f *Facts) { f.Organization.Spec.Roles = nil }), claimed, LinkWithdrawn},
		"not in the home namespace":              {sent(func(f *Facts) { f.Organization.Spec.Namespace = "other" }), claimed, LinkWithdrawn},
		"of another role than its Membership":    {sent(withMembership(func(m *accountsv1.Membership) { m.Spec.Role = "observer" })), claimed, LinkWithdrawn},
		"its Membership allows more":             {sent(withMembership(allowing)), claimed, LinkWithdrawn},
		"its Membership was deleted":             {sent(madeFor), claimed, LinkWithdrawn},
		"its Membership is being deleted":        {sent(withMembership(func(m *accountsv1.Membership) { m.DeletionTimestamp = second(claimed) })), claimed, LinkWithdrawn},
		"the Invitation is being deleted":        {sent(func(f *Facts) { f.Invitation.DeletionTimestamp = second(claimed) }), claimed, LinkWithdrawn},
		"no Invitation":                          {Offer{}, claimed, LinkUnknown},
		"an Invitation that was never sent":      {someFacts().Offer, claimed, LinkUnknown},
		"another Invitation":                     {sent(func(f *Facts) { f.Invitation.UID = "6f1c2d3e-4a5b-4c6d-8e7f-0123456789ac" }), claimed, LinkUnknown},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.offer.Check(link, keys, c.now); got != c.want {
				t.Errorf("Check = %v, want %v", got, c.want)
			}
		})
	}
}

func TestMadeForMembership(t *testing.T) {
	noted := func(name string) func(*Facts) {
		return func(f *Facts) { annotate(f, accountsv1.CreatedForMembershipAnnotation, name) }
	}
	owned := func(kind, name string) func(*Facts) {
		return func(f *Facts) {
			f.Invitation.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: name, UID: "m1"}}
		}
	}
	for name, c := range map[string]struct {
		change func(*Facts)
		want   bool
	}{
		"applied manually":                         {func(*Facts) {}, false},
		"its Membership owns it":                   {madeFor, true},
		"restored without its owner reference":     {noted("jane"), true},
		"the annotation of another Membership":     {noted("john"), false},
		"an owner of another kind":                 {owned("ConfigMap", "jane"), false},
		"the Membership of another name, as owner": {owned("Membership", "john"), false},
	} {
		t.Run(name, func(t *testing.T) {
			f := someFacts(c.change)
			if got := IsManagedByMembership(f.Invitation); got != c.want {
				t.Errorf("made for a Membership: %v", got)
			}
			if got := Decide(f).Delete; got != c.want {
				t.Errorf("without a Membership, it is deleted: %v", got)
			}
			withMembership(same)(&f)
			if got, want := Decide(f).Delete, c.want && f.Invitation.OwnerReferences == nil; got != want {
				t.Errorf("with a Membership of its name, it is deleted: %v", got)
			}
		})
	}
}
