// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

func TestAcceptWhenSomethingHappensMeanwhile(t *testing.T) {
	type result struct {
		outcome  store.Outcome
		standing invitation.LinkStatus
		failed   bool
	}
	for name, tc := range map[string]struct {
		objects []client.Object
		tap     func(*storetest.World) *storetest.Tapped
		want    result
		// hash of jane-doe's Secret. Empty means that there must be none.
		hash string
	}{
		"nothing": {
			want: result{outcome: store.Done, standing: invitation.LinkOpen}, hash: "mine",
		},
		"the name belongs to another person": {
			objects: []client.Object{storetest.MadeFor("another's", "jane-doe")},
			want:    result{outcome: store.NameTaken, standing: invitation.LinkOpen},
		},
		"an incomplete account of this link has the name and a secret": {
			objects: []client.Object{storetest.MadeFor(storetest.JaneUID, "jane-doe"), storetest.Credential("uid-of-jane-doe", "an earlier one", "")},
			want:    result{outcome: store.Done, standing: invitation.LinkOpen}, hash: "mine",
		},
		"an earlier account of that name has left a secret with final credentials": {
			objects: []client.Object{storetest.Credential("uid of the earlier", "an earlier one", "its invitation")},
			want:    result{outcome: store.Done, standing: invitation.LinkOpen}, hash: "mine",
		},
		"the account accepted, but its invitation lost its status": {
			objects: []client.Object{storetest.Recorded(storetest.MadeFor(storetest.JaneUID, "jane-doe")), storetest.Credential("uid-of-jane-doe", "the owner's", storetest.JaneUID)},
			want:    result{outcome: store.NotOpen, standing: invitation.LinkUsed}, hash: "the owner's",
		},
		"the same, and the record is lost as well": {
			objects: []client.Object{storetest.MadeFor(storetest.JaneUID, "jane-doe"), storetest.Credential("uid-of-jane-doe", "the owner's", storetest.JaneUID)},
			want:    result{outcome: store.NotOpen, standing: invitation.LinkUsed}, hash: "the owner's",
		},
		"the incomplete account is being deleted": {
			objects: []client.Object{storetest.Deleting(storetest.MadeFor(storetest.JaneUID, "jane-doe"))},
			want:    result{outcome: store.NameTaken, standing: invitation.LinkOpen},
		},
		"the API server rejects what was typed": {
			tap:  storetest.Refuse("create account", apierrors.NewInvalid(schema.GroupKind{}, "jane-doe", nil)),
			want: result{outcome: store.NamesRefused, standing: invitation.LinkOpen},
		},
		"the account is deleted while it is read": {
			objects: []client.Object{storetest.MadeFor("another's", "jane-doe")},
			tap:     storetest.DoBefore("get account", func(w *storetest.World) { w.Must(w.Client.Delete(t.Context(), w.Account("jane-doe"))) }),
			want:    result{failed: true},
		},
		"the controller writes the invitation's status before the record": {
			tap: storetest.DoBefore("record invitation", func(w *storetest.World) {
				w.Update(func(inv *accountsv1.Invitation) { inv.Status.State = accountsv1.InvitationPending })
			}),
			want: result{outcome: store.Done, standing: invitation.LinkOpen}, hash: "mine",
		},
		"a new link is mailed before the record": {
			tap: storetest.DoBefore("record invitation", func(w *storetest.World) {
				w.Update(func(inv *accountsv1.Invitation) { inv.Status.Attempt.Number++ })
			}),
			want: result{outcome: store.NotOpen, standing: invitation.LinkUnknown}, hash: "mine",
		},
		"the invited person declines before the record": {
			tap: storetest.DoBefore("record invitation", func(w *storetest.World) {
				now := metav1.NewTime(storetest.Start)
				w.Update(func(inv *accountsv1.Invitation) { inv.Status.Decline = accountsv1.Decline{DeclinedTime: &now} })
			}),
			want: result{outcome: store.NotOpen, standing: invitation.LinkDeclined}, hash: "mine",
		},
		"the maximum number of passwords is tried meanwhile": {
			tap: func(w *storetest.World) *storetest.Tapped {
				return &storetest.Tapped{Before: func(call string) error {
					if call == "record invitation" && w.Invitation().Status.Guesses < invitation.MostGuesses {
						w.Update(func(inv *accountsv1.Invitation) { inv.Status.Guesses++ })
					}
					return nil
				}}
			},
			want: result{outcome: store.Done, standing: invitation.LinkOpen}, hash: "mine",
		},
		"another account accepts before the record": {
			tap:  storetest.DoBefore("record invitation", func(w *storetest.World) { w.RecordAcceptance("somebody", "u") }),
			want: result{outcome: store.NotOpen, standing: invitation.LinkUsed}, hash: "mine",
		},
		"another account accepts before the hash is stored": {
			tap:  storetest.DoBefore("get secret", func(w *storetest.World) { w.RecordAcceptance("somebody", "u") }),
			want: result{outcome: store.NotOpen, standing: invitation.LinkUsed},
		},
		"the link expires before the record": {
			tap:  storetest.DoAfter("create secret", func(w *storetest.World) { w.Clock.SetTime(storetest.Start.Add(24 * time.Hour)) }),
			want: result{outcome: store.NotOpen, standing: invitation.LinkExpired}, hash: "mine",
		},
		"the invitation changes before every write": {
			tap:  storetest.Refuse("record invitation", storetest.Conflict("jane")),
			want: result{failed: true}, hash: "mine",
		},
		"the secret changes before every write": {
			tap:  storetest.Refuse("create secret", storetest.Conflict("jane")),
			want: result{failed: true},
		},
		"the record took effect, but its answer was lost": {
			tap:  storetest.LoseAnswer("record invitation"),
			want: result{outcome: store.Done, standing: invitation.LinkUsed}, hash: "mine",
		},
		"the last write took effect, but its answer was lost": {
			tap:  storetest.LoseAnswer("update secret"),
			want: result{outcome: store.Done, standing: invitation.LinkOpen}, hash: "mine",
		},
		"the record is refused": {
			tap:  storetest.Refuse("record invitation", apierrors.NewForbidden(schema.GroupResource{}, "jane", storetest.ErrDown)),
			want: result{failed: true}, hash: "mine",
		},
		"another request stored its hash before the last write": {
			tap:  storetest.DoAfter("record invitation", func(w *storetest.World) { w.Overwrite("jane-doe", "the other's") }),
			want: result{outcome: store.Done, standing: invitation.LinkOpen}, hash: "mine",
		},
		"another request recorded the same account and stored its hash": {
			tap: storetest.DoBefore("record invitation", func(w *storetest.World) {
				w.RecordAcceptance("jane-doe", string(w.Account("jane-doe").UID))
				w.Overwrite("jane-doe", "the other's")
			}),
			want: result{outcome: store.NotOpen, standing: invitation.LinkUsed}, hash: "the other's",
		},
		"another request recorded the same account and died, and this request's hash is stored": {
			tap: storetest.DoBefore("record invitation", func(w *storetest.World) {
				w.RecordAcceptance("jane-doe", string(w.Account("jane-doe").UID))
			}),
			want: result{outcome: store.Done, standing: invitation.LinkUsed}, hash: "mine",
		},
		"the secret is deleted before the last write": {
			tap:  storetest.DoAfter("record invitation", func(w *storetest.World) { w.Must(w.Client.Delete(t.Context(), w.Secret("jane-doe"))) }),
			want: result{outcome: store.Done, standing: invitation.LinkOpen}, hash: "mine",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := storetest.NewWorld(t, tc.objects...)
			tap := &storetest.Tapped{}
			if tc.tap != nil {
				tap = tc.tap(w)
			}
			seen, o, err := w.Through(tap).Accept(t.Context(), w.Parsed(), storetest.Chosen("jane-doe", "mine"))
			got := result{outcome: o, standing: seen.Status, failed: err != nil}
			if tc.want.failed {
				tc.want.standing = got.standing
			}
			if got != tc.want {
				t.Errorf("got %+v, want %+v (%v)", got, tc.want, err)
			}
			stored := ""
			if secret := w.Secret("jane-doe"); secret != nil {
				stored = string(secret.Data[account.PasswordKey])
			}
			if stored != tc.hash {
				t.Errorf("stores %q, want %q", stored, tc.hash)
			}
		})
	}
}

