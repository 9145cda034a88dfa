// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package servers_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf16"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"

	"github.com/usher-dev/usher/internal/notifier/sms"
)

var _ = Describe("An SMS through Kannel", Label("E6"), Ordered, ContinueOnFailure, func() {
	const link = "https://usher.example.org/i#c2VjcmV0LXNlY3JldA"
	var (
		gateway *kannel
		numbers int
		number  string
	)
	BeforeAll(func(ctx SpecContext) { gateway = startKannel(ctx) })
	BeforeEach(func() {
		numbers++
		number = fmt.Sprintf("+39333123%04d", numbers)
	})

	send := func(ctx context.Context, to, text string) error {
		return gateway.client(kannelPassword).Send(ctx, sms.Message{To: to, Text: text})
	}
	// arrives checks that exactly this text arrives at the number, and nothing after
	// it.
	arrives := func(text string) {
		GinkgoHelper()
		Eventually(gateway.texts).WithArguments(number).Should(Equal([]string{text}))
		Consistently(gateway.texts).WithArguments(number).Should(Equal([]string{text}))
	}

	DescribeTable("arrives once, with exactly its number, sender and text,", func(ctx SpecContext, text, kind string) {
		Expect(send(ctx, number, text)).To(Succeed())
		arrives(text)
		Expect(gateway.parts(number)).To(Equal([]part{{from: "Usher", to: number, kind: kind, text: text, last: true}}))
	},
		Entry("in plain letters", "Jane, Acme invites you: "+link, "text"),
		Entry("with the accents and signs of the GSM alphabet", "perché no? [100 €] ~ Ångström & Ψ: "+link, "text"),
		Entry("in another alphabet, with a picture", "Привет, Jane 🎉 ç", "ucs-2"),
	)

	DescribeTable("that is long arrives whole, in as many parts as Usher counts,", func(ctx SpecContext, text string, parts int) {
		Expect(sms.Segments(text)).To(Equal(parts))
		Expect(send(ctx, number, text)).To(Succeed())
		arrives(text)
		Expect(gateway.parts(number)).To(HaveLen(parts))
	},
		Entry("in plain letters", strings.Repeat("Acme invites you. ", 20)+link, 3),
		Entry("with accents", strings.Repeat("perché così? ", 21)+link, 3),
		Entry("in another alphabet", strings.Repeat("Привет, Jane! ", 10)+link, 3),
		Entry("of maximum length", strings.Repeat("a", 153*sms.MaxSegments-len(link))+link, sms.MaxSegments),
	)

	It("is retried until the password is right, and the error names the setting", func(ctx SpecContext) {
		err := gateway.client("not the password").Send(ctx, sms.Message{To: number, Text: link})
		Expect(err).To(BeAssignableToTypeOf(&sms.TemporaryError{}))
		Expect(err).To(MatchError(ContainSubstring("the password in the SMS password file: 403 Authorization failed for sendsms")))
		Consistently(gateway.texts).WithArguments(number).Should(BeEmpty())
	})

	It("to a number without a route is refused permanently", func(ctx SpecContext) {
		err := send(ctx, "+41791234567", link)
		Expect(err).To(BeAssignableToTypeOf(&sms.RefusedError{}))
		Expect(err).To(MatchError(ContainSubstring("refused the number permanently, so use another number: 403 Not routable.")))
	})

	It("is accepted while the network is down, and arrives when it is up again", func(ctx SpecContext) {
		gateway.smsc.Kill().Wait()
		gateway.waitForStatus(ctx, "(re-connecting")
		Expect(send(ctx, number, link)).To(Succeed())
		gateway.startNetwork(ctx)
		arrives(link)
	})

	It("waits while the bearerbox is down, and arrives once when it is sent again", func(ctx SpecContext) {
		gateway.bearerbox.Kill().Wait()
		Eventually(func() error { return gateway.listens(ctx, gateway.sendsms) }).ShouldNot(Succeed(), "a smsbox without a bearerbox stops listening")
		err := send(ctx, number, link)
		Expect(err).To(BeAssignableToTypeOf(&sms.TemporaryError{}))
		Expect(err).To(MatchError(ContainSubstring("cannot be reached: connection refused")))
		gateway.stop()
		gateway.start(ctx)
		Expect(send(ctx, number, link)).To(Succeed())
		arrives(link)
	})

	It("may have arrived if the bearerbox does not confirm it in time", func(ctx SpecContext) {
		gateway.bearerbox.Signal(syscall.SIGSTOP)
		DeferCleanup(gateway.bearerbox.Signal, syscall.SIGCONT)
		brief, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		Expect(send(brief, number, link)).To(BeAssignableToTypeOf(&sms.UnknownError{}))
		gateway.bearerbox.Signal(syscall.SIGCONT)
		arrives(link)
	})
})

