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
	b, found := belonging(v.Member, v.r.URL.Query().Get(fieldMembership))
	if !found {
		p.toAccount(v, "")
		return
	}
	only, err := p.store.OnlyOwner(v.r.Context(), b)
	if err != nil {
		p.failed(v.w, v.r, v.lang, "look for owners", err, unavailable)
		return
	}
	p.showLeaveForm(v, http.StatusOK, b, only)
}

func (p *portal) showLeaveForm(v membersVisit, status int, b account.Belonging, onlyOwner bool) {
	view := viewBelonging(v.Member, b)
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
	b, found := belonging(v.Member, values.Get(fieldMembership))
	if !found {
		p.toAccount(v, doneLeft) // it is done already
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

// belonging finds one of the Memberships that somebody holds, by "namespace/name".
func belonging(m *store.Member, key string) (account.Belonging, bool) {
	at := slices.IndexFunc(m.Belongings, func(b account.Belonging) bool { return membershipKey(b) == key })
	if at < 0 {
		return account.Belonging{}, false
	}
	return m.Belongings[at], true
}