// TestAcceptWithASecondFactorWhenSomethingHappensMeanwhile checks that no request accepts
// without a second factor if the Organization requires one.
func TestAcceptWithASecondFactorWhenSomethingHappensMeanwhile(t *testing.T) {
	enrolledBefore := func() *accountsv1.Account {
		a := storetest.MadeFor(storetest.JaneUID, "jane-doe")
		a.Status.TwoFactor = accountsv1.TwoFactorEnrolled
		return a
	}
	for name, tc := range map[string]struct {
		objects []client.Object
		tap     func(*storetest.World) *storetest.Tapped
		// without means that the request has no second factor. optional means that none
		// is required at the beginning.
		without, optional bool
		want              store.Outcome
		failed            bool
		// by is the account that accepted, and hash the stored hash of the password.
		by, hash string
	}{
		"nothing":     {want: store.Done, by: "jane-doe", hash: "mine"},
		"it has none": {without: true, want: store.FactorMissing},
		"it has none, and continues with an account that had one": {
			objects: []client.Object{enrolledBefore()}, without: true, want: store.FactorMissing,
		},
		"it continues with an account that had another": {
			objects: []client.Object{enrolledBefore(), storetest.Credential("uid-of-jane-doe", "an earlier one", "")}, want: store.Done, by: "jane-doe", hash: "mine",
		},
		"the controller writes the account's status": {
			tap: storetest.DoBefore("note account", func(w *storetest.World) {
				a := w.Account("jane-doe")
				a.Status.State = accountsv1.AccountPending
				w.Must(w.Client.Status().Update(t.Context(), a))
			}), want: store.Done, by: "jane-doe", hash: "mine",
		},
		"the status of the account was written, but the answer was lost": {tap: storetest.LoseAnswer("note account"), want: store.Done, by: "jane-doe", hash: "mine"},
		"the note is refused": {
			tap: storetest.Refuse("note account", apierrors.NewForbidden(schema.GroupResource{}, "jane-doe", storetest.ErrDown)), failed: true, hash: "mine",
		},
		"the account changes before every write": {tap: storetest.Refuse("note account", storetest.Conflict("jane-doe")), failed: true, hash: "mine"},
		"the account is deleted before its status is written": {
			tap: storetest.DoBefore("note account", func(w *storetest.World) {
				a := w.Account("jane-doe")
				a.Finalizers = nil
				w.Must(w.Client.Update(t.Context(), a))
				w.Must(w.Client.Delete(t.Context(), a))
			}), failed: true, hash: "mine",
		},
		"a second factor becomes required before the last check": {
			tap: storetest.DoBefore("get secret", func(w *storetest.World) { w.RequireFactor() }), without: true, optional: true, want: store.FactorMissing,
		},
		"a second factor becomes required before the record, which is retried": {
			tap: storetest.DoBefore("record invitation", func(w *storetest.World) {
				w.RequireFactor()
				w.Update(func(inv *accountsv1.Invitation) { inv.Status.Guesses++ })
			}), without: true, optional: true, want: store.FactorMissing, hash: "mine",
		},
		"another request recorded the same account and stored its second factor": {
			tap: storetest.DoBefore("record invitation", func(w *storetest.World) {
				w.RecordAcceptance("jane-doe", string(w.Account("jane-doe").UID))
				w.Change("jane-doe", func(c *account.Credentials) { c.TOTP.Secret = "another" })
			}), want: store.NotOpen, by: "jane-doe", hash: "mine",
		},
		"a second factor becomes required, and a request that has one recorded the same account": {
			tap: storetest.DoBefore("record invitation", func(w *storetest.World) {
				w.RequireFactor()
				w.RecordAcceptance("jane-doe", string(w.Account("jane-doe").UID))
			}), without: true, optional: true, want: store.NotOpen, by: "jane-doe", hash: "mine",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := storetest.NewWorld(t, tc.objects...)
			if !tc.optional {
				w.RequireFactor()
			}
			tap := &storetest.Tapped{}
			if tc.tap != nil {
				tap = tc.tap(w)
			}
			who := storetest.Chosen("jane-doe", "mine")
			if !tc.without {
				who.Credentials.TOTP = account.TOTP{Secret: "a secret", LastStep: 1}
				who.Credentials.RecoveryCodes = []string{"a", "b"}
			}
			_, o, err := w.Through(tap).Accept(t.Context(), w.Parsed(), who)
			if failed := err != nil; failed != tc.failed || !failed && o != tc.want {
				t.Errorf("outcome %d, want %d (%v)", o, tc.want, err)
			}
			if by := w.Accepted(); by != tc.by {
				t.Errorf("accepted with %q, want %q", by, tc.by)
			}
			checkEnrolled(w, who, tc.hash, tc.want == store.Done)
		})
	}
}

