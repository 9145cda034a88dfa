// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package attack_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/session"
)

// impersonations are names that imitate kim-olsen, kim-olsen.acme (which has a
// qualifier), or a name of the system.
var impersonations = []string{
	// Capitals, and spaces at an end that readers do not see.
	"KIM-OLSEN", "Kim-Olsen", "kim-olseN", " kim-olsen", "kim-olsen ", "kim-olsen\t", "\nkim-olsen", "kim-olsen\r\n",
	"\u00a0kim-olsen", "kim-olsen\u2003", "kim-olsen\u3000", "kim olsen", "kim- olsen", "kim-ol\u00a0sen",
	// Letters of ASCII that look like others.
	"kirn-olsen", "kim-0lsen", "kim-o1sen", "klm-olsen", "k1m-olsen", "kim--olsen", "kim-oisen", "KIM-OISEN", "k1rn-01sen", "kirn--olsen",
	// Letters that become ASCII when they are lower-cased or composed.
	"\u212aim-olsen", "k\u0130m-olsen", "kim-ol\u017fen", "k\u0131m-olsen", "ki\u0307m-olsen", "kim-o\u0301lsen", "k\u00edm-olsen",
	// Letters of other scripts, and other forms of Latin letters.
	"\u043aim-olsen", "k\u0456m-olsen", "ki\u043c-olsen", "kim-\u043elsen", "kim-ol\u0455en", "kim-ols\u0435n", "\u043a\u0456\u043c-\u043e\u04cf\u0455\u0435\u043f",
	"\u03baim-olsen", "k\u03b9m-olsen", "kim-\u03bflsen", "kim-olse\u03b7", "kim-\u0585lsen", "kim-olse\u0578", "kim-ol\u10fden", "kim-\u0d20lsen", "kim-\u0ed0lsen",
	"kim-\u06f5lsen", "kim-\u0966lsen", "kim-o\u05d5sen", "kim-\u3007lsen", "kim-\u3147lsen", "kim-\u2c9flsen", "\u13e6im-olsen", "kim-o\u2d4fsen", "kim-o\ua4f2sen",
	"\uff4b\uff49\uff4d\uff0d\uff4f\uff4c\uff53\uff45\uff4e", "\U0001d424\U0001d422\U0001d426-olsen", "\U0001d4f4im-olsen", "\U0001d557im-olsen", "\u24da\u24d8\u24dc-olsen",
	"k\u1d62m-olsen", "kim-o\u2113sen", "kim-\u2134lsen", "kim-\u00bals\u212fn", "k\u217cm-olsen", "kim-o\u217csen", "kim-\u01c9sen",
	// Characters that look like a dash.
	"kim\u2010olsen", "kim\u2011olsen", "kim\u2012olsen", "kim\u2013olsen", "kim\u2014olsen", "kim\u2212olsen", "kim\ufe63olsen", "kim\u30fcolsen", "kim_olsen", "kim\u00b7olsen",
	// Invisible characters, and characters that change the reading direction.
	"kim\u200b-olsen", "kim-olsen\u200b", "kim\u200c-olsen", "kim\u200d-olsen", "kim\u2060-olsen", "\ufeffkim-olsen", "kim-ol\u00adsen", "kim-olsen\u034f", "kim-olsen\u115f",
	"\u202enesl\u006f-mik", "kim-\u202dolsen", "\u2067kim-olsen\u2069", "\u200ekim-olsen", "kim-olsen\u200f", "kim-olsen\u061c", "kim-olsen\ufe0f", "kim-olsen\U000e0041", "kim-olsen\u2800", "kim-olsen\u3164",
	// The names of the system.
	"system", "system:masters", "system:serviceaccount:usher-system:usher-portal", "usher:kim-olsen", "system-masters", "kube-admin", "cluster-admin", "usher", "r00t", "admin1strator", "postmaster",
	// Dots, slashes and qualifiers.
	"kim-olsen.", ".kim-olsen", "kim-olsen..", "kim-olsen..acme", "kim-olsen.acme", "kim-olsen.acme.", "kim-olsen/acme", "kim-olsen/", "/kim-olsen", "kim-olsen//acme", "kim-olsen/acme/x",
	"kim-olsen\\acme", "acme/../kim-olsen", "../kim-olsen", "./kim-olsen", "x/../kim-olsen", "kim-olsen/.", "kim-olsen/..", "kim-olsen\u2024acme", "kim-olsen\u2044acme", "kim-olsen\uff0facme", "kim-olsen\u2215acme",
	// Names that another parser would decode, truncate or split.
	"%6bim-olsen", "kim%2dolsen", "kim-olsen%00", "kim-olsen\x00", "kim-olsen\x00x", "kim-olsen%2facme", "kim-olsen%2e", "..%2fkim-olsen", "kim-olsen;x", "kim-olsen,kim-olsen", "kim-olsen#", "kim-olsen?x=y", "&#107;im-olsen", "\\u006bim-olsen", "xn--kim-olsen-", "=?utf-8?q?kim-olsen?=",
	"-kim-olsen", "kim-olsen-", "\"kim-olsen\"", "'kim-olsen'", "<b>kim-olsen</b>", "kim-olsen\u001b[0m",
	// Addresses.
	"kim-olsen@example.com", "KIM-OLSEN@EXAMPLE.COM", "kim-olsen@example.com.", "kim-olsen@usher.example.com", "\"kim-olsen\"@example.com", "Kim <kim-olsen@example.com>", "kim-olsen@ex\u0430mple.com", "kim-olsen\uff20example.com", "kim-olsen@",
	// Too long, where a truncated name would be another person's.
	"kim-olsen" + strings.Repeat("-", 60), strings.Repeat("a", 64), "kim-olsen" + strings.Repeat(" ", 5000) + "x", strings.Repeat("kim-olsen", 500), "kim-olsen." + strings.Repeat("a", 64),
}

