// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/netip"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/notifier/chat"
	"github.com/usher-dev/usher/internal/notifier/email"
	"github.com/usher-dev/usher/internal/organization"
	"github.com/usher-dev/usher/internal/outbound"
	"github.com/usher-dev/usher/internal/wording"
	"github.com/usher-dev/usher/internal/wording/template"
)

// Settings reads what Organizations configure themselves: wording, a mail server, a chat.
type Settings struct {
	// Reader reads the ConfigMaps and Secrets of home namespaces that Usher can read.
	Reader client.Reader
	// Hello is the name that Usher gives when it greets mail servers.
	Hello string
	// PlatformSender is the From of mails through the platform's mail server. No other
	// server sends as it: a mail from it proves an address, and the managers of an
	// Organization can read what their own server sends.
	PlatformSender string
	// Allowed are the networks that mail servers can be in, in addition to the public internet.
	Allowed []netip.Prefix

	mu      sync.Mutex
	servers map[types.UID]ownServer
}

// ownServer is the connection to the mail server of one Organization.
type ownServer struct {
	fingerprint [sha256.Size]byte
	smtp        *email.SMTP
}

// templates returns an Organization's own wording of the mails that a server sends, and its errors. If a
// template has an error, the whole wording of that message is left out.
func (s *Settings) templates(ctx context.Context, home string, server template.Server) (wording.Templates, []template.Error, error) {
	own := &corev1.ConfigMap{}
	if err := s.read(ctx, home, accountsv1.MailTemplatesName, own); err != nil {
		return wording.Templates{}, nil, err
	}
	templates, faults := wording.ParseTemplates(own.Data, server)
	return templates, faults, nil
}

// credentials returns the secrets in an Organization's own settings. It is no error if there are none.
func (s *Settings) credentials(ctx context.Context, home string) (map[string][]byte, error) {
	own := &corev1.Secret{}
	err := s.read(ctx, home, accountsv1.CredentialsName, own)
	return own.Data, err
}

// read reads an object of a home namespace. If the object does not exist, into stays empty.
func (s *Settings) read(ctx context.Context, home, name string, into client.Object) error {
	err := client.IgnoreNotFound(s.Reader.Get(ctx, types.NamespacedName{Namespace: home, Name: name}, into))
	if err != nil {
		return fmt.Errorf("read %s of the home namespace %s: %w", name, home, err)
	}
	return nil
}

// ChatURL returns the URL of the chat where Usher announces new members of an Organization. It is empty
// if there is none.
func (s *Settings) ChatURL(ctx context.Context, home string) (string, error) {
	credentials, err := s.credentials(ctx, home)
	return strings.TrimSpace(string(credentials[accountsv1.ChatURLKey])), err
}

// server returns the mail server of an Organization that has its own.
func (s *Settings) server(ctx context.Context, org *accountsv1.Organization) (*email.SMTP, error) {
	credentials, err := s.credentials(ctx, string(org.Spec.Namespace))
	if err != nil {
		return nil, err
	}
	fingerprint := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", org.Spec.Mail,
		credentials[accountsv1.SMTPPasswordKey], credentials[accountsv1.DKIMKeyKey]))
	s.mu.Lock()
	defer s.mu.Unlock()
	known, found := s.servers[org.UID]
	if found && known.fingerprint == fingerprint {
		return known.smtp, nil
	}
	config, err := serverConfig(org, credentials, s.PlatformSender)
	if err != nil {
		return nil, err
	}
	if found {
		known.smtp.Close()
	}
	config.Hello, config.Dial = s.Hello, outbound.Dialer(s.Allowed)
	if s.servers == nil {
		s.servers = map[types.UID]ownServer{}
	}
	s.servers[org.UID] = ownServer{fingerprint, email.NewSMTP(config)}
	return s.servers[org.UID].smtp, nil
}

// Close ends the connections to the mail servers of Organizations.
func (s *Settings) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, own := range s.servers {
		own.smtp.Close()
	}
	s.servers = nil
}

