// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package seat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/notifier"
)

const limit = 2

// house is an Organization with few seats, the people who want them, and two processes
// that assign them.
type house struct {
	keys invitation.Keyring
	now  time.Time
	made int

	// org holds the versions of the Organization; the last is the newest.
	org         []*accountsv1.Organization
	invitations map[string]*accountsv1.Invitation
	memberships map[string]*accountsv1.Membership
	accounts    map[string]*accountsv1.Account
	allocators  []*allocator
	// stalled are the people whose Invitation was stalled for another reason than
	// seats, and can continue with the same attempt. An allocator can have stale data
	// that still shows it as stalled. A person who accepts at that moment is a member
	// without a seat, and waits for one.
	stalled map[string]bool
}

// allocator assigns seats in steps: what it has read can be stale when it writes.
type allocator struct {
	step    int
	version int
	org     *accountsv1.Organization
	people  People
}

func newHouse(t *testing.T) *house {
	t.Helper()
	keys, err := invitation.ParseKeyring(map[string][]byte{"key-1": []byte(strings.Repeat("1", invitation.KeySize))})
	if err != nil {
		t.Fatal(err)
	}
	org := someOrganization(limit)
	org.Status.Seats = listed()
	org.Spec.InvitationValiditySeconds = 3600
	return &house{
		keys: keys, now: noon, org: []*accountsv1.Organization{org}, stalled: map[string]bool{}, allocators: []*allocator{{}, {}},
		invitations: map[string]*accountsv1.Invitation{}, memberships: map[string]*accountsv1.Membership{}, accounts: map[string]*accountsv1.Account{},
	}
}

func (h *house) live() *accountsv1.Organization { return h.org[len(h.org)-1] }

// allocate is one step of one allocator.
func (h *house) allocate(a *allocator) {
	switch a.step {
	case 0:
		*a = allocator{version: len(h.org), org: h.live().DeepCopy()}
	case 1:
		a.people.Invitations = copies(h.invitations)
	case 2:
		a.people.Memberships = copies(h.memberships)
	case 3:
		a.people.Accounts = copies(h.accounts)
	case 4:
		seats := Assign(a.org, a.people)
		if a.version == len(h.org) && len(Changed(a.org.Status.Seats, seats)) > 0 {
			h.write(func(org *accountsv1.Organization) { org.Status.Seats = seats })
		}
	}
	a.step = (a.step + 1) % 5
}

func (h *house) write(change func(*accountsv1.Organization)) {
	org := h.live().DeepCopy()
	change(org)
	h.org = append(h.org, org)
}

func copies[T any, P interface {
	*T
	DeepCopyInto(*T)
}](all map[string]P) (list []T) {
	for _, o := range all {
		var c T
		o.DeepCopyInto(&c)
		list = append(list, c)
	}
	return list
}

func annotate(inv *accountsv1.Invitation, annotation string, at time.Time) {
	if inv.Annotations == nil {
		inv.Annotations = map[string]string{}
	}
	inv.Annotations[annotation] = at.Format(time.RFC3339)
}

func (h *house) uid() types.UID {
	h.made++
	return types.UID(fmt.Sprintf("00000000-0000-4000-8000-%012d", h.made))
}

// invite creates the Invitation of a name, for a Membership or as if applied manually.
func (h *house) invite(name string, forIt bool) {
	if h.invitations[name] != nil || h.accounts[name] != nil {
		return
	}
	inv := invited(name, h.made, "")
	inv.UID = h.uid()
	if forIt {
		if h.memberships[name] == nil {
			m := belonging(name, h.made, "")
			m.UID = h.uid()
			h.memberships[name] = &m
		}
		inv.OwnerReferences = []metav1.OwnerReference{{Kind: "Membership", Name: name, UID: h.memberships[name].UID}}
	}
	h.invitations[name] = &inv
}

