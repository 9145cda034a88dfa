// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording_test

import (
	"bytes"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/wording"
)

// aWriter returns a writer whose keys for the requests of Accounts have that content.
func aWriter(t *testing.T, key byte) (wording.Writer, invitation.Keyring) {
	t.Helper()
	keys, err := invitation.ParseKeyring(map[string][]byte{invitation.FirstKeyName(): bytes.Repeat([]byte{key}, invitation.KeySize)})
	if err != nil {
		t.Fatal(err)
	}
	return wording.Writer{
		PortalURL: &url.URL{Scheme: "https", Host: "usher.example.org"},
		Keys:      func() (invitation.Keyring, error) { return invitation.Keyring{}, errors.New("not about an Invitation") },
		ResetKeys: func() (invitation.Keyring, error) { return keys, nil },
	}, keys
}

func anUnprovedAccount(requests ...time.Time) *accountsv1.Account {
	a := &accountsv1.Account{
		ObjectMeta: metav1.ObjectMeta{Name: "jane.acme", UID: "0b0e7d4e-0000-4000-8000-000000000001"},
		Spec:       accountsv1.AccountSpec{Email: "Jane.Doe@example.com"},
	}
	for _, at := range requests {
		a.Status.EmailCodeTimes = append(a.Status.EmailCodeTimes, metav1.NewTime(at))
	}
	return a
}

var codeDelivery = accountsv1.Delivery{Name: "code-1795860000", Purpose: accountsv1.PurposeCode, Language: "en"}

// The code in the mail, as the person types it, proves the address.
func TestMailedCodeProvesTheAddress(t *testing.T) {
	t.Parallel()
	requested := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	a := anUnprovedAccount(requested, requested.Add(-time.Hour))
	w, keys := aWriter(t, 1)
	c, err := w.AccountMail(account.Facts{Account: a}, codeDelivery)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.Text, "Jane.Doe@example.com") || !strings.Contains(c.Text, "jane/acme") || !strings.Contains(c.Text, "10 minutes") {
		t.Errorf("the mail lacks the address, the user name or the validity:\n%s", c.Text)
	}
	code := regexp.MustCompile(`(?m)^\d{4} \d{4}$`).FindString(c.Text)
	right, valid, err := account.EnterEmailCode(a, keys, code, metav1.NewTime(requested.Add(9*time.Minute)))
	if err != nil || !right || !valid || !a.EmailVerified() {
		t.Errorf("the mailed code %q is right: %v, valid: %v, error: %v", code, right, valid, err)
	}
}

// Each request and each key has a code of its own. A retry has the code of its request.
func TestMailedCodeBelongsToOneRequest(t *testing.T) {
	t.Parallel()
	requested := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	seen := map[string]string{}
	for name, c := range map[string]struct {
		key byte
		at  time.Time
	}{"request": {1, requested}, "later request": {1, requested.Add(time.Second)}, "other key": {2, requested}} {
		w, _ := aWriter(t, c.key)
		facts := account.Facts{Account: anUnprovedAccount(c.at)}
		first, err := w.AccountMail(facts, codeDelivery)
		if err != nil {
			t.Fatal(err)
		}
		if other := seen[first.Text]; other != "" {
			t.Errorf("the %s has the mail of the %s", name, other)
		}
		seen[first.Text] = name
		if retry, err := w.AccountMail(facts, codeDelivery); err != nil || retry != first {
			t.Errorf("a retry of the %s has another mail: %v\n%s", name, err, retry.Text)
		}
	}
}

func TestMailedCodeNeedsRequestAndKeys(t *testing.T) {
	t.Parallel()
	w, _ := aWriter(t, 1)
	if _, err := w.AccountMail(account.Facts{Account: anUnprovedAccount()}, codeDelivery); err == nil {
		t.Error("a mail with a code is written without a request")
	}
	lost := errors.New("keys are lost")
	w.ResetKeys = func() (invitation.Keyring, error) { return invitation.Keyring{}, lost }
	if _, err := w.AccountMail(account.Facts{Account: anUnprovedAccount(time.Now())}, codeDelivery); !errors.Is(err, lost) {
		t.Errorf("got %v, want %v", err, lost)
	}
}
