// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/issuer/keys"
	"github.com/usher-dev/usher/internal/portal/store"
)

// JaneUID is the UID of Jane's Invitation. Home is its namespace, and System is Usher's
// own namespace.
const (
	JaneUID = "11111111-1111-4111-8111-111111111111"
	Home    = "acme-people"
	System  = "usher-system"
)

// Start is when every test begins.
var Start = time.Date(2026, time.May, 4, 10, 0, 0, 0, time.UTC)

// World is an API server with one Organization, and Jane's Invitation with an open link.
type World struct {
	T      *testing.T
	Client client.WithWatch
	Clock  *clocktesting.FakeClock
	// Keys and ResetKeys differ, as in an installation.
	Keys, ResetKeys invitation.Keyring
	// SeedKeys seal the seeds of authenticator apps.
	SeedKeys invitation.Keyring
	// IssuerKeys are the keys of the issuer. Making them is slow, so all worlds share them.
	IssuerKeys keys.Ring
}

var issuerKeys = sync.OnceValues(func() (keys.Ring, error) {
	data, _, err := keys.Rotate(nil, Start.Add(-48*time.Hour), rand.Reader)
	if err != nil {
		return keys.Ring{}, err
	}
	return keys.Parse(data)
})

// NewWorld returns a World that also has the given objects.
func NewWorld(t *testing.T, objects ...client.Object) *World {
	t.Helper()
	ring, err := issuerKeys()
	if err != nil {
		t.Fatal(err)
	}
	return &World{
		IssuerKeys: ring,

		T: t, Clock: clocktesting.NewFakeClock(Start), Keys: Keyring(t, "k"), ResetKeys: Keyring(t, "r"), SeedKeys: Keyring(t, "s"),
		Client: NewClient(t, append([]client.Object{Acme(), Jane()}, objects...)...),
	}
}