// harmless are the impersonations that people type for themselves, with the Accounts
// that they mean. Telephones write capitals and spaces, a qualifier comes after a
// slash, and an address means the oldest of its Accounts.
var harmless = map[string][]string{
	"KIM-OLSEN": {"kim-olsen"}, "Kim-Olsen": {"kim-olsen"}, "kim-olseN": {"kim-olsen"},
	" kim-olsen": {"kim-olsen"}, "kim-olsen ": {"kim-olsen"}, "kim-olsen\t": {"kim-olsen"}, "\nkim-olsen": {"kim-olsen"}, "kim-olsen\r\n": {"kim-olsen"},
	"\u00a0kim-olsen": {"kim-olsen"}, "kim-olsen\u2003": {"kim-olsen"}, "kim-olsen\u3000": {"kim-olsen"},
	"kim-olsen/acme":        {"kim-olsen.acme"},
	"kim-olsen@example.com": {"kim-olsen"}, "KIM-OLSEN@EXAMPLE.COM": {"kim-olsen"},
}

// victims creates the Accounts of Kim Olsen, each with a password of its own. It
// returns the passwords by user name.
func victims(ctx context.Context, org *accountsv1.Organization) map[string]string {
	GinkgoHelper()
	passwords := map[string]string{"kim-olsen": password, "kim-olsen.acme": "orbit cactus linen fjord"}
	for _, name := range slices.Sorted(maps.Keys(passwords)) { // kim-olsen is the oldest
		victim := named(name)
		victim.email, victim.credentials.Password = "kim-olsen@example.com", hashOf(ctx, passwords[name])
		victim.joins(ctx, org)
		victim.settle(ctx)
	}
	return passwords
}

func hashOf(ctx context.Context, password string) string {
	GinkgoHelper()
	hash, err := account.NewHasher(1, time.Minute).Hash(ctx, password)
	Expect(err).NotTo(HaveOccurred())
	return hash
}

// anOpenLink creates an Invitation whose mail was sent, and returns the path of its
// page.
func anOpenLink(ctx context.Context, org *accountsv1.Organization) string {
	GinkgoHelper()
	claimed, expires := metav1.NewTime(now.Now().Add(-time.Hour)).Rfc3339Copy(), metav1.NewTime(now.Now().Add(24*time.Hour)).Rfc3339Copy()
	inv := &accountsv1.Invitation{
		ObjectMeta: metav1.ObjectMeta{Namespace: org.Name, Name: fresh("mallory")},
		Spec: accountsv1.InvitationSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: accountsv1.CatalogueName(org.Name)}, Role: "developer",
			Email: "mallory-too@example.org",
		},
	}
	create(ctx, inv)
	inv.Status = accountsv1.InvitationStatus{
		State: accountsv1.InvitationPending, ExpirationTime: &expires,
		Attempt: accountsv1.Attempt{
			Number: 1, KeyID: int32(keys.Newest()), ClaimTime: &claimed,
			Organization: "Acme", Role: "Developer", Language: "en", Sender: "usher@example.com",
		},
		Deliveries: []accountsv1.Delivery{{
			Name: "email", Purpose: accountsv1.PurposeInvitation, Medium: accountsv1.MediumEmail, Recipient: "mallory-too@example.org",
			MessageID: "1@example.com", ClaimTime: &claimed, Tries: 1, TryTime: &claimed, Result: accountsv1.DeliverySent, SentTime: &claimed,
		}},
	}
	Expect(admin.Status().Update(ctx, inv)).To(Succeed())
	link, err := keys.DeriveLink(string(inv.UID), inv.Status.Attempt)
	Expect(err).NotTo(HaveOccurred())
	return "/invitation/" + link
}

// everyAccount returns the names of all Accounts.
func everyAccount(ctx context.Context) []string {
	GinkgoHelper()
	var all accountsv1.AccountList
	Expect(admin.List(ctx, &all)).To(Succeed())
	names := make([]string, len(all.Items))
	for i := range all.Items {
		names[i] = all.Items[i].Name
	}
	return names
}

