// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
)

// startTimeout is the time that a demo can need to start on a slow machine.
const startTimeout = 90 * time.Second

var _ = Describe("The demo", Ordered, func() {
	var (
		program, temp           string
		portalPort, mailboxPort string
	)

	start := func() *gexec.Session {
		GinkgoHelper()
		// Not CommandContext: it kills the process, and then the demo cannot clean
		// up.
		demo := exec.Command(program)
		demo.Dir = root
		demo.Env = append(os.Environ(), "TMPDIR="+temp, "PORTAL_PORT="+portalPort, "INBOX_PORT="+mailboxPort)
		session, err := gexec.Start(demo, GinkgoWriter, GinkgoWriter)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { session.Interrupt().Wait(stopTimeout) })
		return session
	}

	nothingIsLeft := func() {
		GinkgoHelper()
		Expect(processesIn(temp)).To(BeEmpty())
		Expect(os.ReadDir(temp)).To(BeEmpty())
		for _, port := range []string{portalPort, mailboxPort} {
			listener, err := net.Listen("tcp", "127.0.0.1:"+port)
			Expect(err).NotTo(HaveOccurred())
			Expect(listener.Close()).To(Succeed())
		}
	}

	BeforeAll(func(ctx SpecContext) {
		temp = GinkgoT().TempDir()
		program = filepath.Join(GinkgoT().TempDir(), "demo")
		build := exec.CommandContext(ctx, "go", "build", "-o", program, "./hack/demo")
		build.Dir = root
		Expect(build.CombinedOutput()).To(BeEmpty())
		portalPort, mailboxPort = portOf(freeAddress(ctx)), portOf(freeAddress(ctx))
	})

	It("starts everything, prints the next steps, and leaves nothing behind", func(ctx SpecContext) {
		demo := start()
		Eventually(demo, startTimeout).Should(gbytes.Say("Ctrl-C ends the demo"))
		said := string(demo.Out.Contents())
		Expect(said).To(And(
			ContainSubstring("https://localhost:"+portalPort),
			ContainSubstring("warns once"),
			ContainSubstring("http://localhost:"+mailboxPort),
			MatchRegexp(`(?m)^ +kubectl usher login$`),
		))
		visitor := demoVisitor(said)
		_, mails := visitor.get(ctx, http.MethodGet, "http://localhost:"+mailboxPort)
		for person, title := range map[string]string{
			"ada.example@example.com": "Join Acme", "jane.doe@example.com": "Join Acme", "john.roe@example.com": "Acme beitreten",
		} {
			Expect(mails).To(ContainSubstring(person))
			status, page := visitor.get(ctx, http.MethodGet, linkBeside(said, person))
			Expect(status).To(Equal(http.StatusOK), person)
			Expect(page).To(ContainSubstring(title))
		}

		By("following its advice")
		kubeconfig := regexp.MustCompile(`export KUBECONFIG=(\S+)`).FindStringSubmatch(said)[1]
		kubectl := func(command string) string {
			GinkgoHelper()
			out, _ := exec.CommandContext(ctx, filepath.Join(bin, "kubectl"), append([]string{"--kubeconfig", kubeconfig}, strings.Fields(command)...)...).Output()
			return string(out)
		}
		advice := func(of string) string {
			return regexp.MustCompile(`bin/kubectl (` + of + ` .*)`).FindStringSubmatch(said)[1]
		}
		Expect(kubectl(advice("get"))).To(And(ContainSubstring("jane-doe"), ContainSubstring("Invited"), ContainSubstring("Pending")))
		password := newPassword()
		for person, userName := range map[string]string{"jane.doe@example.com": "jane-doe", "ada.example@example.com": "ada"} {
			status, _ := visitor.post(ctx, linkBeside(said, person), acceptance(userName, password))
			Expect(status).To(Equal(http.StatusOK))
			Eventually(kubectl).WithArguments(advice("get")).Should(MatchRegexp(`Active .*` + person))
		}
		raw, err := os.ReadFile(regexp.MustCompile(`export KUBECONFIG=(\S+) PATH`).FindStringSubmatch(said)[1])
		Expect(err).NotTo(HaveOccurred())
		laptop := newComputerWith(string(raw))
		address, signedIn := laptop.beginLogin(ctx)
		visitor.approve(ctx, address, "jane-doe", password)
		Expect(signedIn()).To(ContainSubstring("You are signed in as jane-doe"))
		line := func(start string) []string {
			GinkgoHelper()
			found := regexp.MustCompile(`\n +kubectl (` + start + `.*)`).FindStringSubmatch(said)
			Expect(found).NotTo(BeNil(), start)
			return strings.Fields(found[1])
		}
		Expect(laptop.kubectl(ctx, line("auth whoami")...)).To(And(ContainSubstring("usher:jane-doe"), ContainSubstring("usher:acme:developer")))
		Eventually(func() error {
			_, err := laptop.kubectl(ctx, line("create deployment")...)
			return err
		}).Should(Succeed())
		out, err := laptop.kubectl(ctx, line("get nodes")...)
		Expect(err).To(HaveOccurred())
		Expect(out).To(ContainSubstring("Forbidden"))
		status, _ := visitor.post(ctx, linkBeside(said, "john.roe@example.com")+"/decline", url.Values{"decline": {"yes"}})
		Expect(status).To(Equal(http.StatusOK))
		Eventually(func() string {
			_, mails := visitor.get(ctx, http.MethodGet, "http://localhost:"+mailboxPort)
			return mails
		}).Should(MatchRegexp(`John Roe .*(abgelehnt|declined)`))
		kubectl(advice("delete"))
		Eventually(func() string {
			out, _ := laptop.kubectl(ctx, line("get deployments")...)
			return out
		}).Should(ContainSubstring("Forbidden"))

		By("starting a second demo beside it")
		second := start()
		Eventually(second, startTimeout).Should(gexec.Exit(1))
		complaint := string(second.Err.Contents())
		Expect(complaint).To(And(ContainSubstring("port "+portalPort), ContainSubstring("PORTAL_PORT=")))
		Expect(complaint).NotTo(Or(ContainSubstring("goroutine"), ContainSubstring(".go:")))

		By("pressing Ctrl-C")
		Expect(len(processesIn(temp))).To(BeNumerically(">=", 4), "etcd, kube-apiserver, kube-controller-manager, usher")
		demo.Interrupt()
		Eventually(demo, stopTimeout).Should(gexec.Exit(0))
		nothingIsLeft()
	})

	It("prints the last lines of usher's log when usher dies, and leaves nothing behind", func() {
		demo := start()
		Eventually(demo, startTimeout).Should(gbytes.Say("Ctrl-C ends the demo"))
		for pid, command := range processesIn(temp) {
			if strings.HasPrefix(command, "bin/usher ") {
				Expect(syscall.Kill(pid, syscall.SIGKILL)).To(Succeed())
			}
		}
		Eventually(demo, stopTimeout).Should(gexec.Exit(1))
		Expect(string(demo.Err.Contents())).To(And(
			ContainSubstring("usher ended unexpectedly. Its last lines:"), ContainSubstring("Message was sent")))
		nothingIsLeft()
	})

	It("can be stopped while it starts, and leaves nothing behind", func() {
		demo := start()
		Eventually(demo, startTimeout).Should(gbytes.Say("Starting etcd"))
		demo.Terminate()
		Eventually(demo, startTimeout).Should(gexec.Exit(0))
		nothingIsLeft()
	})
})

