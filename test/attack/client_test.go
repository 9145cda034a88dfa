// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package attack_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/oauth2"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/portal"
	"github.com/usher-dev/usher/internal/session"
)

const (
	redirectURI  = "http://127.0.0.1:8000/"
	codeVerifier = "a-verifier-that-has-at-least-43-characters-in-it"
)

// authorizeAddress returns the authorization request of a client.
func authorizeAddress(clientID string) string {
	return issuer.PathAuthorize + "?" + form(
		"client_id", clientID, "redirect_uri", redirectURI, "response_type", "code", "scope", "openid groups offline_access",
		"code_challenge", oauth2.S256ChallengeFromVerifier(codeVerifier), "code_challenge_method", "S256",
	)
}

// tokens is what a client gets.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

// tokensIn returns the tokens in an answer, and reports whether it has any.
func tokensIn(got answer) (tokens, bool) {
	var t tokens
	_ = json.Unmarshal([]byte(got.body), &t)
	return t, t != tokens{}
}

// sends has a client send a request, with fields and values, one after the other. The
// client's secret is webSecret, if it has one.
func sends(clientID string, at *replica, path string, pairs ...string) answer {
	GinkgoHelper()
	pairs = append(pairs, "client_id", clientID)
	if clientID == webClient {
		pairs = append(pairs, "client_secret", webSecret)
	}
	return stranger().post(at, path, pairs...)
}

// kubectl sends a request of kubectl.
func kubectl(at *replica, path string, pairs ...string) answer {
	GinkgoHelper()
	return sends(issuer.KubectlID, at, path, pairs...)
}

// useCodeOf exchanges a code of a client.
func useCodeOf(clientID string, at *replica, code string) answer {
	GinkgoHelper()
	return sends(clientID, at, issuer.PathToken, "grant_type", "authorization_code", "redirect_uri", redirectURI, "code", code, "code_verifier", codeVerifier)
}

// useCode exchanges a code of kubectl.
func useCode(at *replica, code string) answer {
	GinkgoHelper()
	return useCodeOf(issuer.KubectlID, at, code)
}

// useRefresh exchanges a refresh token.
func useRefresh(at *replica, token string) answer {
	GinkgoHelper()
	return kubectl(at, issuer.PathToken, "grant_type", "refresh_token", "refresh_token", token)
}

// userInfo asks for the person of an access token.
func userInfo(at *replica, token string) answer {
	GinkgoHelper()
	return stranger().post(at, issuer.PathUserInfo, "access_token", token)
}

// pollDevice asks for the tokens of a device once.
func pollDevice(at *replica, code string) answer {
	GinkgoHelper()
	return kubectl(at, issuer.PathToken, "grant_type", "urn:ietf:params:oauth:grant-type:device_code", "device_code", code)
}

// useDeviceCode asks for the tokens of a device until the portal knows of the approval, which
// its cache learns a moment later.
func useDeviceCode(at *replica, code string) answer {
	GinkgoHelper()
	var got answer
	Eventually(func() string {
		got = pollDevice(at, code)
		return got.body
	}).ShouldNot(ContainSubstring("authorization_pending"))
	return got
}

var requestField = regexp.MustCompile(`name="request" value="([^"]+)"`)

// codeFor signs the person in the browser in to a client, and returns the code.
func (b *browser) codeFor(at *replica, clientID string) string {
	GinkgoHelper()
	Expect(b.get(at, authorizeAddress(clientID)).header.Get("Location")).To(HaveSuffix(issuer.PathContinue))
	page := b.get(at, issuer.PathContinue)
	found := requestField.FindStringSubmatch(page.body)
	Expect(found).NotTo(BeNil(), page.body)
	to, err := url.Parse(b.post(at, issuer.PathContinue, "request", found[1], "answer", "approve").header.Get("Location"))
	Expect(err).NotTo(HaveOccurred())
	Expect(to.Query().Get("code")).NotTo(BeEmpty())
	return to.Query().Get("code")
}

// aDevice begins a sign-in on a device, and returns its codes.
func aDevice(at *replica) (deviceCode, userCode string) {
	GinkgoHelper()
	got := kubectl(at, issuer.PathDevice, "scope", "openid groups offline_access")
	var codes struct {
		Device string `json:"device_code"`
		User   string `json:"user_code"`
	}
	Expect(json.Unmarshal([]byte(got.body), &codes)).To(Succeed())
	Expect(codes.Device).NotTo(BeEmpty(), got.body)
	return codes.Device, codes.User
}

// approveDevice approves a device in the browser.
func (b *browser) approveDevice(at *replica, userCode string) {
	GinkgoHelper()
	got := b.post(at, issuer.PathDevicePage, "code", userCode)
	Expect(got.status).To(Equal(http.StatusOK), got.body)
}

// aMember creates a member of an Organization, and returns the browser that they are signed in with.
func aMember(ctx context.Context) (person, *browser) {
	GinkgoHelper()
	jane := named(fresh("jane"))
	jane.joins(ctx, anOrganization(ctx, 5))
	in := jane.sessions(1, session.StageSignedIn)[0]
	jane.settle(ctx)
	return jane, in
}

