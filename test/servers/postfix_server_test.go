// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package servers_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// maxMessageBytes is the size above which this Postfix refuses a message.
const maxMessageBytes = 50_000

// postfix is one instance of Postfix with queues, settings and mailboxes of its own.
type postfix struct {
	command string
	dir     string
	port    int
	policy  *policy
}

const postfixMain = `
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = {dir}/log
maillog_file_prefixes = {dir}

myhostname = mail.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_peername_lookup = no
disable_dns_lookups = yes

smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = {dir}/etc/tls.pem
smtpd_tls_received_header = yes
smtputf8_enable = yes
strict_smtputf8 = yes
message_size_limit = {size}
smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service inet:{policy}

virtual_mailbox_domains = example.org, xn--bcher-kva.example
virtual_mailbox_maps = texthash:{dir}/etc/mailboxes
virtual_mailbox_base = {dir}/mail
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
alias_maps =
`

const postfixMaster = `
127.0.0.1:{port} inet n - - - - smtpd
cleanup  unix       n - - - 0 cleanup
qmgr     unix       n - - - 1 qmgr
rewrite  unix       - - - - - trivial-rewrite
bounce   unix       - - - - 0 bounce
defer    unix       - - - - 0 bounce
trace    unix       - - - - 0 bounce
proxymap unix       - - - - - proxymap
error    unix       - - - - - error
retry    unix       - - - - - error
virtual  unix       - n - - - virtual
anvil    unix       - - - - 1 anvil
tlsmgr   unix       - - - - 1 tlsmgr
postlog  unix-dgram n - - - 1 postlogd
`

// startPostfix runs a Postfix that delivers to the given addresses, each into a
// directory of its own.
func startPostfix(ctx context.Context, addresses ...string) *postfix {
	GinkgoHelper()
	p := &postfix{command: program("postfix", "postfix"), port: freePort(), policy: startPolicy(ctx)}
	Expect(os.Geteuid()).To(BeZero(), "Postfix must start as root to switch to its own users: run these specs as root.")
	postfixID, _ := account("postfix")
	nobodyID, nobodyGroup := account("nobody")

	var err error
	p.dir, err = os.MkdirTemp("", "usher-postfix-")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(os.RemoveAll, p.dir)
	Expect(os.Chmod(p.dir, 0o755)).To(Succeed()) // the users of Postfix must read it
	for name, owner := range map[string]int{"etc": 0, "queue": 0, "data": postfixID, "mail": nobodyID} {
		Expect(os.Mkdir(p.path(name), 0o755)).To(Succeed())
		Expect(os.Chown(p.path(name), owner, -1)).To(Succeed())
	}

	settings := strings.NewReplacer("{dir}", p.dir, "{port}", strconv.Itoa(p.port), "{policy}", p.policy.address,
		"{size}", strconv.Itoa(maxMessageBytes), "{uid}", strconv.Itoa(nobodyID), "{gid}", nobodyGroup)
	var mailboxes strings.Builder
	for _, address := range addresses {
		fmt.Fprintf(&mailboxes, "%s %s/\n", address, address)
	}
	p.write("main.cf", settings.Replace(postfixMain), 0o644)
	p.write("master.cf", settings.Replace(postfixMaster), 0o644)
	p.write("mailboxes", mailboxes.String(), 0o644)
	certificate, key := selfSigned()
	p.write("ca.pem", certificate, 0o644)
	p.write("tls.pem", key+certificate, 0o600)
	DeferCleanup(p.control, "stop")
	p.control(ctx, "start")
	return p
}

func account(name string) (uid int, gid string) {
	GinkgoHelper()
	found, err := user.Lookup(name)
	Expect(err).NotTo(HaveOccurred())
	uid, err = strconv.Atoi(found.Uid)
	Expect(err).NotTo(HaveOccurred())
	return uid, found.Gid
}

func (p *postfix) path(elements ...string) string {
	return filepath.Join(append([]string{p.dir}, elements...)...)
}

func (p *postfix) write(name, text string, mode fs.FileMode) {
	GinkgoHelper()
	Expect(os.WriteFile(p.path("etc", name), []byte(text), mode)).To(Succeed())
}

// control runs a command of an administrator: start or stop.
func (p *postfix) control(ctx context.Context, action string) {
	GinkgoHelper()
	output, err := exec.CommandContext(ctx, p.command, "-c", p.path("etc"), action).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "postfix %s: %s\n%s", action, output, p.log())
}

func (p *postfix) log() string {
	text, err := os.ReadFile(p.path("log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// mails waits until the queues are empty, and returns the mails in the mailbox of an
// address.
func (p *postfix) mails(address string) []string {
	GinkgoHelper()
	Eventually(p.queued).Should(BeEmpty())
	files, err := filepath.Glob(p.path("mail", address, "new", "*"))
	Expect(err).NotTo(HaveOccurred())
	var mails []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		mails = append(mails, strings.ReplaceAll(string(text), "\n", "\r\n"))
	}
	return mails
}

// queued returns the files of the messages that Postfix has accepted and not
// delivered yet.
func (p *postfix) queued() ([]string, error) {
	var files []string
	for _, queue := range []string{"maildrop", "incoming", "active", "deferred", "hold", "corrupt"} {
		err := filepath.WalkDir(p.path("queue", queue), func(path string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist): // Postfix has moved it meanwhile
				return nil
			case err == nil && !entry.IsDir():
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// policy decides about recipients as a greylist does (see SMTPD_POLICY_README of
// Postfix). For a recipient whose name begins with grey, it defers the first attempt.
type policy struct {
	address string

	mu   sync.Mutex
	seen map[string]bool
}

func startPolicy(ctx context.Context) *policy {
	GinkgoHelper()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(l.Close)
	p := &policy{address: l.Addr().String(), seen: map[string]bool{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

// serve answers requests of lines name=value, each ending with an empty line.
func (p *policy) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	recipient := ""
	for lines := bufio.NewScanner(c); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "=")
		switch name {
		case "recipient":
			recipient = value
		case "":
			if _, err := fmt.Fprintf(c, "action=%s\n\n", p.action(recipient)); err != nil {
				return
			}
		}
	}
}

func (p *policy) action(recipient string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen[recipient] || !strings.HasPrefix(recipient, "grey") {
		return "DUNNO"
	}
	p.seen[recipient] = true
	return "DEFER_IF_PERMIT Greylisted, please come again"
}

// selfSigned returns a certificate for 127.0.0.1 and its key, in PEM form.
func selfSigned() (certificate, key string) {
	GinkgoHelper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example.org"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	Expect(err).NotTo(HaveOccurred())
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	Expect(err).NotTo(HaveOccurred())
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}