var _ = Describe("Passing for another person", Label("A3", "B7"), func() {
	const attackers = "attack-pigeon marble soup"

	It("by a name that looks like theirs fails for new accounts", func(ctx SpecContext) {
		Expect(len(impersonations)).To(BeNumerically(">=", 100))
		org := anOrganization(ctx, 100)
		victims(ctx, org)
		link, before := anOpenLink(ctx, org), everyAccount(ctx)
		at := portals(ctx)
		Expect(stranger().get(at[0], link).status).To(Equal(http.StatusOK))

		makeAccount := func(i int, name string) answer {
			return stranger().post(at[i%3], link, "user-name", name, "given-name", "Kim", "family-name", "Olsen",
				"password", attackers, "password-again", attackers)
		}
		made := aFewAtOnce(len(impersonations), func(i int) answer { return makeAccount(i, impersonations[i]) })
		for i, got := range made {
			Expect(got.status).To(Equal(http.StatusUnprocessableEntity), "%q: %s", impersonations[i], got.body)
		}
		Expect(everyAccount(ctx)).To(ConsistOf(before))

		figure("names", "%d names: accounts made %d", len(impersonations), len(everyAccount(ctx))-len(before))

		By("doing the same with a name that imitates no other name")
		DeferCleanup(func(ctx context.Context) { discard(ctx, "own-name") })
		Expect(makeAccount(0, "own-name").status).To(Equal(http.StatusOK))
		Expect(everyAccount(ctx)).To(ConsistOf(append(before, "own-name")))
	})

	It("by a name that looks like theirs does not sign in, although the password is right", func(ctx SpecContext) {
		for name := range harmless {
			Expect(impersonations).To(ContainElement(name))
		}
		passwords, at := victims(ctx, anOrganization(ctx, 100)), portals(ctx)
		for name, own := range passwords {
			var allowed, others []string
			for _, typed := range impersonations {
				switch {
				case slices.Contains(harmless[typed], name):
					allowed = append(allowed, typed)
				case name == "kim-olsen" || strings.Contains(typed, "acme") || strings.Contains(typed, "@"):
					others = append(others, typed)
				}
			}
			// As many at a time as the portals have room for.
			refused := inSteps(len(others), len(at)*hashSlots, time.Nanosecond, func(i int) answer {
				return stranger().signIn(at[i%3], others[i], own)
			})
			figure("names at the sign-in of "+name, "%d with its password: let in %d", len(others), accepted(refused))
			for i, got := range refused {
				Expect(got.status).To(Equal(http.StatusUnprocessableEntity), "%q for %s: %s", others[i], name, got.body)
				Expect(got.session()).To(BeEmpty(), "%q for %s", others[i], name)
			}
			for i, typed := range allowed {
				kim := stranger()
				got := kim.signIn(at[i%3], typed, own)
				Expect(got.leadsTo("/account")).To(BeTrue(), "%q for %s: %s", typed, name, got.body)
				Expect(kim.get(at[(i+1)%3], "/account").body).To(ContainSubstring("<code>usher:"+name+"</code>"), "%q", typed)
			}
		}
	})

	It("by a forged cookie fails", func(ctx SpecContext) {
		victim, mallory := named("kim-olsen"), named(fresh("mallory"))
		victims, own := victim.sessions(1, session.StageSignedIn)[0], mallory.sessions(1, session.StageSignedIn)[0]
		victim.settle(ctx)
		mallory.settle(ctx)
		at := portals(ctx)
		Expect(victims.copy().isIn(at[0], victim.name)).To(BeTrue())
		Expect(own.copy().isIn(at[1], mallory.name)).To(BeTrue())
		token, _, _ := strings.Cut(own.cookies[sessionCookie], ".")
		stolen := victim.credentials.Sessions[0].Hash
		names := []string{
			victim.name, "account-" + victim.name, "../secrets/account-" + victim.name, "../" + victim.name, "x/../" + victim.name,
			mallory.name + "/../" + victim.name, mallory.name + "," + victim.name, mallory.name + "." + victim.name, victim.name + "." + mallory.name,
			victim.name + "/", victim.name + ".", "." + victim.name, victim.name + "%00", victim.name + "?x=" + mallory.name, victim.name + "#" + mallory.name,
			strings.ToUpper(victim.name), "usher-link-keys", "..", ".", "", "*", "%2e%2e%2f" + victim.name, strings.Repeat("a", 300), victim.name + " " + mallory.name,
		}
		var cookies []string
		for _, name := range names {
			for _, claim := range []string{token, stolen, "", "null", token + token} {
				cookies = append(cookies, claim+"."+name)
			}
		}
		cookies = append(cookies, token, "", ".", "..", stolen, victim.name, victim.name+"."+token,
			own.cookies[sessionCookie]+"; "+sessionCookie+"="+token+"."+victim.name)
		answers := aFewAtOnce(len(cookies), func(i int) answer {
			return (&browser{cookies: map[string]string{sessionCookie: cookies[i]}}).get(at[i%3], "/account")
		})
		opened := 0
		for i, got := range answers {
			if strings.Contains(got.body, victim.name) || got.status == http.StatusOK && !strings.Contains(got.body, mallory.name) {
				opened++
			}
			Expect(got.body).NotTo(ContainSubstring(victim.name), cookies[i])
		}
		figure("cookies", "%d forged: sessions opened of another person %d", len(cookies), opened)
		Expect(opened).To(BeZero())
	})
})
