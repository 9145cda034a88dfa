// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package attack_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/controllers"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/notifier/email"
	"github.com/usher-dev/usher/test/platform"
)

// The people that a payload is about. In payloads, VICTIM, TOO and EVIL are their
// user names. ADDRESS is the address of the first two, and LOOKADDRESS is one that
// looks like it.
const (
	victim = "VICTIM"
	too    = "TOO"
	look   = "LOOK"
	evil   = "EVIL"
)

// payload is one attempt to redirect a mail, or its links.
type payload struct {
	what string
	// head is put below the first line. It replaces the Host header if it has one.
	head []string
	// target replaces the path, and kind the content type of the body.
	target, kind string
	// body replaces the form with the typed text.
	body, typed string
	status      int
	// meant are the people that must get a mail.
	meant []string
}

func headPayloads() []payload {
	var all []payload
	add := func(status int, lines ...string) {
		p := payload{what: strings.Join(lines, " | "), head: lines, typed: "ADDRESS", status: status}
		if status == http.StatusOK {
			p.meant = []string{victim, too}
		}
		all = append(all, p)
	}
	for _, lines := range [][]string{
		{"Host: evil.example"},
		{"Host: evil.example:443"},
		{"Host: usher.example.com:evil.example"},
		{"Host: usher.example.com.evil.example"},
		{"Host: evil.example", "X-Forwarded-Host: evil.example"},
		{"X-Forwarded-Host: evil.example"},
		{"X-Forwarded-Host: usher.example.com, evil.example"},
		{"X-Forwarded-Host: usher.example.com", "X-Forwarded-Host: evil.example"},
		{"X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http"},
		{"X-Forwarded-Proto: evil.example://"},
		{"X-Forwarded-Scheme: http"},
		{"X-Forwarded-Port: 8443"},
		{"X-Forwarded-Server: evil.example"},
		{"X-Forwarded-Prefix: //evil.example"},
		{"X-Forwarded-For: evil.example"},
		{"Forwarded: host=evil.example;proto=http"},
		{"Forwarded: for=192.0.2.1;host=\"evil.example\", host=evil.example"},
		{"X-Host: evil.example"},
		{"X-HTTP-Host-Override: evil.example"},
		{"X-Original-URL: https://evil.example/reset"},
		{"X-Rewrite-URL: https://evil.example/reset"},
		{"Base-Url: https://evil.example"},
		{"Referer: https://evil.example/"},
		{"X-User-Email: EVIL@example.org"},
		{"X-Forwarded-Host: evil.example\nX-Forwarded-Host: usher.example.com"},
	} {
		add(http.StatusOK, lines...)
	}
	for _, lines := range [][]string{
		{"Host: usher.example.com", "Host: evil.example"},
		{"Host: evil.example", "Host: usher.example.com"},
		{"Host: usher.example.com", " Host: evil.example"},
		{"Host: usher.example.com, evil.example"},
		{"X-Forwarded-Host: evil.example\x00"},
		{"X-Forwarded-Host : evil.example"},
		{"Transfer-Encoding: chunked"},
	} {
		add(http.StatusBadRequest, lines...)
	}
	for _, target := range []string{
		"http://evil.example/reset",
		"https://usher.example.com@evil.example/reset",
		"/reset?host=evil.example&url=https://evil.example&redirect=//evil.example",
		"/reset?lang=evil.example",
		"/reset?organization=evil.example",
		"/reset?sign-in-name=EVIL&email=EVIL@example.org",
	} {
		all = append(all, payload{what: target, target: target, typed: "ADDRESS", status: http.StatusOK, meant: []string{victim, too}})
	}
	return all
}