// kannel is a Kannel gateway with a network of its own. The network prints every
// message that it gets.
type kannel struct {
	dir                            string
	admin, sendsms, boxes, network int // ports

	bearerbox, smsbox, smsc *gexec.Session
	// printed is the output of earlier networks.
	printed string
}

const kannelPassword = "correct horse & battery"

const kannelConfig = `
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = admin
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1

group = smsc
port = {network}
smsc = fake
smsc-id = FAKE
our-host = 127.0.0.1
connect-allow-ip = 127.0.0.1
denied-prefix = "+41"

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = usher
password = "{password}"
max-messages = {segments}
concatenation = true

group = sms-service
keyword = default
max-messages = 0
text = ""
`

func startKannel(ctx context.Context) *kannel {
	GinkgoHelper()
	k := &kannel{
		dir:   GinkgoT().TempDir(),
		admin: quietPort(ctx), sendsms: quietPort(ctx), boxes: quietPort(ctx), network: quietPort(ctx),
	}
	settings := strings.NewReplacer(
		"{admin}", strconv.Itoa(k.admin), "{boxes}", strconv.Itoa(k.boxes), "{network}", strconv.Itoa(k.network),
		"{sendsms}", strconv.Itoa(k.sendsms), "{password}", kannelPassword, "{segments}", strconv.Itoa(sms.MaxSegments),
	)
	Expect(os.WriteFile(k.config(), []byte(settings.Replace(kannelConfig)), 0o600)).To(Succeed())
	DeferCleanup(k.stop)
	k.start(ctx)
	return k
}

// quietPort returns a TCP port of 127.0.0.1 on which no process listens. The port is
// below the range that the system assigns to connections, so no connection can get it
// by chance before Kannel listens on it.
func quietPort(ctx context.Context) int {
	GinkgoHelper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			Expect(l.Close()).To(Succeed())
			return port
		}
	}
	Fail("no port of 127.0.0.1 is free")
	return 0
}

func (k *kannel) config() string { return filepath.Join(k.dir, "kannel.conf") }

// run starts one of Kannel's programs, which touches nothing outside its directory.
func (k *kannel) run(path string, args ...string) *gexec.Session {
	GinkgoHelper()
	cmd := exec.Command(path, args...) //nolint:noctx // stop ends it
	cmd.Dir = k.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	session, err := gexec.Start(cmd, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	return session
}

func (k *kannel) start(ctx context.Context) {
	GinkgoHelper()
	k.bearerbox = k.run(program("bearerbox", "kannel"), "-v", "2", k.config())
	k.waitForStatus(ctx, "(connecting")
	// A smsbox that starts too early gives up at once.
	Eventually(func() error { return k.listens(ctx, k.boxes) }).Should(Succeed())
	k.smsbox = k.run(program("smsbox", "kannel"), "-v", "2", k.config())
	k.waitForStatus(ctx, "(on-line")
	k.startNetwork(ctx)
}

func (k *kannel) startNetwork(ctx context.Context) {
	GinkgoHelper()
	if k.smsc != nil {
		k.printed += string(k.smsc.Err.Contents())
	}
	k.smsc = k.run(program("/usr/lib/kannel/test/fakesmsc", "kannel-extras"),
		"-H", "127.0.0.1", "-r", strconv.Itoa(k.network), "-m", "0", "1 2 text it sends nothing")
	k.waitForStatus(ctx, "(online")
}

// stop ends all running programs, each with its children. A smsbox that lost its
// bearerbox would otherwise start another smsbox after a while.
func (k *kannel) stop() {
	GinkgoHelper()
	for _, session := range []*gexec.Session{k.smsc, k.smsbox, k.bearerbox} {
		if session != nil {
			Expect(syscall.Kill(-session.Command.Process.Pid, syscall.SIGKILL)).To(Or(Succeed(), MatchError(syscall.ESRCH)))
			Eventually(session).Should(gexec.Exit())
		}
	}
}

// listens returns nil if a process listens on the port.
func (k *kannel) listens(ctx context.Context, port int) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	return conn.Close()
}

