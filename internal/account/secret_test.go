// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/session"
)

func everything() Credentials {
	return Credentials{
		Password: "$argon2id$x", UID: "a1", FinalInvitation: "i1", PasswordTime: noon, ShortPassword: true, SecondFactorTime: noon,
		TOTP:          TOTP{Secret: "ABC", LastStep: 7, AddedTime: noon},
		Passkeys:      []Passkey{{ID: "k", Name: "Laptop", AddedTime: noon, UsedTime: noon, Record: json.RawMessage(`{"a":1}`)}},
		RecoveryCodes: []string{"h1", "h2"}, UsedChallenges: []UsedChallenge{{Hash: "c", Expires: noon}},
		Sessions: []session.Session{{Hash: "s", Stage: session.StageSignedIn, StartTime: noon, SeenTime: noon, Browser: "B", Pending: json.RawMessage(`1`)}},
	}
}

func TestCredentialsComeBackAsTheyWereWritten(t *testing.T) {
	a := &accountsv1.Account{ObjectMeta: metav1.ObjectMeta{Name: "jane", UID: "a1"}}
	for name, want := range map[string]Credentials{
		"everything": everything(), "nothing": {UID: "a1"}, "a password that is not final": {UID: "a1", Password: "p"},
	} {
		secret := &corev1.Secret{Data: map[string][]byte{FinalInvitationKey: []byte("before"), "else": []byte("x")}}
		if err := want.WriteTo(secret, a); err != nil {
			t.Fatal(err)
		}
		got, err := ReadCredentials(secret)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if secret.Type != SecretType || secret.Labels[Label] != "jane" || secret.Data["else"] != nil || len(secret.OwnerReferences) != 0 {
			t.Errorf("%s: the Secret is %v", name, secret)
		}
	}
}

func TestCredentialsOfAnotherHandAreNotQuoted(t *testing.T) {
	for _, text := range []string{"", "{", `{"totp":"TOPSECRET"}`, `{"sessions":{}}`} {
		_, err := ReadCredentials(&corev1.Secret{Data: map[string][]byte{moreKey: []byte(text)}})
		if !errors.Is(err, ErrUnreadableCredentials) || strings.Contains(err.Error(), "TOPSECRET") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestWhatCountsAsASecondFactor(t *testing.T) {
	for name, c := range map[string]struct {
		credentials Credentials
		want        accountsv1.TwoFactor
	}{
		"nothing":        {Credentials{}, accountsv1.TwoFactorNotEnrolled},
		"an app":         {Credentials{TOTP: TOTP{Secret: "A"}}, accountsv1.TwoFactorEnrolled},
		"a passkey":      {Credentials{Passkeys: []Passkey{{}}}, accountsv1.TwoFactorEnrolled},
		"recovery codes": {Credentials{RecoveryCodes: []string{"h"}}, accountsv1.TwoFactorNotEnrolled},
	} {
		if got := c.credentials.TwoFactor(); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