// Keyring returns a keyring with one key for each text: key-1, key-2 and so on.
func Keyring(t *testing.T, texts ...string) invitation.Keyring {
	t.Helper()
	data := map[string][]byte{}
	for i, text := range texts {
		data[fmt.Sprintf("key-%d", i+1)] = []byte(strings.Repeat(text, invitation.KeySize))
	}
	ring, err := invitation.ParseKeyring(data)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// Through returns a store whose live calls all go through a tap.
func (w *World) Through(c *Tapped) *store.Store {
	c.Client = w.Client
	s := w.Store()
	s.Live, s.Writer = c, c
	return s
}

// RecordAcceptance records that an Account accepted Jane's Invitation.
func (w *World) RecordAcceptance(name accountsv1.AccountName, uid string) {
	now := metav1.NewTime(Start)
	w.Update(func(inv *accountsv1.Invitation) {
		inv.Status.Acceptance = accountsv1.Acceptance{
			AccountRef: accountsv1.AcceptedAccountReference{Name: name, UID: uid}, AcceptedTime: &now,
		}
	})
}

// Overwrite puts another hash into the Secret of an Account.
func (w *World) Overwrite(name, hash string) {
	secret := w.Secret(name)
	secret.Data[account.PasswordKey] = []byte(hash)
	w.Must(w.Client.Update(context.Background(), secret))
}

// Link returns the path of the link of Jane's current attempt.
func (w *World) Link() string {
	w.T.Helper()
	text, err := w.Keys.DeriveLink(JaneUID, Jane().Status.Attempt)
	w.Must(err)
	return "/invitation/" + text
}

// Parsed returns the same link in parsed form.
func (w *World) Parsed() invitation.Link {
	w.T.Helper()
	link, err := invitation.ParseLink(strings.TrimPrefix(w.Link(), "/invitation/"))
	w.Must(err)
	return link
}

// Store returns a store that reads from and writes to the World.
func (w *World) Store() *store.Store {
	return &store.Store{
		Reader: w.Client, Live: w.Client, Writer: w.Client, Hasher: PlainHasher{},
		Keys:      func(context.Context) (invitation.Keyring, error) { return w.Keys, nil },
		ResetKeys: func(context.Context) (invitation.Keyring, error) { return w.ResetKeys, nil },
		SeedKeys:  func(context.Context) (invitation.Keyring, error) { return w.SeedKeys, nil },
		Clock:     w.Clock, Random: rand.Reader, Namespace: System, OwnNamespace: System,
	}
}

// Invitation returns Jane's Invitation as it is stored.
func (w *World) Invitation() *accountsv1.Invitation {
	w.T.Helper()
	var inv accountsv1.Invitation
	w.Must(w.Client.Get(context.Background(), client.ObjectKeyFromObject(Jane()), &inv))
	return &inv
}

// Update changes Jane's Invitation, including its status.
func (w *World) Update(change func(*accountsv1.Invitation)) {
	w.T.Helper()
	inv := w.Invitation()
	change(inv)
	w.Must(w.Client.Update(context.Background(), inv))
	change(inv)
	w.Must(w.Client.Status().Update(context.Background(), inv))
}

// Account returns an Account, or nil.
func (w *World) Account(name string) *accountsv1.Account {
	w.T.Helper()
	var found accountsv1.Account
	if !w.find(&found, client.ObjectKey{Name: name}) {
		return nil
	}
	return &found
}

// Secret returns the Secret of an Account, or nil.
func (w *World) Secret(name string) *corev1.Secret {
	w.T.Helper()
	var found corev1.Secret
	if !w.find(&found, client.ObjectKey{Namespace: System, Name: account.SecretName(name)}) {
		return nil
	}
	return &found
}

// find reads an object, and reports whether it exists.
func (w *World) find(into client.Object, key client.ObjectKey) bool {
	w.T.Helper()
	err := w.Client.Get(context.Background(), key, into)
	w.Must(client.IgnoreNotFound(err))
	return err == nil
}

// Must ends the test on an error.
func (w *World) Must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// AnyAddress allows Jane to accept with an address other than the invited one.
func (w *World) AnyAddress() {
	w.Update(func(inv *accountsv1.Invitation) { inv.Spec.AddressMatch = accountsv1.AddressMatchAnyAddress })
}

// Organization changes Acme.
func (w *World) Organization(change func(*accountsv1.Organization)) {
	w.T.Helper()
	org := &accountsv1.Organization{}
	err := w.Client.Get(context.Background(), client.ObjectKey{Name: "acme"}, org)
	w.Must(err)
	change(org)
	w.Must(w.Client.Update(context.Background(), org))
}

// RequireFactor makes Acme require a second factor.
func (w *World) RequireFactor() {
	w.T.Helper()
	w.Organization(func(o *accountsv1.Organization) { o.Spec.SignIn.TwoFactor = accountsv1.TwoFactorRequired })
}

// Credentials returns the stored credentials of a person, with the seed of the app in
// plain form.
func (w *World) Credentials(name string) account.Credentials {
	w.T.Helper()
	c, err := account.ReadCredentials(w.Secret(name))
	w.Must(err)
	c.TOTP.Secret, err = account.OpenSeed(c.TOTP.Secret, name, w.SeedKeys)
	w.Must(err)
	return c
}

// Change changes the stored credentials of a person.
func (w *World) Change(name string, change func(c *account.Credentials)) {
	w.T.Helper()
	secret, c := w.Secret(name), w.Credentials(name)
	change(&c)
	w.Must(c.WriteTo(secret, w.Account(name)))
	w.Must(w.Client.Update(context.Background(), secret))
}

// Renew mails Jane a new link, as the controller does.
func (w *World) Renew() {
	w.Update(func(inv *accountsv1.Invitation) {
		before := inv.Status.Attempt
		inv.Status.Attempt.Number++
		inv.Status.Attempt.Earlier = []accountsv1.EarlierAttempt{{Number: before.Number, KeyID: before.KeyID, ClaimTime: before.ClaimTime}}
		inv.Status.Guesses, inv.Status.OtherAddress = 0, accountsv1.OtherAddress{}
	})
}

// Accepted returns the name of the Account that accepted the Invitation.
func (w *World) Accepted() string {
	w.T.Helper()
	return string(w.Invitation().Status.Acceptance.AccountRef.Name)
}
