// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"errors"
	"net/http"
	"slices"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
)

const pageLeave = "leave.html"

// fieldMembership names the Membership to leave, as "namespace/name".
const fieldMembership = "membership"

// leavePage asks the member to confirm that they want to leave.
type leavePage struct {
	belongingView
	Base string
	// OnlyOwner means that the Organization has no other owner.
	OnlyOwner bool
}

func (p *portal) showLeave(v membersVisit) {
	b, found := belonging(v.Member, v.r.URL.Query().Get(fieldMembership))
	if !found {
		p.toAccount(v, "")
		return
	}
	only, err := p.store.OnlyOwner(v.r.Context(), b)
	if err != nil {
		p.failed(v.w, v.r, v.lang, "find the owners", err, unavailable)
		return
	}
	p.showLeaveForm(v, http.StatusOK, b, only)
}

func (p *portal) showLeaveForm(v membersVisit, status int, b account.Belonging, onlyOwner bool) {
	view := viewBelonging(v.Member, b)
	v.render(p, status, pageLeave, v.lang.Text("portal.leave.title", view), leavePage{view, p.base, onlyOwner})
}

// leave answers the form with which a member leaves. The portal only writes the
// request; the controller carries it out.
func (p *portal) leave(v membersVisit) {
	values, status, refusal := readValues(v.w, v.r)
	if status != 0 {
		p.message(v.w, v.r, v.lang, status, refusal)
		return
	}
	b, found := belonging(v.Member, values.Get(fieldMembership))
	if !found {
		p.toAccount(v, doneLeft) // already done
		return
	}
	only, err := p.store.OnlyOwner(v.r.Context(), b)
	if err == nil && !only {
		err = p.store.Leave(v.r.Context(), v.Member, b)
	}
	switch {
	case err != nil && !errors.Is(err, store.ErrGone):
		p.failed(v.w, v.r, v.lang, "leave an organization", err, unavailable)
	case only:
		p.showLeaveForm(v, http.StatusConflict, b, true)
	default:
		p.toAccount(v, doneLeft)
	}
}

// belonging finds one of the person's Memberships by its key, "namespace/name".
func belonging(m *store.Member, key string) (account.Belonging, bool) {
	at := slices.IndexFunc(m.Belongings, func(b account.Belonging) bool { return membershipKey(b) == key })
	if at < 0 {
		return account.Belonging{}, false
	}
	return m.Belongings[at], true
}
