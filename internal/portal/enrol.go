// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/secondfactor"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

// Where an Organization wants a second factor, it is set up in the form that makes
// the account. Nothing is kept before that form is sent, and a GET keeps nothing
// at all; so what an app or an authenticator is given is derived, from a key that
// every replica has, from a number that this browser alone has, and from the
// attempt that invites. Another browser with the same link, such as that of a
// scanner of mail, is given something else.

// enrolmentTime is for how long the browser keeps the number, from each time that
// it needs it. enrolmentSize is its length, in bytes.
const (
	enrolmentTime = time.Hour
	enrolmentSize = 32
)

// appSecretSize is the length of the secret of an app, in bytes: what
// secondfactor.Check takes.
const appSecretSize = 20

// What stands before the derived secret, and before the derived challenge.
const (
	enrolmentAppDomain       = "usher enrolment app v1\x00"
	enrolmentChallengeDomain = "usher enrolment challenge v1\x00"
)

// fieldAppCode is the first code of an app.
const fieldAppCode = "app-code"

// enrolment is what a second factor is set up with.
type enrolment struct {
	// secret of the app, in base32 without padding.
	secret string
	// challenge that a new passkey answers.
	challenge []byte
}

// enrolment derives what that browser is given.
func enrolmentOf(s store.LinkView, browser []byte) (enrolment, error) {
	uid, err := invitation.ParseUID(string(s.Invitation.UID))
	if err != nil {
		return enrolment{}, err
	}
	attempt := strconv.AppendInt(nil, int64(s.Invitation.Status.Attempt.Number), 10)
	derive := func(domain string) ([]byte, error) {
		return s.Keys.MAC(s.Keys.Newest(), domain, browser, uid[:], attempt)
	}
	secret, err := derive(enrolmentAppDomain)
	if err != nil {
		return enrolment{}, err
	}
	challenge, err := derive(enrolmentChallengeDomain)
	if err != nil {
		return enrolment{}, err
	}
	return enrolment{
		secret:    base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret[:appSecretSize]),
		challenge: challenge,
	}, nil
}

// enrolling is the number of the browser that a request comes from; nil: it has
// none.
func (p *portal) enrolling(r *http.Request) []byte {
	cookie, err := r.Cookie(p.cookieName(enrolmentCookie))
	if err != nil {
		return nil
	}
	number, err := base64.RawURLEncoding.Strict().DecodeString(cookie.Value)
	if err != nil || len(number) != enrolmentSize {
		return nil
	}
	return number
}

// enrolView is what the page offers for a second factor. The zero value offers
// nothing.
type enrolView struct {
	// Required: the account is not made without.
	Required bool
	appView
	// Options are what the script makes a passkey with, as JSON; empty: there
	// can be none.
	Options string
	// Passkey is the answer of an authenticator that is good; empty: there is
	// none yet.
	Passkey string
}

// offerEnrolment shows what a second factor is set up with, and gives the browser
// a number if it has none. What is shown stays the same while it has that one.
func (p *portal) offerEnrolment(v visit, lang language.Tag, seen store.LinkView, f form) (enrolView, error) {
	if !seen.FactorRequired() {
		return enrolView{}, nil
	}
	browser := p.enrolling(v.r)
	if browser == nil {
		browser = make([]byte, enrolmentSize)
		if _, err := io.ReadFull(p.random, browser); err != nil {
			return enrolView{}, fmt.Errorf("tell browsers apart: %w", err)
		}
	}
	given, err := enrolmentOf(seen, browser)
	if err != nil {
		return enrolView{}, err
	}
	view := enrolView{Required: true}
	// The user name can still change. The address is how people know the account.
	if view.appView, err = p.viewApp(given.secret, string(seen.Invitation.Spec.Email)); err != nil {
		return enrolView{}, err
	}
	if view.Options, err = p.passkeyOptions(seen, f, given); err != nil {
		return enrolView{}, err
	}
	if f.passkey != "" {
		if _, err := p.enrolPasskey(lang, seen, f, given); err == nil {
			view.Passkey = f.passkey
		}
	}
	p.setCookie(v.w, enrolmentCookie, base64.RawURLEncoding.EncodeToString(browser), int(enrolmentTime.Seconds()), http.SameSiteLaxMode)
	return view, nil
}

// enrollee is whoever sets up a passkey. Its handle is that of the Account that is
// about to be made.
func enrollee(seen store.LinkView, f form) passkeyOwner {
	return newPasskeyOwner(string(seen.Invitation.UID), username.Join(f.userName(), seen.Qualifier()), nil)
}

func (p *portal) passkeyOptions(seen store.LinkView, f form, given enrolment) (string, error) {
	if p.relyingParty == nil {
		return "", nil
	}
	options, _, err := p.askForPasskey(enrollee(seen, f), given.challenge, p.clock.Now())
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(options.Response)
	if err != nil {
		return "", fmt.Errorf("ask for a passkey: %w", err)
	}
	return string(text), nil
}

// enrolPasskey gives the passkey that the form brings. It fails with errRefused.
func (p *portal) enrolPasskey(lang language.Tag, seen store.LinkView, f form, given enrolment) (account.Passkey, error) {
	if p.relyingParty == nil {
		return account.Passkey{}, errRefused
	}
	now, owner := p.clock.Now().UTC(), enrollee(seen, f)
	_, open, err := p.askForPasskey(owner, given.challenge, now)
	if err != nil {
		return account.Passkey{}, err
	}
	return p.finishNewPasskey(owner, open, []byte(f.passkey), defaultName(lang, nil), now)
}

// enrolled is a second factor that was set up; the zero value: none was.
type enrolled struct {
	app      account.TOTP
	passkeys []account.Passkey
	// codes are the recovery codes, and hashes is what is kept of them.
	codes, hashes []string
}

// enrol gives the second factor that the form brings, with new recovery codes, or
// says what is wrong with it. Where the Organization wants none it gives none.
// What an app is given is no secret to whoever types its code, so that codes are
// not counted.
func (p *portal) enrol(r *http.Request, lang language.Tag, seen store.LinkView, f form) (e enrolled, problems []problem, err error) {
	if !seen.FactorRequired() {
		return enrolled{}, nil, nil
	}
	wrong := func(id string) {
		problems = append(problems, problem{fieldAppCode, lang.Text(id, nil)})
	}
	browser := p.enrolling(r)
	switch {
	case f.appCode == "" && f.passkey == "":
		wrong("portal.invitation.factor-missing")
	case browser == nil:
		wrong("portal.invitation.factor-anew")
	}
	if len(problems) > 0 {
		return enrolled{}, problems, nil
	}
	given, err := enrolmentOf(seen, browser)
	if err != nil {
		return enrolled{}, nil, err
	}
	now := p.clock.Now().UTC()
	if f.appCode != "" {
		step, right := secondfactor.Check(given.secret, f.appCode, now, 0)
		if !right {
			wrong("portal.invitation.app-code-wrong")
		}
		e.app = account.TOTP{Secret: given.secret, LastStep: step, AddedTime: now}
	}
	if f.passkey != "" {
		made, err := p.enrolPasskey(lang, seen, f, given)
		switch {
		case errors.Is(err, errRefused):
			wrong("portal.invitation.passkey-refused")
		case err != nil:
			return enrolled{}, nil, err
		}
		e.passkeys = []account.Passkey{made}
	}
	if len(problems) > 0 {
		return enrolled{}, problems, nil
	}
	e.codes, e.hashes, err = secondfactor.NewRecoveryCodes(p.random)
	return e, nil, err
}
