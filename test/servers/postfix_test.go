// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package servers_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/usher-dev/usher/internal/notifier/email"
)

var _ = Describe("A mail through Postfix", Ordered, ContinueOnFailure, func() {
	var (
		server *postfix
		signer *email.DKIM
		sender *email.SMTP
	)

	BeforeAll(func(ctx SpecContext) {
		signer = newSigner()
		server = startPostfix(ctx, "ada@example.org", "grace@example.org", "jörg@example.org", "mary@xn--bcher-kva.example",
			"jörg@xn--bcher-kva.example", "grey@example.org", "barbara@example.org", "edith@example.org")
	})

	BeforeEach(func() {
		roots, err := email.RootCAs(server.path("etc", "ca.pem"))
		Expect(err).NotTo(HaveOccurred())
		sender = email.NewSMTP(email.Config{
			Server:  email.Server{Host: "127.0.0.1", Port: server.port, Security: email.STARTTLS},
			RootCAs: roots,
			DKIM:    signer,
		})
		DeferCleanup(sender.Close)
	})

	AfterEach(func() {
		if CurrentSpecReport().Failed() {
			AddReportEntry("the log of Postfix", server.log())
		}
	})

	It("arrives once, over TLS, with the bytes that were sent and a valid signature", Label("K8"), func(ctx SpecContext) {
		m := letter("ada@example.org")
		Expect(sender.Send(ctx, m)).To(Succeed())
		mails := server.mails("ada@example.org")
		Expect(mails).To(ConsistOf(carrying(m)))
		Expect(mails[0]).To(ContainSubstring("(using TLSv1.3 "))
		Expect(signatureOf(signer, mails[0])).To(Succeed())
	})

	It("arrives once even if the server was restarted after the previous mail", Label("K8"), func(ctx SpecContext) {
		before, after := letter("grace@example.org"), letter("grace@example.org")
		Expect(sender.Send(ctx, before)).To(Succeed())
		server.control(ctx, "stop")
		server.control(ctx, "start")
		Expect(sender.Send(ctx, after)).To(Succeed())
		Expect(server.mails("grace@example.org")).To(ConsistOf(carrying(before), carrying(after)))
	})

	It("is one of many over the same connection, and each arrives once", Label("K8"), func(ctx SpecContext) {
		const many = 20
		var all []any
		for range many {
			m := letter("barbara@example.org")
			Expect(sender.Send(ctx, m)).To(Succeed())
			all = append(all, carrying(m))
		}
		Expect(server.mails("barbara@example.org")).To(ConsistOf(all...))
		sender.Close()
		Eventually(server.log).Should(ContainSubstring("mail=%d rcpt=%d data=%d rset=%d quit=1", many, many, many, many-1))
	})

	DescribeTable("reaches an address that is not ASCII",
		func(ctx SpecContext, address, mailbox, protocol string) {
			m := letter(address)
			m.To.Name = "Jörg Müller"
			Expect(sender.Send(ctx, m)).To(Succeed())
			mails := server.mails(mailbox)
			Expect(mails).To(ConsistOf(carrying(m)))
			Expect(mails[0]).To(ContainSubstring(" <" + mailbox + ">\r\n"))
			Expect(mails[0]).To(ContainSubstring("with " + protocol + " id "))
			Expect(signatureOf(signer, mails[0])).To(Succeed())
		},
		Entry("before the @", "jörg@example.org", "jörg@example.org", "UTF8SMTPS"),
		Entry("after the @", "mary@bücher.example", "mary@xn--bcher-kva.example", "ESMTPS"),
		Entry("before and after the @", "jörg@bücher.example", "jörg@xn--bcher-kva.example", "UTF8SMTPS"),
	)

	It("to a recipient that does not exist is refused, in a sentence that gives the reason", func(ctx SpecContext) {
		var refused *email.RefusedError
		err := sender.Send(ctx, letter("unknown@example.org"))
		Expect(errors.As(err, &refused)).To(BeTrue(), "%v", err)
		Expect(refused.Command).To(Equal("RCPT TO"))
		Expect(err).To(MatchError("the mail server refused the recipient permanently: 550 5.1.1 <unknown@example.org>: " +
			"Recipient address rejected: User unknown in virtual mailbox table"))
		Expect(server.mails("unknown@example.org")).To(BeEmpty())
	})

	It("that is greylisted arrives once, when it is sent again", Label("K8"), func(ctx SpecContext) {
		m := letter("grey@example.org")
		var temporary *email.TemporaryError
		err := sender.Send(ctx, m)
		Expect(errors.As(err, &temporary)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError("the mail server answered RCPT TO with: 450 4.7.1 <grey@example.org>: " +
			"Recipient address rejected: Greylisted, please come again"))
		Expect(server.mails("grey@example.org")).To(BeEmpty())
		Expect(sender.Send(ctx, m)).To(Succeed())
		Expect(server.mails("grey@example.org")).To(ConsistOf(carrying(m)))
	})

	It("that is too large is refused, in a sentence that gives the reason", func(ctx SpecContext) {
		m := letter("edith@example.org")
		m.Text = strings.Repeat("A long story.\n", maxMessageBytes/10)
		var refused *email.RefusedError
		err := sender.Send(ctx, m)
		Expect(errors.As(err, &refused)).To(BeTrue(), "%v", err)
		Expect(refused.Command).To(Equal("message"))
		Expect(err).To(MatchError("the mail server refused the message permanently: 552 5.3.4 Error: message file too big"))
		Expect(server.mails("edith@example.org")).To(BeEmpty())

		small := letter("edith@example.org")
		Expect(sender.Send(ctx, small)).To(Succeed())
		Expect(server.mails("edith@example.org")).To(ConsistOf(carrying(small)))
	})
})

