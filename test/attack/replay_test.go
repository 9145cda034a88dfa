// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package attack_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"github.com/descope/virtualwebauthn"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/pquerna/otp/totp"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/secondfactor"
	"github.com/usher-dev/usher/internal/session"
)

// withApp returns a person with a TOTP app, and its secret.
func withApp(name string) (person, string) {
	GinkgoHelper()
	secret, err := secondfactor.NewSecret(rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	p := named(name)
	p.credentials.TOTP = account.TOTP{Secret: secret, AddedTime: now.Now().Add(-time.Hour).UTC()}
	return p, secret
}

// codeNow returns the code that an app shows now.
func codeNow(secret string) string {
	GinkgoHelper()
	code, err := totp.GenerateCode(secret, now.Now())
	Expect(err).NotTo(HaveOccurred())
	return code
}

// accepted counts the answers that begin a session.
func accepted(answers []answer) int {
	n := 0
	for _, got := range answers {
		if got.session() != "" {
			n++
		}
	}
	return n
}

var _ = Describe("Replaying a second factor at three portals", Label("A10"), func() {
	const halfwaySessions = 15

	It("signs in once with a TOTP code", func(ctx SpecContext) {
		jane, secret := withApp(fresh("jane"))
		browsers := jane.sessions(halfwaySessions, session.StagePassword)
		jane.settle(ctx)
		at := portals(ctx)
		code := codeNow(secret)
		answers := atOnce(100, func(i int) answer {
			return browsers[i%len(browsers)].copy().post(at[i%3], "/sign-in/code", "code", code)
		})
		figure("TOTP code", "%d times at once: let in %d", len(answers), accepted(answers))
		Expect(accepted(answers)).To(Equal(1))
	})

	It("signs in once with a recovery code", func(ctx SpecContext) {
		jane, _ := withApp(fresh("jane"))
		codes, hashes, err := secondfactor.NewRecoveryCodes(rand.Reader)
		Expect(err).NotTo(HaveOccurred())
		jane.credentials.RecoveryCodes = hashes
		browsers := jane.sessions(halfwaySessions, session.StagePassword)
		jane.settle(ctx)
		at := portals(ctx)
		answers := atOnce(100, func(i int) answer {
			return browsers[i%len(browsers)].copy().post(at[i%3], "/sign-in/code", "code", codes[0])
		})
		figure("recovery code", "%d times at once: let in %d", len(answers), accepted(answers))
		Expect(accepted(answers)).To(Equal(1))
		left, err := account.ReadCredentials(secretOf(ctx, jane.name))
		Expect(err).NotTo(HaveOccurred())
		Expect(left.RecoveryCodes).To(HaveLen(len(hashes) - 1))
	})

	It("signs in once with a signature of a passkey", func(ctx SpecContext) {
		jane := named(fresh("jane"))
		owner := jane.sessions(1, session.StageSignedIn)[0]
		jane.settle(ctx)
		at := portals(ctx)
		phone := aPhone()
		options := owner.post(at[0], "/account/second-factor/passkey/options", "passkey-name", "Phone")
		added := owner.post(at[1], "/account/second-factor/passkey", "passkey-name", "Phone", "passkey-answer", phone.made(options))
		Expect(added.status).To(BeElementOf(http.StatusOK, http.StatusSeeOther), added.body)

		thief := stranger()
		signed := phone.signed(thief.script(at[0], "/sign-in/passkey/options", "{}"))
		answers := atOnce(100, func(i int) answer { return thief.copy().script(at[i%3], "/sign-in/passkey", signed) })
		figure("signature of a passkey", "%d times at once: let in %d", len(answers), accepted(answers))
		Expect(accepted(answers)).To(Equal(1))
	})

	It("checks no more wrong codes than wrong passwords, across all sessions", Label("B2"), func(ctx SpecContext) {
		jane, secret := withApp(fresh("jane"))
		browsers := jane.sessions(halfwaySessions, session.StagePassword)
		a := jane.settle(ctx)
		at, writes := portals(ctx), changesOf(ctx, a)
		wrong := wrongCodes(secret, 200)
		answers := atOnce(len(wrong), func(i int) answer {
			return browsers[i%len(browsers)].copy().post(at[i%3], "/sign-in/code", "code", wrong[i])
		})
		Expect(accepted(answers)).To(BeZero())
		locked := reread(ctx, a)
		Expect(locked.Status.SignIn.CodeFailures).To(BeEquivalentTo(5))

		By("trying the right code, in all the sessions and with the password")
		right := atOnce(30, func(i int) answer {
			return browsers[i%len(browsers)].copy().post(at[i%3], "/sign-in/code", "code", codeNow(secret))
		})
		counting := writes.seen.Load()
		again := stranger()
		again.signIn(at[0], jane.name, password)
		right = append(right, again.post(at[1], "/sign-in/code", "code", codeNow(secret)))
		Expect(accepted(right)).To(BeZero())
		Expect(reread(ctx, a).Status.SignIn).To(Equal(locked.Status.SignIn))
		figure("wrong codes", "%d at once from %d sessions: counted %d, writes of the Account %d, then %d right ones let in %d",
			len(wrong), len(browsers), locked.Status.SignIn.CodeFailures, counting, len(right), accepted(right))
		Expect(counting).To(BeNumerically("<=", 6))

		By("waiting for the end of the lock")
		now.PutForward(16 * time.Minute)
		Expect(again.signIn(at[0], jane.name, password).leadsTo("/sign-in/code")).To(BeTrue())
		Expect(again.post(at[2], "/sign-in/code", "code", codeNow(secret)).leadsTo("/account")).To(BeTrue())
	})
})

// wrongCodes returns n codes that the app shows at no time near now.
func wrongCodes(secret string, n int) []string {
	GinkgoHelper()
	good := map[string]bool{}
	for steps := -4; steps <= 4; steps++ {
		code, err := totp.GenerateCode(secret, now.Now().Add(time.Duration(steps)*30*time.Second))
		Expect(err).NotTo(HaveOccurred())
		good[code] = true
	}
	var codes []string
	for number := 0; len(codes) < n; number++ {
		if code := fmt.Sprintf("%06d", number*4999%1_000_000); !good[code] {
			codes = append(codes, code)
		}
	}
	return codes
}

// phone is an authenticator with one passkey.
type phone struct {
	rp   virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	cred virtualwebauthn.Credential
}

func aPhone() *phone {
	p := &phone{
		rp:   virtualwebauthn.RelyingParty{ID: portalHost, Name: portalHost, Origin: portalURL},
		auth: virtualwebauthn.NewAuthenticator(),
	}
	// The library drops the leading zeros of a coordinate, so such keys are skipped.
	const whole = 77
	for p.cred.Key == nil || len(p.cred.Key.AttestationData()) != whole {
		p.cred = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	return p
}

// made returns a browser's answer to the options for a new passkey.
func (p *phone) made(options answer) string {
	GinkgoHelper()
	asked, err := virtualwebauthn.ParseAttestationOptions(options.body)
	Expect(err).NotTo(HaveOccurred(), options.body)
	p.auth.Options.UserHandle = []byte(asked.UserID)
	return virtualwebauthn.CreateAttestationResponse(p.rp, p.auth, p.cred, *asked)
}

// signed returns a browser's answer to the options for signing in.
func (p *phone) signed(options answer) string {
	GinkgoHelper()
	asked, err := virtualwebauthn.ParseAssertionOptions(options.body)
	Expect(err).NotTo(HaveOccurred(), options.body)
	return virtualwebauthn.CreateAssertionResponse(p.rp, p.auth, p.cred, *asked)
}
