// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/wording/language"
)

// Fields of the forms that add and remove a passkey.
const (
	fieldPasskeyName = "passkey-name"
	// fieldPasskeyAnswer holds what the browser created, as JSON.
	fieldPasskeyAnswer = "passkey-answer"
	// fieldPasskey holds the ID of the passkey to remove.
	fieldPasskey = "passkey"
)

// passkeyAnswer is the answer to the passkey script: a problem, the next page, or
// the options for an authenticator.
type passkeyAnswer struct {
	Problem  string `json:"problem,omitempty"`
	Location string `json:"location,omitempty"`
	Options  any    `json:"publicKey,omitempty"`
}

func answerPasskey(w http.ResponseWriter, r *http.Request, status int, answer passkeyAnswer) {
	body, err := json.Marshal(answer)
	if err != nil {
		panic("the answer about a passkey cannot be encoded")
	}
	respond(w, r, status, "application/json", append(body, '\n'))
}

// beginPasskey answers the script with the options with which a browser creates a
// passkey. It checks the form that will be sent afterwards. So the person learns
// about problems before an authenticator stores a passkey that is of no use.
func (p *portal) beginPasskey(v membersVisit) {
	values, status, refusal := readValues(v.w, v.r)
	if status != 0 {
		p.message(v.w, v.r, v.lang, status, refusal)
		return
	}
	refuse := func(text string) {
		answerPasskey(v.w, v.r, http.StatusUnprocessableEntity, passkeyAnswer{Problem: text})
	}
	if text := nameProblem(v.lang, values.Get(fieldPasskeyName)); text != "" {
		refuse(text)
		return
	}
	password := values.Get(fieldCurrentPassword)
	right, err := p.confirmed(v, password)
	owner := ownerOf(v.Account, v.Credentials)
	switch {
	case err != nil:
		p.changeFailed(v, "confirm a password", err)
		return
	case !right:
		refuse(notConfirmed(v.lang, password).Text)
		return
	case owner.handle == nil || len(owner.passkeys) >= mostPasskeys:
		refuse(v.lang.Text("portal.factor.passkeys-full", nil))
		return
	}
	var options *protocol.CredentialCreation
	err = p.store.ChangePending(v.r.Context(), v.SignedIn, func(open *store.Pending, now time.Time) (err error) {
		options, open.Passkey, err = p.beginNewPasskey(owner, now)
		return err
	})
	if err != nil {
		p.changeFailed(v, "begin to create a passkey", err)
		return
	}
	answerPasskey(v.w, v.r, http.StatusOK, passkeyAnswer{Options: options.Response})
}

// addPasskey answers the form with the passkey that a browser has created.
func (p *portal) addPasskey(v membersVisit) {
	values, status, refusal := readValues(v.w, v.r)
	if status != 0 {
		p.message(v.w, v.r, v.lang, status, refusal)
		return
	}
	open, err := p.takePendingPasskey(v)
	if err != nil {
		p.answerChange(v, formPasskey, "", nil, err)
		return
	}
	if text := nameProblem(v.lang, values.Get(fieldPasskeyName)); text != "" {
		p.showFactorsWith(v, http.StatusUnprocessableEntity, formPasskey, problem{fieldPasskeyName, text})
		return
	}
	name := cmp.Or(cleanName(values.Get(fieldPasskeyName)), defaultName(v.lang, v.Credentials.Passkeys))
	made, err := p.finishNewPasskey(ownerOf(v.Account, v.Credentials), open, []byte(values.Get(fieldPasskeyAnswer)), name, p.clock.Now().UTC())
	if err != nil {
		p.answerChange(v, formPasskey, "", nil, err)
		return
	}
	codes, err := p.changeFactors(v, func(c *account.Credentials, _ store.Pending, now time.Time) (codes []string, err error) {
		if c.Passkeys, err = addTo(c.Passkeys, made); err != nil {
			return nil, err
		}
		c.SecondFactorTime = now
		return p.withRecoveryCodes(c)
	})
	p.answerChange(v, formPasskey, donePasskey, codes, err)
}

// takePendingPasskey removes and returns the pending passkey of this session. It
// can be taken only once, even if a later step fails.
func (p *portal) takePendingPasskey(v membersVisit) (*store.PendingPasskey, error) {
	var taken *store.PendingPasskey
	err := p.store.ChangePending(v.r.Context(), v.SignedIn, func(open *store.Pending, _ time.Time) error {
		if open.Passkey == nil {
			return errNotPending
		}
		taken, open.Passkey = open.Passkey, nil
		return nil
	})
	return taken, err
}

// removePasskey answers the form that removes a passkey.
func (p *portal) removePasskey(v membersVisit) {
	values, ok := p.receiveChange(v, formPasskeyRemoval)
	if !ok {
		return
	}
	which := values.Get(fieldPasskey)
	if which == "" {
		p.showFactorsWith(v, http.StatusUnprocessableEntity, formPasskeyRemoval, problem{fieldPasskey, v.lang.Text("portal.factor.passkey-unchosen", nil)})
		return
	}
	codes, err := p.changeFactors(v, func(c *account.Credentials, _ store.Pending, now time.Time) ([]string, error) {
		left := slices.DeleteFunc(slices.Clone(c.Passkeys), func(k account.Passkey) bool { return k.ID == which })
		if len(left) == len(c.Passkeys) {
			return nil, errMissing
		}
		c.Passkeys = left
		withoutFactor(c, now)
		return nil, nil
	})
	p.answerChange(v, formPasskeyRemoval, donePasskeyRemoved, codes, err)
}

// passkeyProblem returns the text that says why a passkey was not added, or ""
// for any other error.
func passkeyProblem(lang language.Tag, err error) string {
	switch {
	case errors.Is(err, errNotPending):
		return lang.Text("portal.factor.passkey-over", nil)
	case errors.Is(err, errRefused):
		return lang.Text("portal.factor.passkey-refused", nil)
	}
	return ""
}

// defaultName returns the name of the next passkey if the person gives none.
func defaultName(lang language.Tag, passkeys []account.Passkey) string {
	return lang.Text("portal.factor.passkey-default", map[string]int{"Number": len(passkeys) + 1})
}