// typedPayloads are texts that an attacker types, and the people that they mean.
func typedPayloads() []payload {
	var all []payload
	add := func(meant []string, typed ...string) {
		for _, t := range typed {
			all = append(all, payload{what: t, typed: t, status: http.StatusOK, meant: meant})
		}
	}
	add(nil,
		"ADDRESS,EVIL@example.org", "ADDRESS;EVIL@example.org", "ADDRESS EVIL@example.org", "ADDRESS|EVIL@example.org", "EVIL@example.org,ADDRESS",
		"ADDRESS\nEVIL@example.org", "ADDRESS\r\nBcc: EVIL@example.org", "ADDRESS\nCc: EVIL@example.org\n\nhello",
		"ADDRESS%0d%0aBcc:EVIL@example.org", "ADDRESS%00EVIL@example.org", "ADDRESS\x00", "ADDRESS\x00EVIL@example.org", "ADDRESS\u2028EVIL@example.org",
		"<ADDRESS>", "Victim <ADDRESS>", "EVIL@example.org <ADDRESS>", "mailto:ADDRESS",
		`["ADDRESS","EVIL@example.org"]`, `{"email":"ADDRESS"}`, `{"email":["ADDRESS","EVIL@example.org"]}`,
		"ADDRESS@evil.example", "ADDRESS.evil.example", "VICTIM@evil.example", "ADDRESS.", `"VICTIM"@example.com`, `"ADDRESS"@evil.example`, `"ADDRESS,EVIL"@example.org`,
		"VICTIM(evil)@example.com", "VICTIM+EVIL@example.com", "*@example.com", "ADDRESS' or '1'='1", "metadata.name=VICTIM",
		"\uff56ictim@example.com", "VICTIM\u200b@example.com", "\u202eADDRESS", "VICTIM\uff20example.com", "VICTIM@ex\u0430mple.com", "VICTIM@example\u3002com",
		"VICTIM,EVIL", "VICTIM/../EVIL", "../VICTIM", "VICTIM%2f..%2fEVIL", "VICTIM\x00EVIL", "VICTIM\nEVIL", "account-VICTIM", "VICTIM?dryRun=All",
	)
	add([]string{victim, too}, "ADDRESS", "  ADDRESS\r\n", "VICTIM@EXAMPLE.COM", "VICTIM@ex\uff41mple.com")
	add([]string{victim}, "VICTIM", " VICTIM\n")
	add([]string{look}, "LOOKADDRESS")
	return all
}

func bodyPayloads() []payload {
	const ok, bad, unsupported = http.StatusOK, http.StatusBadRequest, http.StatusUnsupportedMediaType
	first := []string{victim, too}
	return []payload{
		{what: "the field twice", body: "sign-in-name=ADDRESS&sign-in-name=EVIL@example.org", status: bad},
		{what: "the field twice, the same", body: "sign-in-name=ADDRESS&sign-in-name=ADDRESS", status: bad},
		{what: "a list", body: "sign-in-name[]=ADDRESS&sign-in-name[]=EVIL@example.org", status: bad},
		{what: "the field and a list", body: "sign-in-name=ADDRESS&sign-in-name[]=EVIL@example.org", status: bad},
		{what: "a map", body: "sign-in-name[0]=ADDRESS&sign-in-name[1]=EVIL@example.org", status: bad},
		{what: "separated by a semicolon", body: "sign-in-name=ADDRESS;sign-in-name=EVIL@example.org", status: bad},
		{what: "bytes that are not UTF-8", body: "sign-in-name=ADDRESS%ff", status: bad},
		{what: "JSON", kind: "application/json", body: `{"sign-in-name":["ADDRESS","EVIL@example.org"]}`, status: unsupported},
		{what: "plain text", kind: "text/plain", body: "sign-in-name=ADDRESS", status: unsupported},
		{what: "an address to mail to", body: "sign-in-name=ADDRESS&email=EVIL@example.org&to=EVIL@example.org&bcc=EVIL@example.org", status: ok, meant: first},
		{what: "an address to come back to", body: "sign-in-name=ADDRESS&host=evil.example&url=https%3A%2F%2Fevil.example", status: ok, meant: first},
		{what: "times and a language", body: "sign-in-name=ADDRESS&resetTimes=2020-01-01T00%3A00%3A00Z&language=evil.example", status: ok, meant: first},
	}
}

// sendTo sends the payload byte by byte as it is, and returns the response.
func (p payload) sendTo(at *replica, fill *strings.Replacer) (*http.Response, string) {
	GinkgoHelper()
	target, kind, body := "/reset", formType, fill.Replace(p.body)
	if p.target != "" {
		target = fill.Replace(p.target)
	}
	if p.kind != "" {
		kind = p.kind
	}
	if p.typed != "" {
		body = form("sign-in-name", fill.Replace(p.typed))
	}
	lines := []string{"POST " + target + " HTTP/1.1"}
	if !slices.ContainsFunc(p.head, func(line string) bool { return strings.HasPrefix(line, "Host:") }) {
		lines = append(lines, "Host: "+portalHost)
	}
	for _, line := range p.head {
		lines = append(lines, fill.Replace(line))
	}
	lines = append(lines, "Sec-Fetch-Site: same-origin", "Connection: close", "Content-Type: "+kind, fmt.Sprint("Content-Length: ", len(body)))
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", at.server.Listener.Addr().String())
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"+body)
	Expect(err).NotTo(HaveOccurred())
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	Expect(err).NotTo(HaveOccurred(), p.what)
	read, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred(), p.what)
	Expect(response.Body.Close()).To(Succeed())
	return response, string(read)
}

// mailbag keeps all mails that are sent.
type mailbag struct {
	mu    sync.Mutex
	mails []email.Message
}

func (b *mailbag) Send(_ context.Context, m email.Message) error {
	if _, err := m.Bytes(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = append(b.mails, m)
	return nil
}

func (b *mailbag) all() []email.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.mails)
}

