// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/session"
)

// challengeDomain is the domain separator of the MAC of a challenge.
const challengeDomain = "usher passkey challenge v1\x00"

// challenge is what a passkey signs. The visitor is not signed in yet, so there
// is no Secret to store it in. Instead the browser stores it.
type challenge struct{ sealed }

// useUp marks a challenge as used, and reports whether it was unused. The mark is
// stored with the credentials of the Account that answered, until the challenge
// expires.
func (c challenge) useUp(credentials *account.Credentials, now time.Time) bool {
	sum := sha256.Sum256(c.value[:])
	return credentials.UseUp(hex.EncodeToString(sum[:]), c.expires, now)
}

// challengePasskey answers the script with a challenge for any passkey, because
// the portal does not know yet which person signs in.
func (p *portal) challengePasskey(w http.ResponseWriter, r *http.Request) {
	lang := languageOf(r, store.LinkView{})
	asked := challenge{sealed{expires: p.clock.Now().Add(passkeyTime).Truncate(time.Second)}}
	if _, err := io.ReadFull(p.random, asked.value[:]); err != nil {
		p.failed(w, r, lang, "generate a challenge", err, unavailable)
		return
	}
	keys, err := p.keys(r.Context())
	if err != nil {
		p.failed(w, r, lang, "read the link keys", err, unavailable)
		return
	}
	text, err := asked.seal(challengeDomain, keys)
	if err != nil {
		p.failed(w, r, lang, "seal a challenge", err, unavailable)
		return
	}
	options, _, err := p.relyingParty.BeginDiscoverableLogin(webauthn.WithChallenge(asked.value[:]))
	if err != nil {
		p.failed(w, r, lang, "ask for a passkey", err, unavailable)
		return
	}
	p.setCookie(w, challengeCookie, text, int(passkeyTime.Seconds()), http.SameSiteStrictMode)
	answerPasskey(w, r, http.StatusOK, passkeyAnswer{Options: options.Response})
}

// signInWithPasskey answers the script with the result of a passkey's signature.
// A passkey verifies its user, so it is two factors in one. It cannot be guessed,
// so a lock after wrong passwords does not block it. A refusal has the same
// answer and the same timing for every cause.
func (p *portal) signInWithPasskey(w http.ResponseWriter, r *http.Request) {
	start, lang := p.clock.Now(), languageOf(r, store.LinkView{})
	m, token, err := p.openWithPasskey(w, r)
	switch {
	case errors.Is(err, errRefused), errors.Is(err, store.ErrGone):
		p.waitForInterval(r, start)
		answerPasskey(w, r, http.StatusUnprocessableEntity, passkeyAnswer{Problem: lang.Text("portal.factor.sign-in-refused", nil)})
		return
	case err != nil:
		p.failed(w, r, lang, "sign in with a passkey", err, unavailable)
		return
	}
	if err := p.leaveAccount(r, m.Account.Name); err != nil {
		p.log.Error(errKind(err), "Failed to end the session of another account")
	}
	p.keepReserve(w, r, m.Account)
	p.keepSession(w, m, token)
	p.setCookie(w, challengeCookie, "", -1, http.SameSiteStrictMode)
	if err := p.store.SyncStatus(context.WithoutCancel(r.Context()), m, lang); err != nil {
		// The person is signed in anyway. The next sign-in updates the status.
		p.log.Error(errKind(err), "Failed to record a sign-in")
	}
	answerPasskey(w, r, http.StatusOK, passkeyAnswer{Location: p.base + p.pageSignedIn(r, lang)})
}

// openWithPasskey begins the session of the person who answers the challenge of
// this browser, and returns its token. A single conditional write marks the
// challenge as used, saves the counter of the passkey and begins the session.
func (p *portal) openWithPasskey(w http.ResponseWriter, r *http.Request) (*store.Member, string, error) {
	answer, err := readAssertion(w, r)
	if err != nil {
		return nil, "", err
	}
	asked, err := p.challengeOf(r)
	if err != nil {
		return nil, "", err
	}
	m, err := p.store.MemberOfInvitation(r.Context(), handleUID(answer.Response.UserHandle))
	if err != nil {
		return nil, "", err
	}
	halfway, err := p.visitor(r)
	switch {
	case err != nil:
		return nil, "", err
	case m == nil:
		return nil, "", errRefused
	case halfway != nil && halfway.Session.Stage == session.StagePassword && halfway.Account.UID != m.Account.UID:
		return nil, "", errRefused
	}
	token, err := p.store.BeginSession(r.Context(), m, p.browser(r), func(m *store.Member, now time.Time) (as session.Beginning, err error) {
		if m.Disabled() {
			return as, errRefused
		}
		m.Credentials.Passkeys, err = p.usePasskey(ownerOf(m.Account, m.Credentials), asked.value[:], answer, now)
		if err != nil {
			return as, err
		}
		if !asked.useUp(&m.Credentials, now) {
			return as, errRefused
		}
		return session.Beginning{Stage: session.StageSignedIn, Methods: session.ByPasskey}, nil
	})
	return m, token, err
}

// challengeOf returns the challenge in the cookie of this browser. It fails with
// errRefused.
func (p *portal) challengeOf(r *http.Request) (challenge, error) {
	cookie, err := r.Cookie(p.cookieName(challengeCookie))
	if err != nil {
		return challenge{}, errRefused
	}
	keys, err := p.keys(r.Context())
	if err != nil {
		return challenge{}, fmt.Errorf("read the link keys: %w", err)
	}
	asked, good := unseal(cookie.Value, challengeDomain, keys, p.clock.Now())
	if !good {
		return challenge{}, errRefused
	}
	return challenge{asked}, nil
}

// readAssertion reads the signed answer of a passkey. It fails with errRefused.
func readAssertion(w http.ResponseWriter, r *http.Request) (*protocol.ParsedCredentialAssertionData, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return nil, errRefused
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		w.Header().Set("Connection", "close")
		return nil, errRefused
	}
	answer, err := protocol.ParseCredentialRequestResponseBytes(body)
	if err != nil {
		return nil, errRefused
	}
	return answer, nil
}