// checkEnrolled checks which password is stored. If in is true, it also checks that the
// person's own second factor is stored and that the status reports it.
func checkEnrolled(w *storetest.World, who store.Registration, hash string, in bool) {
	w.T.Helper()
	var c account.Credentials
	if w.Secret("jane-doe") != nil {
		c = w.Credentials("jane-doe")
	}
	if isSettled := c.FinalInvitation != ""; c.Password != hash || isSettled != in {
		w.T.Errorf("stored is %q, want %q; final: %t", c.Password, hash, isSettled)
	}
	if !in {
		return
	}
	if w.Account("jane-doe").Status.TwoFactor != accountsv1.TwoFactorEnrolled {
		w.T.Error("the status reports no second factor")
	}
	if c.TOTP != who.Credentials.TOTP || !slices.Equal(c.RecoveryCodes, who.Credentials.RecoveryCodes) {
		w.T.Errorf("stored credentials: %+v", c)
	}
}

func TestWithoutASecondFactorNoUserNameIsTaken(t *testing.T) {
	w := storetest.NewWorld(t)
	w.RequireFactor()
	_, o, err := w.Store().Accept(t.Context(), w.Parsed(), storetest.Chosen("jane-doe", "mine"))
	if o != store.FactorMissing || err != nil || w.Account("jane-doe") != nil {
		t.Errorf("outcome %d, %v, account %v", o, err, w.Account("jane-doe"))
	}
}