// aController sends mails into the bag until the returned function is called.
func aController(ctx context.Context, bag *mailbag) (stop func()) {
	GinkgoHelper()
	post := platform.Notifier(bag, keys)
	base, err := url.Parse(portalURL)
	Expect(err).NotTo(HaveOccurred())
	post.PortalURL = base
	return kube.RunControllers(ctx, controllerRights, controllers.Options{Clock: now, Workers: 4, Notifier: post})
}

// links matches everything in a mail that can lead to another place.
var links = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://[^\s"'<>]+|\b(?:mailto|javascript|data):[^\s"'<>]+|(?:href|src|action|background)\s*=\s*"?([^"\s>]+)`)

// linksOf returns the places that a mail leads to.
func linksOf(m email.Message) []string {
	var all []string
	for _, found := range links.FindAllStringSubmatch(m.Subject+"\n"+m.Text+"\n"+m.HTML, -1) {
		if all = append(all, found[0]); found[1] != "" {
			all[len(all)-1] = found[1]
		}
	}
	return all
}

// resetLinkIn finds the reset link in a mail.
var resetLinkIn = regexp.MustCompile(regexp.QuoteMeta(portalURL) + `/reset/([A-Za-z0-9_-]+)`)

var _ = Describe("Redirecting the mail of a password reset", Label("B3", "K7"), func() {
	It("is not possible: it goes to the address on file, and its links lead to the portal", func(ctx SpecContext) {
		payloads := slices.Concat(headPayloads(), typedPayloads(), bodyPayloads())
		Expect(len(payloads)).To(BeNumerically(">=", 50))
		type target struct {
			people map[string]*accountsv1.Account
			fill   *strings.Replacer
		}
		targets := make([]target, len(payloads))
		for i := range targets {
			n := fresh("")
			names := map[string]string{victim: "victim" + n, too: "victim-too" + n, look: "look-alike" + n, evil: "evil" + n}
			emails := map[string]string{
				victim: names[victim] + "@example.com", too: names[victim] + "@example.com",
				look: "v\u0456ctim" + n + "@example.com", evil: names[evil] + "@example.org",
			}
			targets[i].people = map[string]*accountsv1.Account{}
			for role, name := range names {
				p := named(name)
				p.email = emails[role]
				targets[i].people[role] = p.settle(ctx)
			}
			targets[i].fill = strings.NewReplacer("LOOKADDRESS", emails[look], "ADDRESS", emails[victim], "VICTIM", names[victim], "EVIL", names[evil])
		}
		bag := &mailbag{}
		stop := aController(ctx, bag)
		at := portals(ctx)

		aFewAtOnce(len(payloads), func(i int) bool {
			response, body := payloads[i].sendTo(at[i%3], targets[i].fill)
			Expect(response.StatusCode).To(Equal(payloads[i].status), payloads[i].what)
			Expect(response.Header).NotTo(HaveKey("Location"))
			Expect(body).NotTo(ContainSubstring("evil"), payloads[i].what)
			return true
		})
		onFile, expected := map[string]string{}, map[string]int{}
		for i, p := range payloads {
			for role, a := range targets[i].people {
				got := reread(ctx, a)
				wanted := 0
				if slices.Contains(p.meant, role) {
					wanted = 1
				}
				onFile[string(a.UID)] = string(a.Spec.Email)
				if wanted > 0 {
					expected[string(a.UID)] = wanted
				}
				Expect(got.Status.ResetTimes).To(HaveLen(wanted), "%s: %q", role, p.what)
			}
		}
		Eventually(func() int { return len(bag.all()) }).WithTimeout(time.Minute).Should(BeNumerically(">=", len(expected)))
		stop()

		foreign, elsewhere, sent := 0, 0, map[string]int{}
		for _, m := range bag.all() {
			found := resetLinkIn.FindStringSubmatch(m.Text)
			Expect(found).NotTo(BeNil(), m.Text)
			link, err := account.ParseResetLink(found[1])
			Expect(err).NotTo(HaveOccurred())
			sent[link.UID()]++
			if m.To.Address != onFile[link.UID()] {
				elsewhere++
			}
			leads := linksOf(m)
			Expect(leads).NotTo(BeEmpty())
			for _, to := range leads {
				if !strings.HasPrefix(to, portalURL+"/") {
					foreign++
				}
			}
			Expect(m.Subject + m.Text + m.HTML).NotTo(ContainSubstring("evil"))
		}
		figure("poisoned resets", "%d payloads: %d mails, foreign links %d, mails to other addresses %d", len(payloads), len(bag.all()), foreign, elsewhere)
		Expect(sent).To(Equal(expected))
		Expect(foreign).To(BeZero())
		Expect(elsewhere).To(BeZero())
	})
})
