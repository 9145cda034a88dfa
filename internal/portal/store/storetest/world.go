// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store"
)

// JaneUID is the UID of Jane's Invitation, Home the namespace that it is in, and System
// that of Usher.
const (
	JaneUID = "11111111-1111-4111-8111-111111111111"
	Home    = "acme-people"
	System  = "usher-system"
)

// Start is when every test begins.
var Start = time.Date(2026, time.May, 4, 10, 0, 0, 0, time.UTC)

// World is an API server with one Organization, and Jane's Invitation with a link that
// is open.
type World struct {
	T      *testing.T
	Client client.WithWatch
	Clock  *clocktesting.FakeClock
	Keys   invitation.Keyring
}

// NewWorld has further objects besides.
func NewWorld(t *testing.T, objects ...client.Object) *World {
	t.Helper()
	keys, err := invitation.ParseKeyring(map[string][]byte{"key-1": []byte(strings.Repeat("k", invitation.KeySize))})
	if err != nil {
		t.Fatal(err)
	}
	return &World{
		T: t, Clock: clocktesting.NewFakeClock(Start), Keys: keys,
		Client: NewClient(t, append([]client.Object{Acme(), Jane()}, objects...)...),
	}
}

// Through is the store whose live calls all go through a tap.
func (w *World) Through(c *Tapped) *store.Store {
	c.Client = w.Client
	s := w.Store()
	s.Live, s.Writer = c, c
	return s
}

// TakeUp records that an Account took Jane's Invitation up.
func (w *World) TakeUp(name accountsv1.AccountName, uid string) {
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

// Link is the path of the link of Jane's current attempt.
func (w *World) Link() string {
	w.T.Helper()
	text, err := w.Keys.DeriveLink(JaneUID, Jane().Status.Attempt)
	w.Must(err)
	return "/invitation/" + text
}

// Parsed is the same link as the store takes it.
func (w *World) Parsed() invitation.Link {
	w.T.Helper()
	link, err := invitation.ParseLink(strings.TrimPrefix(w.Link(), "/invitation/"))
	w.Must(err)
	return link
}

// Store reads from that API server, and writes there.
func (w *World) Store() *store.Store {
	return &store.Store{
		Reader: w.Client, Live: w.Client, Writer: w.Client, Hasher: PlainHasher{},
		Keys:  func(context.Context) (invitation.Keyring, error) { return w.Keys, nil },
		Clock: w.Clock, Random: rand.Reader, Namespace: System,
	}
}

// Invitation is Jane's, as it is stored.
func (w *World) Invitation() *accountsv1.Invitation {
	w.T.Helper()
	var inv accountsv1.Invitation
	w.Must(w.Client.Get(context.Background(), client.ObjectKeyFromObject(Jane()), &inv))
	return &inv
}

// Update writes Jane's Invitation as a test changes it, status and all.
func (w *World) Update(change func(*accountsv1.Invitation)) {
	w.T.Helper()
	inv := w.Invitation()
	change(inv)
	w.Must(w.Client.Update(context.Background(), inv))
	change(inv)
	w.Must(w.Client.Status().Update(context.Background(), inv))
}

// Account gives an Account, or nil.
func (w *World) Account(name string) *accountsv1.Account {
	w.T.Helper()
	var found accountsv1.Account
	if !w.find(&found, client.ObjectKey{Name: name}) {
		return nil
	}
	return &found
}

// Secret gives the Secret of an Account, or nil.
func (w *World) Secret(name string) *corev1.Secret {
	w.T.Helper()
	var found corev1.Secret
	if !w.find(&found, client.ObjectKey{Namespace: System, Name: account.SecretName(name)}) {
		return nil
	}
	return &found
}

// find reads an object, and tells whether it is there.
func (w *World) find(into client.Object, key client.ObjectKey) bool {
	w.T.Helper()
	err := w.Client.Get(context.Background(), key, into)
	w.Must(client.IgnoreNotFound(err))
	return err == nil
}

// Must ends the test at an error.
func (w *World) Must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// AnyAddress makes another address than the invited one do.
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

// RequireFactor makes Acme want a second factor.
func (w *World) RequireFactor() {
	w.T.Helper()
	w.Organization(func(o *accountsv1.Organization) { o.Spec.SignIn.TwoFactor = accountsv1.TwoFactorRequired })
}

// Kept is what a person signs in with, as it is stored.
func (w *World) Kept(name string) account.Credentials {
	w.T.Helper()
	c, err := account.ReadCredentials(w.Secret(name))
	w.Must(err)
	return c
}

// Change writes other credentials of a person.
func (w *World) Change(name string, change func(c *account.Credentials)) {
	w.T.Helper()
	secret, c := w.Secret(name), w.Kept(name)
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

// Accepted is whose account took the invitation up.
func (w *World) Accepted() string {
	w.T.Helper()
	return string(w.Invitation().Status.Acceptance.AccountRef.Name)
}
