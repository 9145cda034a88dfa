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

// If an Organization requires a second factor, the person sets it up in the form
// that creates the account. Nothing is stored before that form is sent, and a GET
// never stores anything. So the portal derives what it gives to an authenticator
// app or an authenticator. It derives this from a key that every replica has, a
// number that only this browser has, and the attempt of the invitation. Another
// browser with the same link, such as that of a mail scanner, gets other values.

// enrolmentTime is how long the browser keeps the number after each use.
// enrolmentSize is the length of the number in bytes.
const (
	enrolmentTime = time.Hour
	enrolmentSize = 32
)

// appSecretSize is the length of the secret of an app in bytes, as
// secondfactor.Check requires it.
const appSecretSize = 20

// Domain separators of the derived secret and the derived challenge.
const (
	enrolmentAppDomain       = "usher enrolment app v1\x00"
	enrolmentChallengeDomain = "usher enrolment challenge v1\x00"
)

// fieldAppCode is the first code of an authenticator app.
const fieldAppCode = "app-code"

// enrolment holds the values that a second factor is set up with.
type enrolment struct {
	// secret of the authenticator app, in base32 without padding.
	secret string
	// challenge that a new passkey signs.
	challenge []byte
}

// enrolmentOf derives the values for one browser.
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

// enrolmentNumber returns the number in the cookie of the request, or nil.
func (p *portal) enrolmentNumber(r *http.Request) []byte {
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

// enrolView is the part of the page that sets up a second factor. The zero value
// offers nothing.
type enrolView struct {
	// Required means that the account cannot be created without a second factor.
	Required bool
	appView
	// Options are the JSON options with which the script creates a passkey. They are
	// empty if passkeys are not possible.
	Options string
	// Passkey is a valid answer of an authenticator, or "" if there is none yet.
	Passkey string
}

// offerEnrolment returns the values that set up a second factor, and gives the
// browser a number if it has none. The values stay the same while the browser
// keeps that number.
func (p *portal) offerEnrolment(v visit, lang language.Tag, seen store.LinkView, f form) (enrolView, error) {
	if !seen.FactorRequired() {
		return enrolView{}, nil
	}
	browser := p.enrolmentNumber(v.r)
	if browser == nil {
		browser = make([]byte, enrolmentSize)
		if _, err := io.ReadFull(p.random, browser); err != nil {
			return enrolView{}, fmt.Errorf("generate the enrolment number: %w", err)
		}
	}
	given, err := enrolmentOf(seen, browser)
	if err != nil {
		return enrolView{}, err
	}
	view := enrolView{Required: true}
	// The user name can still change. The label is the address, which identifies the
	// account for people.
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

// enrollee returns the future owner of a new passkey. Its handle is that of the
// Account that is about to be created.
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

// enrolPasskey returns the passkey in the form. It fails with errRefused.
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

// enrolled is a second factor that was set up. The zero value means none.
type enrolled struct {
	app      account.TOTP
	passkeys []account.Passkey
	// codes are the recovery codes, and hashes are their stored hashes.
	codes, hashes []string
}

// enrol returns the second factor in the form with new recovery codes, or the
// problems with it. If the Organization requires no second factor, it returns the
// zero value. The portal does not count wrong codes here, because the person who
// types a code already knows the app's secret.
func (p *portal) enrol(r *http.Request, lang language.Tag, seen store.LinkView, f form) (e enrolled, problems []problem, err error) {
	if !seen.FactorRequired() {
		return enrolled{}, nil, nil
	}
	wrong := func(id string) {
		problems = append(problems, problem{fieldAppCode, lang.Text(id, nil)})
	}
	browser := p.enrolmentNumber(r)
	switch {
	case f.appCode == "" && f.passkey == "":
		wrong("portal.invitation.factor-missing")
	case browser == nil:
		wrong("portal.invitation.factor-cookies")
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
