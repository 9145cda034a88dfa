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

// Reasons why a second factor cannot be changed.
var (
	// errNotPending means that the step to finish was not begun in this session, or
	// was begun too long ago.
	errNotPending = errors.New("no setup is pending in this session")
	// errMissing means that the item to change no longer exists.
	errMissing = errors.New("the item to change does not exist")
)

// confirmed reports whether the request comes from the account's user. The user
// either signed in a short time ago or typed the password now, which is counted
// like a password at sign-in. A setup that was begun this way can be finished
// without another confirmation.
func (p *portal) confirmed(v membersVisit, password string) (bool, error) {
	if v.Session.IsFresh(p.clock.Now()) {
		return true, nil
	}
	if password == "" {
		return false, nil
	}
	right, err := p.store.TryPassword(v.r.Context(), v.Member, p.browser(v.r), password)
	if err != nil || !right {
		return false, err
	}
	return true, p.store.ForgetPasswords(v.r.Context(), v.Member)
}

// notConfirmed is the problem if the password is missing or wrong.
func notConfirmed(lang language.Tag, password string) problem {
	if password == "" {
		return problem{fieldCurrentPassword, lang.Text("portal.factor.password-empty", nil)}
	}
	return problem{fieldCurrentPassword, lang.Text("portal.factor.password-wrong", nil)}
}

// receiveChange reads one of the forms that change a second factor. If the change
// is not allowed, it answers the request and returns false.
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

// changeFactors makes a change, gives the browser the new token of its session,
// and returns the new recovery codes, if any.
func (p *portal) changeFactors(v membersVisit, change store.FactorChange) ([]string, error) {
	ctx := context.WithoutCancel(v.r.Context())
	token, codes, err := p.store.ChangeFactors(ctx, v.SignedIn, p.browser(v.r), change)
	if err != nil {
		return nil, err
	}
	p.keepSession(v.w, v.Member, token)
	if err := p.store.SyncStatus(ctx, v.Member, v.lang); err != nil {
		// The change is done anyway. The next sign-in updates the status.
		p.log.Error(errKind(err), "Failed to record a change of a second factor")
	}
	return codes, nil
}

// removalRefused says why the last second factor cannot be removed.
func removalRefused(lang language.Tag, m *store.Member) problem {
	for _, b := range m.Belongings {
		if wantsSecondFactor(b) {
			return problem{Text: lang.Text("portal.factor.stays", map[string]string{"Organization": string(b.Organization.Title())})}
		}
	}
	return problem{Text: lang.Text("portal.factor.stays-short", map[string]int{"Least": account.MinPasswordLength})}
}

// withRecoveryCodes creates recovery codes if there are none.
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
	p.answerChange(v, formRecoveryCodes, doneRecoveryCodes, codes, err)
}

// withoutFactor updates c after a removal. Recovery codes replace a second
// factor, so they are useless without one.
func withoutFactor(c *account.Credentials, now time.Time) {
	c.SecondFactorTime = now
	if !c.HasSecondFactor() {
		c.RecoveryCodes = nil
	}
}

// recoveryCodesPage shows new recovery codes, once.
type recoveryCodesPage struct {
	Codes []string
	// Done confirms the change that created them.
	Done, Base string
}

// answerChange answers a form after its change was made or refused.
func (p *portal) answerChange(v membersVisit, form, done string, codes []string, err error) {
	switch {
	case errors.Is(err, errMissing):
		p.toFactors(v, "")
	case passkeyProblem(v.lang, err) != "":
		p.showFactorsWith(v, http.StatusUnprocessableEntity, form, problem{Text: passkeyProblem(v.lang, err)})
	case errors.Is(err, store.ErrLastFactor):
		p.showFactorsWith(v, http.StatusUnprocessableEntity, form, removalRefused(v.lang, v.Member))
	case err != nil:
		p.changeFailed(v, "change a second factor", err)
	case len(codes) > 0:
		v.render(p, http.StatusOK, pageRecoveryCodes, v.lang.Text("portal.recovery-codes.title", nil),
			recoveryCodesPage{codes, v.lang.Text(doneFactor[done], nil), p.base})
	default:
		p.toFactors(v, done)
	}
}

// changeFailed answers if a change could not be made. If the session has ended
// meanwhile, the user has to sign in again.
func (p *portal) changeFailed(v membersVisit, doing string, err error) {
	if errors.Is(err, store.ErrGone) {
		p.redirect(v.w, v.r, "/sign-in?lang="+v.lang.String())
		return
	}
	p.failed(v.w, v.r, v.lang, doing, err, unavailable)
}
