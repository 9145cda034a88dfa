// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"context"
	netmail "net/mail"
	"net/netip"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/notifier/email"
	"github.com/usher-dev/usher/internal/organization"
	"github.com/usher-dev/usher/internal/outbound"
)

// noObjects is a Reader of a cluster without objects.
type noObjects struct{ client.Reader }

func (noObjects) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func TestAnOrganizationsMailServerInABlockedNetworkGetsNoConnection(t *testing.T) {
	server, err := inbox.Start(inbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	port := server.SMTPURL()[strings.LastIndexByte(server.SMTPURL(), ':'):]
	m := email.Message{
		ID: "1@example.com", Date: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC),
		From: netmail.Address{Address: "people@acme.example"}, To: netmail.Address{Address: "jane@example.com"},
		Content: email.Content{Subject: "Hello", Text: "Hello Jane"},
	}
	send := func(settings *Settings, host string) error {
		t.Helper()
		org := &accountsv1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "acme", UID: "1"}}
		org.Spec.Mail = accountsv1.OrganizationMail{Server: "smtp+plaintext://" + host + port, Sender: "people@acme.example"}
		t.Cleanup(settings.Close)
		smtp, err := settings.server(t.Context(), org)
		if err != nil {
			t.Fatal(err)
		}
		return smtp.Send(t.Context(), m)
	}

	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		// The answer is the same for a name that does not exist.
		err := send(&Settings{Reader: noObjects{}}, host)
		if err == nil || !strings.HasSuffix(err.Error(), " cannot be reached: "+outbound.ErrUnreachable.Error()) || resultOf(err) != accountsv1.DeliveryTemporaryFailure {
			t.Errorf("%s: got %v", host, err)
		}
	}
	if n := server.Connections(); n != 0 {
		t.Errorf("the server got %d connections", n)
	}

	allowed := &Settings{Reader: noObjects{}, Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	if err := send(allowed, "127.0.0.1"); err != nil || len(server.For("jane@example.com")) != 1 {
		t.Errorf("an allowed server did not get the mail: %v", err)
	}
}

func TestAnOrganizationsMailServerCannotSendAsThePlatform(t *testing.T) {
	server, err := inbox.Start(inbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	n, m := aReset(t, mailerFunc(func(context.Context, email.Message) error {
		t.Error("the mail went through the platform's server")
		return nil
	}))
	n.Settings = &Settings{Reader: noObjects{}, PlatformSender: n.From.String(), Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	t.Cleanup(n.Settings.Close)
	send := func(sender string) (organization.MailFault, accountsv1.DeliveryResult, string) {
		t.Helper()
		parsed, err := netmail.ParseAddress(sender)
		if err != nil {
			t.Fatal(err)
		}
		org := &accountsv1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "acme", UID: "1"}}
		org.Spec.Mail = accountsv1.OrganizationMail{Server: server.SMTPURL(), Sender: sender}
		inv := &accountsv1.Invitation{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "jane", UID: "6f1c2d3e-0000-4000-8000-000000000002"}}
		inv.Status.ExpirationTime = m.ClaimTime
		inv.Status.Attempt = accountsv1.Attempt{Number: 1, KeyID: 1, ClaimTime: m.ClaimTime, Organization: "Acme", Role: "Developer", Language: "en", Sender: parsed.String()}
		fault, err := n.Settings.Fault(t.Context(), org)
		if err != nil {
			t.Fatal(err)
		}
		result, answer := n.Send(t.Context(), Message{
			Delivery: accountsv1.Delivery{
				Name: "email", Purpose: accountsv1.PurposeInvitation, Medium: accountsv1.MediumEmail, Recipient: "jane@example.com",
				MessageID: "1@example.com", ClaimTime: m.ClaimTime, Tries: 1,
			},
			Invitation: &invitation.Facts{Offer: invitation.Offer{Invitation: inv, Organization: org}},
		})
		return fault, result, answer
	}

	const refusal = "spec.mail.sender is the sender of the platform's mail server: use an address of the Organization"
	for _, sender := range []string{"Usher <usher@example.com>", `"Usher" <usher@example.com>`, "  =?utf-8?q?Usher?= <usher@example.com>"} {
		fault, result, answer := send(sender)
		if fault.Reason != accountsv1.ReasonMailServerInvalid || !strings.Contains(fault.Message, refusal) {
			t.Errorf("%s: the settings have the fault %+v", sender, fault)
		}
		if result != accountsv1.DeliveryTemporaryFailure || !strings.Contains(answer, refusal) || server.Connections() != 0 {
			t.Errorf("%s: the mail is %s: %s; the server got %d connections", sender, result, answer, server.Connections())
		}
	}
	if fault, result, answer := send("Acme <people@acme.example>"); fault.Reason != "" || result != accountsv1.DeliverySent || len(server.For("jane@example.com")) != 1 {
		t.Errorf("the server cannot send as the Organization: %+v, %s: %s", fault, result, answer)
	}
}