// serverConfig reads the settings of an Organization's own mail server. An error is a sentence that
// tells the admin what to change.
func serverConfig(org *accountsv1.Organization, credentials map[string][]byte, platformSender string) (email.Config, error) {
	own := org.Spec.Mail
	server, err := email.ParseURL(own.Server)
	if err != nil {
		return email.Config{}, fmt.Errorf("spec.mail.server: %w", err)
	}
	sender, err := netmail.ParseAddress(own.Sender)
	if err != nil {
		return email.Config{}, errors.New(`spec.mail.sender is not a valid address: write it like "Acme <accounts@acme.example>"`)
	}
	if sender.String() == platformSender {
		return email.Config{}, errors.New("spec.mail.sender is the sender of the platform's mail server: use an address of the Organization")
	}
	config := email.Config{Server: server}
	if server.User != "" {
		password := strings.TrimRight(string(credentials[accountsv1.SMTPPasswordKey]), "\r\n")
		if password == "" {
			return config, fmt.Errorf("the password is missing: put the password of %s into entry %s of Secret %s in the home namespace",
				server.User, accountsv1.SMTPPasswordKey, accountsv1.CredentialsName)
		}
		config.Password = func() (string, error) { return password, nil }
	}
	if own.DKIMSelector != "" {
		config.DKIM, err = email.ParseDKIM(DomainOf(*sender), own.DKIMSelector, credentials[accountsv1.DKIMKeyKey])
		if err != nil {
			return config, fmt.Errorf("entry %s of Secret %s in the home namespace: %w",
				accountsv1.DKIMKeyKey, accountsv1.CredentialsName, err)
		}
	}
	return config, nil
}

// Fault reports the first error in an Organization's own settings.
func (s *Settings) Fault(ctx context.Context, org *accountsv1.Organization) (organization.MailFault, error) {
	var none organization.MailFault
	home := string(org.Spec.Namespace)
	credentials, err := s.credentials(ctx, home)
	if err != nil {
		return none, err
	}
	if fault := s.serverFault(org, credentials); fault.Reason != "" {
		return fault, nil
	}
	server := template.PlatformServer
	if org.Spec.Mail.Server != "" {
		server = template.OwnServer
	}
	_, faults, err := s.templates(ctx, home, server)
	if err != nil {
		return none, err
	}
	if len(faults) > 0 {
		return organization.MailFault{
			Reason: accountsv1.ReasonTemplateInvalid,
			Message: fmt.Sprintf("ConfigMap %s has an error, so Usher uses its own wording until you correct it: %s.",
				accountsv1.MailTemplatesName, Answer(strings.TrimRight(faults[0].Error(), "."))),
		}, nil
	}
	return chatFault(credentials), nil
}

func (s *Settings) serverFault(org *accountsv1.Organization, credentials map[string][]byte) organization.MailFault {
	if org.Spec.Mail.Server == "" {
		return organization.MailFault{}
	}
	if _, err := serverConfig(org, credentials, s.PlatformSender); err != nil {
		return organization.MailFault{Reason: accountsv1.ReasonMailServerInvalid, Message: "Usher cannot send the Organization's mail: " + err.Error() + "."}
	}
	return organization.MailFault{}
}

func chatFault(credentials map[string][]byte) organization.MailFault {
	own := strings.TrimSpace(string(credentials[accountsv1.ChatURLKey]))
	if own == "" {
		return organization.MailFault{}
	}
	if err := chat.Check(own); err != nil {
		return organization.MailFault{
			Reason:  accountsv1.ReasonChatInvalid,
			Message: fmt.Sprintf("Usher cannot post to the chat: entry %s of Secret %s: %s.", accountsv1.ChatURLKey, accountsv1.CredentialsName, err),
		}
	}
	return organization.MailFault{}
}

// DomainOf returns the domain of a sender.
func DomainOf(sender netmail.Address) string {
	return sender.Address[strings.LastIndexByte(sender.Address, '@')+1:]
}