var _ = Describe("Replaying what clients exchange for tokens, at three portals", Label("B7"), func() {
	const rounds = 100

	// replay uses something that works once at all portals at the same moment, in each round.
	// It checks that it worked once, and that the sign-in has ended because of the others.
	replay := func(ctx context.Context, what string, make func(b *browser, at []*replica) string, use func(at *replica, it string) answer) {
		GinkgoHelper()
		jane, in := aMember(ctx)
		at := portals(ctx)
		began := time.Now()
		for round := range rounds {
			it := make(in, at)
			var won []tokens
			for _, got := range atOnce(len(at), func(i int) answer { return use(at[i], it) }) {
				if t, any := tokensIn(got); any {
					won = append(won, t)
				} else {
					Expect(got.status).To(Equal(http.StatusBadRequest), got.body)
					Expect(got.body).To(ContainSubstring(`"invalid_grant"`))
				}
			}
			Expect(won).To(HaveLen(1), "round %d", round)
			Expect(useRefresh(at[round%3], won[0].Refresh).status).To(Equal(http.StatusBadRequest), "round %d", round)
			Expect(userInfo(at[round%3], won[0].Access).status).To(Equal(http.StatusUnauthorized), "round %d", round)
		}
		left, err := account.ReadCredentials(secretOf(ctx, jane.name))
		Expect(err).NotTo(HaveOccurred())
		Expect(left.Clients).To(BeEmpty())
		figure(what, "%d times at three portals at once, %d rounds in %s: got tokens once in each, and the tokens died", len(at), rounds, time.Since(began).Round(time.Second/10))
	}

	It("exchanges a code once, and the tokens of a code that is used again die", func(ctx SpecContext) {
		replay(ctx, "code of a client", func(b *browser, at []*replica) string { return b.codeFor(at[0], issuer.KubectlID) }, useCode)
	})

	It("refreshes once with a refresh token, and all tokens die if it is used again", func(ctx SpecContext) {
		replay(ctx, "refresh token", func(b *browser, at []*replica) string {
			first, found := tokensIn(useCode(at[1], b.codeFor(at[0], issuer.KubectlID)))
			Expect(found).To(BeTrue())
			return first.Refresh
		}, useRefresh)
	})

	It("exchanges a device code once, and the tokens of a device code that is used again die", func(ctx SpecContext) {
		replay(ctx, "device code", func(b *browser, at []*replica) string {
			deviceCode, userCode := aDevice(at[0])
			b.approveDevice(at[1], userCode)
			return deviceCode
		}, useDeviceCode)
	})
})

// webClient is a confidential client, and webSecret its secret.
const webClient, webSecret = "web", "the secret"

// knowsWebClient adds webClient to the clients of a portal.
func knowsWebClient(c *portal.Config) {
	hash := sha256.Sum256([]byte(webSecret))
	c.Client = func(_ context.Context, id string) (issuer.Client, bool, error) {
		of := issuer.Kubectl()
		if id == webClient {
			of.ID, of.SecretHash = webClient, hash[:]
		}
		return of, id == of.ID, nil
	}
}

var _ = Describe("The cost of a sign-in to a client", func() {
	It("is two writes to the API server, one for each refresh, and none for a question", func(ctx SpecContext) {
		jane := named(fresh("jane"))
		jane.joins(ctx, anOrganization(ctx, 5))
		jane.settle(ctx)
		at, b := aPortal(ctx, account.NewHasher(hashSlots, hashWait), knowsWebClient), stranger()
		costs := func(most int64, what string, do func()) {
			GinkgoHelper()
			before := at.writes.Load()
			do()
			cost := at.writes.Load() - before
			figure(what, "writes: %d", cost)
			Expect(cost).To(Equal(most), what)
		}
		var of tokens
		got := func(a answer) {
			GinkgoHelper()
			var found bool
			of, found = tokensIn(a)
			Expect(found).To(BeTrue(), a.body)
		}
		before := at.writes.Load()
		Expect(b.signIn(at, jane.name, password).leadsTo("/account")).To(BeTrue())
		figure("sign-in to the portal", "writes: %d", at.writes.Load()-before)

		costs(2, "sign-in to a client", func() { got(useCode(at, b.codeFor(at, issuer.KubectlID))) })
		costs(1, "refresh", func() { got(useRefresh(at, of.Refresh)) })
		costs(0, "userinfo", func() { Expect(userInfo(at, of.Access).status).To(Equal(http.StatusOK)) })
		costs(0, "request that is not approved", func() {
			b.get(at, authorizeAddress(issuer.KubectlID))
			b.get(at, issuer.PathContinue)
		})
		var deviceCode, userCode string
		costs(0, "device that waits", func() {
			deviceCode, userCode = aDevice(at)
			Expect(pollDevice(at, deviceCode).body).To(ContainSubstring("authorization_pending"))
		})
		costs(1, "approval of a device", func() { b.approveDevice(at, userCode) })
		costs(1, "sign-in on an approved device", func() { got(useDeviceCode(at, deviceCode)) })
		costs(2, "sign-in to a client with a secret", func() { got(useCodeOf(webClient, at, b.codeFor(at, webClient))) })
		costs(0, "introspection", func() {
			Expect(sends(webClient, at, issuer.PathIntrospect, "token", of.Access).body).To(ContainSubstring(`"active":true`))
		})
	})
})