// waitForStatus waits for a word in the status.
func (k *kannel) waitForStatus(ctx context.Context, word string) {
	GinkgoHelper()
	Eventually(func() string { return k.status(ctx) }).Should(ContainSubstring(word))
}

// status returns the bearerbox's status page, or the error of reading it.
func (k *kannel) status(ctx context.Context) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/status.txt?password=admin", k.admin), http.NoBody)
	if err != nil {
		return err.Error()
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// client returns Usher's client for the gateway.
func (k *kannel) client(password string) *sms.Client {
	GinkgoHelper()
	gateway, err := sms.ParseURL(fmt.Sprintf("kannel+http://usher@127.0.0.1:%d", k.sendsms))
	Expect(err).NotTo(HaveOccurred())
	return sms.New(sms.Config{Gateway: gateway, From: "Usher", Password: func() (string, error) { return password, nil }})
}

// part is one message as the network got it.
type part struct {
	from, to, kind string
	text           string
	last           bool // of the parts of a long text
}

// printed matches what fakesmsc prints: <sender receiver kind data>, and for a part
// of a long text <sender receiver udh header data data>.
var printed = regexp.MustCompile(`(?m)Got message [0-9]+: <(\S+) (\S+) (text|ucs-2|udh) (?:(\S+) data )?(.*)>$`)

// parts returns the messages that arrived at a number, in order.
func (k *kannel) parts(to string) []part {
	GinkgoHelper()
	var parts []part
	for _, m := range printed.FindAllStringSubmatch(k.printed+string(k.smsc.Err.Contents()), -1) {
		if m[2] != to {
			continue
		}
		p := part{from: m[1], to: m[2], kind: m[3], text: m[5], last: true}
		if p.kind != "text" {
			data, err := url.QueryUnescape(p.text)
			Expect(err).NotTo(HaveOccurred())
			p.text = decode(data)
		}
		if p.kind == "udh" {
			header, err := url.QueryUnescape(m[4])
			Expect(err).NotTo(HaveOccurred())
			// 3GPP TS 23.040, section 9.2.3.24.1: "part n of m".
			Expect(header).To(HaveLen(6))
			Expect(header[:3]).To(Equal("\x05\x00\x03"))
			p.last = header[4] == header[5]
		}
		parts = append(parts, p)
	}
	return parts
}

// texts returns the messages that arrived at a number, as a phone shows them.
func (k *kannel) texts(to string) []string {
	GinkgoHelper()
	var texts []string
	text := ""
	for _, p := range k.parts(to) {
		text += p.text
		if p.last {
			texts, text = append(texts, text), ""
		}
	}
	return texts
}

// decode decodes the bytes that fakesmsc prints: UTF-16, which contains a zero in
// these texts, or UTF-8.
func decode(data string) string {
	if !strings.ContainsRune(data, 0) {
		return data
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = binary.BigEndian.Uint16([]byte(data[2*i:]))
	}
	return string(utf16.Decode(units))
}
