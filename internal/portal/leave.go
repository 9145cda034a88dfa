// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
)

const pageLeave = "leave.html"

// fieldMembership names the Membership that is given up, by "namespace/name".
const fieldMembership = "membership"

// leavePage asks whether somebody really wants to leave.
type leavePage struct {
	belongingView
	Base string
	// OnlyOwner: nobody else could manage the Organization.
	OnlyOwner bool
}

func (p *portal) showLeave(v membersVisit) {
	b, found := v.belonging(v.r.URL.Query().Get(fieldMembership))
	if !found {
		p.toAccount(v, "")
		return
	}
	only, err := p.members.onlyOwner(v.r.Context(), b)
	if err != nil {
		p.failed(v.w, v.r, v.lang, "look for owners", err, unavailable)
		return
	}
	p.showLeaveForm(v, http.StatusOK, b, only)
}

func (p *portal) showLeaveForm(v membersVisit, status int, b account.Belonging, onlyOwner bool) {
	view := v.viewBelonging(b)
	v.render(p, status, pageLeave, v.lang.Text("portal.leave.title", view), leavePage{view, p.base, onlyOwner})
}

// leave answers the form that gives a Membership up. The portal writes the wish;
// the controller carries it out.
func (p *portal) leave(v membersVisit) {
	values, status, refusal := readValues(v.w, v.r)
	if status != 0 {
		p.message(v.w, v.r, v.lang, status, refusal)
		return
	}
	b, found := v.belonging(values.Get(fieldMembership))
	if !found {
		p.toAccount(v, doneLeft) // it is done already
		return
	}
	only, err := p.members.onlyOwner(v.r.Context(), b)
	if err == nil && !only {
		err = p.members.changeStatus(v.r.Context(), v.member, leaving(b))
	}
	switch {
	case err != nil && !errors.Is(err, errGone):
		p.failed(v.w, v.r, v.lang, "leave an organization", err, unavailable)
	case only:
		p.showLeaveForm(v, http.StatusConflict, b, true)
	default:
		p.toAccount(v, doneLeft)
	}
}

func leaving(b account.Belonging) func(m *member, _ metav1.Time) error {
	wish := accountsv1.MembershipReference{
		Namespace: accountsv1.NamespaceName(b.Membership.Namespace), Name: accountsv1.CatalogueName(b.Membership.Name),
	}
	return func(m *member, _ metav1.Time) error {
		if slices.Contains(m.account.Status.Leaving, wish) {
			return errUnchanged
		}
		m.account.Status.Leaving = append(m.account.Status.Leaving, wish)
		return nil
	}
}

// belonging finds one of the Memberships that somebody holds, by "namespace/name".
func (m *member) belonging(key string) (account.Belonging, bool) {
	at := slices.IndexFunc(m.belongings, func(b account.Belonging) bool { return membershipKey(b) == key })
	if at < 0 {
		return account.Belonging{}, false
	}
	return m.belongings[at], true
}

// onlyOwner tells whether the Organization has no owner but this Membership, by
// the list that the controller keeps. An owner who is not let go stays whatever
// the page says, so that it must not promise more. The list is empty for a moment
// after the first owner joined: then nobody else can be counted on.
func (s *store) onlyOwner(ctx context.Context, b account.Belonging) (bool, error) {
	org, err := get[accountsv1.Organization](ctx, s.live, client.ObjectKeyFromObject(b.Organization))
	if err != nil {
		return false, fmt.Errorf("read the owners of an organization: %w", err)
	}
	if org == nil || org.DeletionTimestamp != nil {
		return false, nil // it keeps nobody
	}
	if len(org.Status.Owners) == 0 {
		return account.IsOwner(account.Belonging{Membership: b.Membership, Organization: org}), nil
	}
	_, owns := org.Owner(b.Membership.Name)
	return owns && len(org.Status.Owners) == 1, nil
}