var letters int

// letter returns a message that no other spec has sent.
func letter(to string) email.Message {
	letters++
	return email.Message{
		ID:   fmt.Sprintf("%d@usher.example.org", letters),
		Date: time.Date(2026, 11, 21, 18, 10, 0, 0, time.UTC),
		From: netmail.Address{Name: "Usher", Address: "usher@example.org"},
		To:   netmail.Address{Name: "Ada Lovelace", Address: to},
		Content: email.Content{
			Subject: "Invitation to join Acme — now",
			Text:    "Hello,\n\n.\n..\nFrom here on: https://usher.example.org/i#c2VjcmV0\n \n\n",
			HTML:    "<p>Hello</p>\n<p>.</p>\n",
		},
	}
}

// carrying matches a mail that holds the exact bytes of m, preceded only by headers
// that servers add.
func carrying(m email.Message) types.GomegaMatcher {
	GinkgoHelper()
	raw, err := m.Bytes()
	Expect(err).NotTo(HaveOccurred())
	return WithTransform(func(got string) (string, error) {
		added, body, found := strings.Cut(got, "DKIM-Signature: ")
		if !found {
			return "", errors.New("no signature")
		}
		for line := range strings.Lines(added) {
			name, _, _ := strings.Cut(line, ":")
			if !slices.Contains([]string{"Return-Path", "X-Original-To", "Delivered-To", "Received"}, name) && !strings.HasPrefix(line, "\t") {
				return "", fmt.Errorf("the server added %q", line)
			}
		}
		return body, nil
	}, HaveSuffix(string(raw)))
}

func newSigner() *email.DKIM {
	GinkgoHelper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	der, err := x509.MarshalPKCS8PrivateKey(key)
	Expect(err).NotTo(HaveOccurred())
	signer, err := email.ParseDKIM("example.org", "usher", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	Expect(err).NotTo(HaveOccurred())
	return signer
}

// signatureOf checks a mail as a receiver does, with the signer's record in its DNS.
func signatureOf(signer *email.DKIM, raw string) error {
	name, text := signer.Record()
	found, err := dkim.VerifyWithOptions(bytes.NewReader([]byte(raw)), &dkim.VerifyOptions{
		LookupTXT: func(asked string) ([]string, error) {
			if asked != name {
				return nil, fmt.Errorf("no record %s", asked)
			}
			return []string{text}, nil
		},
	})
	if err != nil || len(found) != 1 {
		return fmt.Errorf("%d signatures: %w", len(found), err)
	}
	return found[0].Err
}
