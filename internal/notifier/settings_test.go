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
	"github.com/usher-dev/usher/internal/notifier/email"
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
