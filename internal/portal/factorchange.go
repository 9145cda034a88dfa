// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/secondfactor"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/wording/language"
)

// What keeps a second factor from being changed.
var (
	// errNotPending: what was to be finished was not begun in this session, or
	// too long ago.
	errNotPending = errors.New("nothing of the kind is under way in this session")
	// errMissing: what was to be changed is not there any more.
	errMissing = errors.New("nothing of the kind is there")
	// errStays: it is the last second factor, and one is needed.
	errStays = errors.New("the last second factor is needed")
)

// pending is what a session is in the middle of. It is kept with the session, so
// that no other one can finish it, at any number of portals.
type pending struct {
	App     *pendingApp     `json:"app,omitempty"`
	Passkey *pendingPasskey `json:"passkey,omitempty"`
}

// pendingOf is what a session is in the middle of. What cannot be read is nothing.
func pendingOf(s session.Session) pending {
	var open pending
	if json.Unmarshal(s.Pending, &open) != nil {
		return pending{}
	}
	return open
}

// confirmed tells whether whoever wants to change a second factor is its person:
// they signed in a short while ago, or typed the password now, which is counted
// like one at the door. What was begun so can be finished without it.
func (p *portal) confirmed(v membersVisit, password string) (bool, error) {
	if v.session.IsFresh(p.clock.Now()) {
		return true, nil
	}
	if password == "" {
		return false, nil
	}
	right, err := p.tryPassword(v.r.Context(), v.member, password)
	if err != nil || !right {
		return false, err
	}
	return true, p.members.changeStatus(v.r.Context(), v.member, func(m *member, _ metav1.Time) error {
		account.SignedIn(&m.account.Status.SignIn, account.FactorPassword, m.limits())
		return nil
	})
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

// pend changes what the session of a request is in the middle of.
func (p *portal) pend(v membersVisit, change func(open *pending, now time.Time) error) error {
	return p.members.changeCredentials(v.r.Context(), v.member, func(m *member, now time.Time) error {
		s, alive := m.alive(v.session.Hash, now)
		if !alive {
			return errGone
		}
		open := pendingOf(s)
		if err := change(&open, now); err != nil {
			return err
		}
		kept, err := json.Marshal(open)
		if err != nil {
			return err
		}
		s.Pending = kept
		m.credentials.Sessions = slices.Clone(m.credentials.Sessions)
		at := slices.IndexFunc(m.credentials.Sessions, func(o session.Session) bool { return o.Hash == s.Hash })
		m.credentials.Sessions[at] = s
		return nil
	})
}

// factorChange changes what somebody signs in with, given what their session is
// in the middle of. It gives recovery codes that were made besides. It must leave
// the slices of c as they were, because it may be tried again.
type factorChange func(c *account.Credentials, open pending, now time.Time) (codes []string, err error)

// changeFactors makes a change in one conditional write, on condition that the
// session of the request is still alive. Every other session ends with it, and
// this one goes on under another token. It gives the recovery codes.
func (p *portal) changeFactors(v membersVisit, change factorChange) ([]string, error) {
	ctx := context.WithoutCancel(v.r.Context())
	var codes []string
	token := ""
	err := p.members.changeCredentials(ctx, v.member, func(m *member, now time.Time) error {
		s, alive := m.alive(v.session.Hash, now)
		if !alive || m.disabled() {
			return errGone
		}
		var err error
		if codes, err = change(&m.credentials, pendingOf(s), now); err != nil {
			return err
		}
		if err := m.removable(); err != nil {
			return err
		}
		m.credentials.Sessions = nil
		token, err = p.begin(v.r, m, session.StageSignedIn, now)
		if err != nil {
			return err
		}
		// Nobody has signed in: no session becomes younger by a change, or it
		// could be kept for good.
		m.credentials.Sessions[0].StartTime = s.StartTime
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.keep(v.w, v.account.Name, token)
	if err := p.members.changeStatus(ctx, v.member, noting(v.lang)); err != nil {
		// It is done all the same. The status follows when somebody signs in.
		p.log.Error(errKind(err), "Failed to note a change of a second factor")
	}
	return codes, nil
}

// noting brings the status up to date with the credentials, if it is not.
func noting(lang language.Tag) func(m *member, _ metav1.Time) error {
	return func(m *member, _ metav1.Time) error {
		before := m.account.Status.DeepCopy()
		m.note(lang)
		if equality.Semantic.DeepEqual(*before, m.account.Status) {
			return errUnchanged
		}
		return nil
	}
}

// removable refuses credentials without a second factor where one is needed. It
// is asked within the write, so that of two second factors that are removed at
// the same time one stays.
func (m *member) removable() error {
	if !m.credentials.HasSecondFactor() && (m.credentials.ShortPassword || m.needsSecondFactor()) {
		return errStays
	}
	return nil
}

// stays says why the last second factor cannot be removed.
func (m *member) stays(lang language.Tag) problem {
	for _, b := range m.belongings {
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
	codes, err := p.changeFactors(v, func(c *account.Credentials, _ pending, _ time.Time) ([]string, error) {
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
	case errors.Is(err, errStays):
		p.showFactorsWith(v, http.StatusUnprocessableEntity, form, v.stays(v.lang))
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
	if errors.Is(err, errGone) {
		p.redirect(v.w, v.r, "/sign-in?lang="+v.lang.String())
		return
	}
	p.failed(v.w, v.r, v.lang, doing, err, unavailable)
}
