// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/secondfactor"
	"github.com/usher-dev/usher/internal/wording/language"
)

// What keeps a second factor from being changed.
var (
	// errNotPending: what was to be finished was not begun in this session, or
	// too long ago.
	errNotPending = errors.New("nothing of the kind is under way in this session")
	// errMissing: what was to be changed is not there any more.
	errMissing = errors.New("nothing of the kind is there")
)

// confirmed tells whether whoever wants to change a second factor is its person:
// they signed in a short while ago, or typed the password now, which is counted
// like one at the door. What was begun so can be finished without it.
func (p *portal) confirmed(v membersVisit, password string) (bool, error) {
	if v.Session.IsFresh(p.clock.Now()) {
		return true, nil
	}
	if password == "" {
		return false, nil
	}
	right, err := p.store.TryPassword(v.r.Context(), v.Member, password)
	if err != nil || !right {
		return false, err
	}
	return true, p.store.ForgetPasswords(v.r.Context(), v.Member)
}

// notConfirmed is said to somebody whose password was not the right one.
func notConfirmed(lang language.Tag, password string) problem {
	if password == "" {
		return problem{fieldCurrentPassword, lang.Text("portal.factor.password-empty", nil)}
	}
	return problem{fieldCurrentPassword, lang.Text("portal.factor.password-wrong", nil)}
}

// receiveChange reads one of the forms that change a second factor. It answers,
// and gives false, if the change may not be made.
func (p *portal) receiveChange(v membersVisit, form string) (url.Values, bool) {
	values, status, refusal := readValues(v.w, v.r)
	if status != 0 {
		p.message(v.w, v.r, v.lang, status, refusal)
		return nil, false
	}
	password := values.Get(fieldCurrentPassword)
	switch right, err := p.confirmed(v, password); {
	case err != nil:
		p.changeFailed(v, "confirm a password", err)
	case !right:
		p.showFactorsWith(v, http.StatusUnprocessableEntity, form, notConfirmed(v.lang, password))
	default:
		return values, true
	}
	return nil, false
}

// changeFactors makes a change, gives the browser the new token of its session, and
// gives the recovery codes.
func (p *portal) changeFactors(v membersVisit, change store.FactorChange) ([]string, error) {
	ctx := context.WithoutCancel(v.r.Context())
	token, codes, err := p.store.ChangeFactors(ctx, v.SignedIn, p.browser(v.r), change)
	if err != nil {
		return nil, err
	}
	p.keep(v.w, v.Account.Name, token)
	if err := p.store.SyncStatus(ctx, v.Member, v.lang); err != nil {
		// It is done all the same. The status follows when somebody signs in.
		p.log.Error(errKind(err), "Failed to note a change of a second factor")
	}
	return codes, nil
}

// stays says why the last second factor cannot be removed.
func stays(lang language.Tag, m *store.Member) problem {
	for _, b := range m.Belongings {
		if wantsSecondFactor(b) {
			return problem{Text: lang.Text("portal.factor.stays", map[string]string{"Organization": string(b.Organization.Title())})}
		}
	}
	return problem{Text: lang.Text("portal.factor.stays-short", map[string]int{"Least": account.MinPasswordLength})}
}

// withRecoveryCodes makes recovery codes where there are none.
func (p *portal) withRecoveryCodes(c *account.Credentials) ([]string, error) {
	if len(c.RecoveryCodes) > 0 {
		return nil, nil
	}
	codes, hashes, err := secondfactor.NewRecoveryCodes(p.random)
	c.RecoveryCodes = hashes
	return codes, err
}

// renewRecoveryCodes answers the form that replaces all recovery codes.
func (p *portal) renewRecoveryCodes(v membersVisit) {
	if _, ok := p.receiveChange(v, formRecoveryCodes); !ok {
		return
	}
	codes, err := p.changeFactors(v, func(c *account.Credentials, _ store.Pending, _ time.Time) ([]string, error) {
		if !c.HasSecondFactor() {
			return nil, errMissing
		}
		c.RecoveryCodes = nil
		return p.withRecoveryCodes(c)
	})
	p.changed(v, formRecoveryCodes, doneRecoveryCodes, codes, err)
}

// withoutFactor tidies up after a removal: recovery codes stand in for a second
// factor, and are worth nothing without one.
func withoutFactor(c *account.Credentials, now time.Time) {
	c.SecondFactorTime = now
	if !c.HasSecondFactor() {
		c.RecoveryCodes = nil
	}
}

// recoveryCodesPage shows new recovery codes, once.
type recoveryCodesPage struct {
	Codes []string
	// Done says what they come with.
	Done, Base string
}

// changed answers a form after its change, or after what kept it from being made.
func (p *portal) changed(v membersVisit, form, done string, codes []string, err error) {
	switch {
	case errors.Is(err, errMissing):
		p.toFactors(v, "")
	case passkeyProblem(v.lang, err) != "":
		p.showFactorsWith(v, http.StatusUnprocessableEntity, form, problem{Text: passkeyProblem(v.lang, err)})
	case errors.Is(err, store.ErrStays):
		p.showFactorsWith(v, http.StatusUnprocessableEntity, form, stays(v.lang, v.Member))
	case err != nil:
		p.changeFailed(v, "change a second factor", err)
	case len(codes) > 0:
		v.render(p, http.StatusOK, pageRecoveryCodes, v.lang.Text("portal.recovery-codes.title", nil),
			recoveryCodesPage{codes, v.lang.Text(doneFactor[done], nil), p.base})
	default:
		p.toFactors(v, done)
	}
}

// changeFailed answers when a change could not be made. Whose session has ended
// in the meantime signs in again.
func (p *portal) changeFailed(v membersVisit, doing string, err error) {
	if errors.Is(err, store.ErrGone) {
		p.redirect(v.w, v.r, "/sign-in?lang="+v.lang.String())
		return
	}
	p.failed(v.w, v.r, v.lang, doing, err, unavailable)
}