// demoVisitor trusts the CA of the demo, and keeps cookies.
func demoVisitor(said string) visitor {
	GinkgoHelper()
	ca, err := os.ReadFile(regexp.MustCompile(`/\S+/portal-ca\.pem`).FindString(said))
	Expect(err).NotTo(HaveOccurred())
	pool := x509.NewCertPool()
	Expect(pool.AppendCertsFromPEM(ca)).To(BeTrue())
	jar, err := cookiejar.New(nil)
	Expect(err).NotTo(HaveOccurred())
	v := newVisitor()
	v.client = &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	return v
}

// approve signs in at the address of a client, and lets the client sign in.
func (v visitor) approve(ctx context.Context, address, userName, password string) {
	GinkgoHelper()
	_, page := v.get(ctx, http.MethodGet, address)
	to, err := url.Parse(address)
	Expect(err).NotTo(HaveOccurred())
	action := func(page string) string {
		GinkgoHelper()
		found := regexp.MustCompile(`class="card" method="post" action="([^"]+)"`).FindStringSubmatch(page)
		Expect(found).NotTo(BeNil(), page)
		return "https://" + to.Host + found[1]
	}
	_, page = v.post(ctx, action(page), url.Values{"sign-in-name": {userName}, "sign-in-password": {password}})
	Expect(page).To(ContainSubstring("You are signing in to kubectl"))
	request := regexp.MustCompile(`name="request" value="([^"]+)"`).FindStringSubmatch(page)
	Expect(request).NotTo(BeNil(), page)
	_, page = v.post(ctx, action(page), url.Values{"request": {request[1]}, "answer": {"approve"}})
	Expect(page).To(ContainSubstring("You can close this page"))
}

// linkBeside returns the link that the demo prints beside an address.
func linkBeside(said, address string) string {
	GinkgoHelper()
	line := regexp.MustCompile(regexp.QuoteMeta(address) + `\s.*(https://localhost:\d+/invitation/\S+)`).FindStringSubmatch(said)
	Expect(line).NotTo(BeNil(), said)
	return line[1]
}

// processesIn returns the processes that have a file in the directory in their
// command line, by process id. It reads /proc, so it needs Linux.
func processesIn(dir string) map[int]string {
	GinkgoHelper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	Expect(err).NotTo(HaveOccurred())
	found := map[int]string{}
	for _, line := range lines {
		// A process that has ended in the meantime has no command line.
		content, _ := os.ReadFile(line)
		if command := string(bytes.ReplaceAll(content, []byte{0}, []byte{' '})); strings.Contains(command, dir) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(line)))
			Expect(err).NotTo(HaveOccurred())
			found[pid] = command
		}
	}
	return found
}

func portOf(address string) string {
	GinkgoHelper()
	_, port, err := net.SplitHostPort(address)
	Expect(err).NotTo(HaveOccurred())
	return port
}