// TestTheConfirmedCodeIsTheNewestOne has another code requested at two moments after one
// was entered.
func TestTheConfirmedCodeIsTheNewestOne(t *testing.T) {
	for _, call := range []string{"create account", "record invitation"} {
		w := storetest.NewWorld(t)
		w.AnyAddress()
		requested := metav1.NewTime(storetest.Start)
		w.Update(func(inv *accountsv1.Invitation) {
			inv.Status.OtherAddress = accountsv1.OtherAddress{Email: "janet@example.net", RequestTime: &requested, Requests: 1}
		})
		who := storetest.Chosen("jane-doe", "mine")
		who.Confirmed = w.Invitation().Status.OtherAddress
		who.Email = who.Confirmed.Email
		tap := storetest.DoBefore(call, func(w *storetest.World) {
			w.Update(func(inv *accountsv1.Invitation) { inv.Status.OtherAddress.Requests++ })
		})
		_, o, err := w.Through(tap(w)).Accept(t.Context(), w.Parsed(), who)
		if o != store.CodeSuperseded || err != nil || w.Accepted() != "" {
			t.Errorf("before %s: %d, %v, accepted by %q", call, o, err, w.Accepted())
		}
		who.Confirmed = w.Invitation().Status.OtherAddress
		if _, o, err := w.Store().Accept(t.Context(), w.Parsed(), who); o != store.Done || err != nil {
			t.Errorf("with the newest code: %d, %v", o, err)
		}
	}
}
