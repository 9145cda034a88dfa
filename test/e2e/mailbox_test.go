// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/tls"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/util/cert"

	"github.com/usher-dev/usher/hack/inbox"
)

// smtpPassword is Usher's password at the mail server.
var smtpPassword = "salty Anchor mill " + utilrand.String(8)

// startMailbox starts a mail server that behaves like public ones: it accepts no mail
// without TLS and a password. The files that Usher needs for it are in dir.
func startMailbox(dir string) {
	GinkgoHelper()
	certificate, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	Expect(err).NotTo(HaveOccurred())
	pair, err := tls.X509KeyPair(certificate, key)
	Expect(err).NotTo(HaveOccurred())
	mailbox, err = inbox.Start(inbox.Options{
		TLS:  &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		User: "usher", Password: smtpPassword,
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(mailbox.Close)
	Expect(os.WriteFile(filepath.Join(dir, "smtp-ca.pem"), certificate, 0o600)).To(Succeed())
	Expect(os.WriteFile(filepath.Join(dir, "smtp-password"), []byte(smtpPassword+"\n"), 0o600)).To(Succeed())
}
