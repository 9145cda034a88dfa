// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"context"
	"errors"
	netmail "net/mail"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/notifier/email"
)

type mailerFunc func(ctx context.Context, m email.Message) error

func (f mailerFunc) Send(ctx context.Context, m email.Message) error { return f(ctx, m) }

// aReset returns a mail that carries a link, and a Notifier that sends it through a mailer.
func aReset(t *testing.T, mailer Mailer) (*Notifier, Message) {
	t.Helper()
	keys, err := invitation.ParseKeyring(map[string][]byte{invitation.FirstKeyName(): make([]byte, invitation.KeySize)})
	if err != nil {
		t.Fatal(err)
	}
	at := metav1.NewTime(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	a := &accountsv1.Account{ObjectMeta: metav1.ObjectMeta{Name: "jane", UID: "6f1c2d3e-0000-4000-8000-000000000001"}, Spec: accountsv1.AccountSpec{Email: "jane@example.com"}}
	a.Status.ResetTimes = []metav1.Time{at}
	n := &Notifier{
		Mailer: mailer, From: netmail.Address{Name: "Usher", Address: "usher@example.com"}, Deadline: time.Minute,
		PortalURL: &url.URL{Scheme: "https", Host: "accounts.example.com"},
		Keys:      func(context.Context) (invitation.Keyring, error) { return keys, nil },
		ResetKeys: func(context.Context) (invitation.Keyring, error) { return keys, nil },
	}
	d := accountsv1.Delivery{
		Name: "reset-1", Purpose: accountsv1.PurposeReset, Medium: accountsv1.MediumEmail, Recipient: "jane@example.com",
		Language: "en", MessageID: "1@example.com", ClaimTime: &at, Tries: 1,
	}
	return n, Message{Delivery: d, Account: &account.Facts{Account: a, Now: at.Time}}
}

func TestEachSendIsLoggedOnceAndWithoutItsSecret(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a mail that the server takes": {nil, `"msg"="Message was sent" "delivery"="reset-1" "medium"="Email" "purpose"="Reset" "try"=1`},
		"a mail that the server does not take": {
			errors.New("not now"),
			`"msg"="Message was not confirmed" "delivery"="reset-1" "medium"="Email" "purpose"="Reset" "try"=1 "result"="TemporaryFailure" "reason"="not now"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var link string
			n, m := aReset(t, mailerFunc(func(_ context.Context, m email.Message) error {
				_, after, _ := strings.Cut(m.Text, "/reset/")
				link, _, _ = strings.Cut(after, "\n")
				return c.err
			}))
			var lines []string
			log := funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})
			n.Send(logr.NewContext(context.Background(), log), m)
			if link == "" || len(lines) != 1 || !strings.HasSuffix(lines[0], c.want) || strings.Contains(lines[0], link) {
				t.Errorf("for the link %q the log is\n%s", link, strings.Join(lines, "\n"))
			}
		})
	}
}

func TestAMediumWithoutACarrierIsRefused(t *testing.T) {
	n, m := aReset(t, mailerFunc(func(context.Context, email.Message) error { return nil }))
	m.Medium = "Pigeon"
	if result, answer := n.Send(context.Background(), m); result != accountsv1.DeliveryRefused || !strings.Contains(answer, "update Usher") {
		t.Errorf("got %s: %s", result, answer)
	}
	for _, medium := range []accountsv1.Medium{accountsv1.MediumSMS, accountsv1.MediumChat, accountsv1.MediumLink} {
		n.Texter, m.Medium = nil, medium
		if result, _ := n.Send(context.Background(), m); result != accountsv1.DeliveryRefused {
			t.Errorf("a mail about an Account by %s is %s", medium, result)
		}
	}
}