// look reconciles an Invitation and its Membership with a possibly stale Organization.
func (h *house) look(name string, org *accountsv1.Organization) {
	if inv := h.invitations[name]; inv != nil {
		f := h.facts(name, org)
		plan := invitation.Decide(f)
		switch {
		case plan.Delete:
			delete(h.invitations, name)
			return
		case plan.Mark:
			annotate(inv, accountsv1.MailedAnnotation, noon)
		case plan.CreateMembership:
			m := belonging(name, h.made, "")
			m.UID = h.uid()
			h.memberships[name] = &m
		case plan.Claim != nil:
			invitation.Begin(&inv.Status, *plan.Claim)
			notifier.Media().End(inv.Status.Deliveries, plan.Claim.Name, accountsv1.DeliverySent, "", h.now)
		}
		inv.Status = invitation.Report(h.facts(name, org))
		if _, wanted := invitation.WantsSeat(inv, nil); !wanted && inv.Status.State == accountsv1.InvitationFailed {
			h.stalled[name] = true
		}
	}
	if m := h.memberships[name]; m != nil {
		m.Status = membership.Report(membership.Facts{
			Now: h.now, Membership: m, Organization: org, Invitation: h.invitations[name], Account: h.accounts[name],
		})
	}
}

func (h *house) facts(name string, org *accountsv1.Organization) invitation.Facts {
	inv := h.invitations[name]
	account := h.accounts[name]
	f := invitation.Facts{
		Offer: invitation.Offer{Invitation: inv, Organization: org, Membership: h.memberships[name], Joined: h.holds(name)},
		Now:   h.now, Accepter: account, Media: notifier.Media(), ClaimOwner: "usher", SendDeadline: time.Minute, NewestKey: 1, MailDomain: "example.com", Sender: "usher@example.com",
	}
	if _, stands := inv.Labels["rival"]; stands {
		f.AddressConflict = invitation.AddressConflict{Reason: accountsv1.ReasonAddressIsMember, Name: "zoe"}
	}
	return f
}

func (h *house) holds(name string) bool {
	a, m := h.accounts[name], h.memberships[name]
	return a != nil && m != nil && membership.IsHeldBy(a, types.NamespacedName{Namespace: "acme", Name: name}, m.Spec.Email)
}

// accept lets the person accept, if the portal allows it. The portal sees the current
// state.
func (h *house) accept(name string) {
	inv := h.invitations[name]
	if inv == nil || inv.Status.Acceptance.Given() {
		return
	}
	text, err := h.keys.DeriveLink(string(inv.UID), inv.Status.Attempt)
	if err != nil {
		return // nothing was sent
	}
	link, err := invitation.ParseLink(text)
	if err != nil || h.facts(name, h.live()).Check(link, h.keys, h.now) != invitation.LinkOpen {
		return
	}
	a := holding(name)
	a.Annotations = nil
	a.UID = h.uid()
	h.accounts[name] = &a
	inv.Status.Acceptance = accountsv1.Acceptance{
		AccountRef:   accountsv1.AcceptedAccountReference{Name: accountsv1.AccountName(name), UID: string(a.UID)},
		AcceptedTime: &metav1.Time{Time: h.now},
	}
}

// recordAcceptance writes the record of the accepting Account.
func (h *house) recordAcceptance(name string) {
	if inv, a := h.invitations[name], h.accounts[name]; inv != nil && a != nil && h.memberships[name] != nil && inv.Status.Acceptance.Given() {
		a.Annotations = holding(name).Annotations
	}
}

// check reports what must never happen.
func (h *house) check(t *rapid.T) {
	list := h.live().Status.Seats
	if len(list.Holders) > limit {
		t.Fatalf("%v have seats", shown(list))
	}
	for _, name := range names {
		inv := h.invitations[name]
		comesIn := inv != nil && inv.Status.Acceptance.Given() && !invitation.IsHistory(inv) && h.accounts[name] != nil &&
			(h.memberships[name] != nil || !invitation.IsManagedByMembership(inv))
		if (comesIn || h.holds(name)) && !h.stalled[name] && !slices.Contains(holders(list), name) {
			t.Fatalf("%s became a member without a seat: %v", name, shown(list))
		}
	}
	if in := h.in(); in > limit {
		t.Fatalf("%d people have access", in)
	}
}

// in returns the number of people with access.
func (h *house) in() (number int) {
	for name, m := range h.memberships {
		status := membership.Report(membership.Facts{
			Now: h.now, Membership: m, Organization: h.live(), Invitation: h.invitations[name], Account: h.accounts[name],
		})
		if status.State == accountsv1.MembershipActive {
			number++
		}
	}
	return number
}

// This holds for any staleness, and for any events during an assignment.
func TestNoSeatIsGivenTwice(t *testing.T) {
	most := 0
	rapid.Check(t, func(rt *rapid.T) {
		h := newHouse(t)
		actions := h.events()
		for what, happen := range actions {
			actions[what] = func(rt *rapid.T) {
				happen(rt)
				for range rapid.IntRange(0, 4).Draw(rt, "steps of Usher meanwhile") {
					h.work(rt)
					h.check(rt)
				}
			}
		}
		actions[""] = func(rt *rapid.T) {
			h.check(rt)
			most = max(most, h.in())
		}
		rt.Repeat(actions)
		h.settle(rt)
	})
	if most < limit {
		t.Errorf("no run had more than %d people with access", most)
	}
}

// work runs some steps of the two processes. Either an allocator continues, or an
// object is reconciled with a current or a stale Organization.
func (h *house) work(t *rapid.T) {
	if rapid.Bool().Draw(t, "seats are assigned") {
		a := h.allocators[rapid.IntRange(0, 1).Draw(t, "allocator")]
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			h.allocate(a)
		}
		return
	}
	org := h.org[max(0, len(h.org)-1-rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "how old"))]
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, len(names), rapid.ID[string]).Draw(t, "which name is reconciled") {
		h.look(name, org.DeepCopy())
	}
}

// events are what people do.
func (h *house) events() map[string]func(*rapid.T) {
	on := func(do func(name string)) func(*rapid.T) {
		return func(t *rapid.T) { do(rapid.SampledFrom(names[:4]).Draw(t, "who")) }
	}
	each := func(do func(name string)) func(*rapid.T) {
		return func(t *rapid.T) {
			for _, name := range rapid.Permutation(names).Draw(t, "in which order") {
				do(name)
			}
		}
	}
	return map[string]func(*rapid.T){
		"nothing happens":          func(*rapid.T) {},
		"people are invited":       each(func(name string) { h.invite(name, h.made%2 == 0) }),
		"a person is invited":      on(func(name string) { h.invite(name, true) }),
		"a person accepts":         on(h.accept),
		"all who can accept do":    each(h.accept),
		"Accounts take it up":      each(h.recordAcceptance),
		"an Account takes it up":   on(h.recordAcceptance),
		"an Account is deleted":    on(func(name string) { delete(h.accounts, name) }),
		"an Invitation is deleted": on(func(name string) { delete(h.invitations, name) }),
		"a Membership is deleted": on(func(name string) {
			delete(h.memberships, name)
			if a := h.accounts[name]; a != nil && a.Annotations != nil {
				a.Annotations = map[string]string{accountsv1.MembershipsAnnotation: ""}
			}
		}),
		"an invitation's time runs out": on(func(name string) {
			if inv := h.invitations[name]; inv != nil && inv.Status.ExpirationTime != nil {
				inv.Status.ExpirationTime = &metav1.Time{Time: h.now}
			}
		}),
		"a resend is requested": on(func(name string) {
			if inv := h.invitations[name]; inv != nil {
				h.now = h.now.Add(time.Second)
				annotate(inv, accountsv1.ResendAnnotation, h.now)
			}
		}),
		"a conflict for the address appears or disappears": on(func(name string) {
			if inv := h.invitations[name]; inv != nil {
				inv.Labels = map[bool]map[string]string{true: {"rival": ""}}[inv.Labels == nil]
			}
		}),
	}
}

// settle lets everything finish. Then no seat is free while a claim waits.
func (h *house) settle(t *rapid.T) {
	for range 6 {
		for _, name := range names {
			h.look(name, h.live())
		}
		*h.allocators[0] = allocator{}
		for range 5 {
			h.allocate(h.allocators[0])
		}
	}
	h.check(t)
	seats := h.live().Status.Seats
	for name, inv := range h.invitations {
		if _, wanted := invitation.WantsSeat(inv, h.memberships[name]); wanted && !slices.Contains(holders(seats), name) && len(seats.Holders) < limit {
			t.Fatalf("%s waits for a seat, and %v are taken", name, shown(seats))
		}
	}
}
