// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store"
)

var errDown = errors.New("the API server is down")

// failing is an API server that does not answer.
type failing struct{ client.SubResourceWriter }

func (failing) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errDown
}

func (failing) List(context.Context, client.ObjectList, ...client.ListOption) error { return errDown }

func (failing) Create(context.Context, client.Object, ...client.CreateOption) error { return errDown }

func (failing) Update(context.Context, client.Object, ...client.UpdateOption) error { return errDown }
func (failing) Status() client.SubResourceWriter                                    { return nil }

// nobodyWrites fails the test when anybody writes.
type nobodyWrites struct{ t *testing.T }

func (n nobodyWrites) Create(context.Context, client.Object, ...client.CreateOption) error {
	n.t.Error("creates")
	return errDown
}

func (n nobodyWrites) Update(context.Context, client.Object, ...client.UpdateOption) error {
	n.t.Error("updates")
	return errDown
}

func (n nobodyWrites) Status() client.SubResourceWriter {
	n.t.Error("updates a status")
	return nil
}

// tapped is a client with something that happens around each call. before may
// fail the call; after may turn its answer into another.
type tapped struct {
	client.Client
	before func(call string) error
	after  func(call string, err error) error
}

func (c *tapped) around(verb string, obj client.Object, call func() error) error {
	name := verb
	switch obj.(type) {
	case *accountsv1.Invitation:
		name += " invitation"
	case *accountsv1.Account:
		name += " account"
	case *corev1.Secret:
		name += " secret"
	default:
		return call()
	}
	if c.before != nil {
		if err := c.before(name); err != nil {
			return err
		}
	}
	err := call()
	if c.after != nil {
		err = c.after(name, err)
	}
	return err
}

func (c *tapped) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	return c.around("get", obj, func() error { return c.Client.Get(ctx, key, obj, opts...) })
}

func (c *tapped) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	return c.around("create", obj, func() error { return c.Client.Create(ctx, obj, opts...) })
}

func (c *tapped) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	return c.around("update", obj, func() error { return c.Client.Update(ctx, obj, opts...) })
}

func (c *tapped) Status() client.SubResourceWriter {
	return tappedStatus{c.Client.Status(), c}
}

type tappedStatus struct {
	client.SubResourceWriter
	tapped *tapped
}

func (s tappedStatus) Update(ctx context.Context, obj client.Object, opts ...client.SubResourceUpdateOption) error {
	switch obj := obj.(type) {
	case *accountsv1.Invitation:
		stored := obj.DeepCopy()
		return s.update(ctx, "record", stored, func() { stored.DeepCopyInto(obj) }, opts)
	case *accountsv1.Account:
		stored := obj.DeepCopy()
		return s.update(ctx, "note", stored, func() { stored.DeepCopyInto(obj) }, opts)
	default:
		return errors.New("the portal writes the status of invitations and of accounts only")
	}
}

// update stores a copy. Whoever does not get the answer does not see what was
// stored either.
func (s tappedStatus) update(ctx context.Context, verb string, stored client.Object, tell func(), opts []client.SubResourceUpdateOption) error {
	err := s.tapped.around(verb, stored, func() error { return s.SubResourceWriter.Update(ctx, stored, opts...) })
	if err == nil {
		tell()
	}
	return err
}

// through is the store whose live calls all go through a tap.
func (w *world) through(c *tapped) *store.Store {
	c.Client = w.client
	s := w.store()
	s.Live, s.Writer = c, c
	return s
}

func chosen(name, hash string) store.Registration {
	return store.Registration{UserName: name, Email: "jane.doe@example.com", Credentials: account.Credentials{Password: hash}}
}

// doBefore does something before the first call of a name, and doAfter after it.
func doBefore(name string, do func(*world)) func(*world) *tapped {
	return func(w *world) *tapped {
		var first sync.Once
		return &tapped{before: func(call string) error {
			if call == name {
				first.Do(func() { do(w) })
			}
			return nil
		}}
	}
}

func doAfter(name string, do func(*world)) func(*world) *tapped {
	return func(w *world) *tapped {
		var first sync.Once
		return &tapped{after: func(call string, err error) error {
			if call == name {
				first.Do(func() { do(w) })
			}
			return err
		}}
	}
}

// refuse fails every call of a name, and loseAnswer its answer alone.
func refuse(name string, failure error) func(*world) *tapped {
	return func(*world) *tapped {
		return &tapped{before: func(call string) error {
			if call == name {
				return failure
			}
			return nil
		}}
	}
}

func loseAnswer(name string) func(*world) *tapped {
	return func(*world) *tapped {
		return &tapped{after: func(call string, err error) error {
			if call == name {
				return errDown
			}
			return err
		}}
	}
}

func conflict(name string) error {
	return apierrors.NewConflict(schema.GroupResource{Resource: "things"}, name, errors.New("changed"))
}

func TestAcceptWhenSomethingHappensMeanwhile(t *testing.T) {
	type result struct {
		outcome  store.Outcome
		standing invitation.Standing
		failed   bool
	}
	for name, tc := range map[string]struct {
		objects []client.Object
		tap     func(*world) *tapped
		want    result
		// hash of jane-doe's Secret; empty: there must be none.
		hash string
	}{
		"nothing": {
			want: result{outcome: store.Done, standing: invitation.Open}, hash: "mine",
		},
		"the name is somebody else's": {
			objects: []client.Object{madeFor("another's", "jane-doe")},
			want:    result{outcome: store.NameTaken, standing: invitation.Open},
		},
		"the name is half-made by this link, and its secret too": {
			objects: []client.Object{madeFor(janeUID, "jane-doe"), credential("uid-of-jane-doe", "an earlier one", "")},
			want:    result{outcome: store.Done, standing: invitation.Open}, hash: "mine",
		},
		"an earlier account of that name has left a settled secret": {
			objects: []client.Object{credential("uid of the earlier", "an earlier one", "its invitation")},
			want:    result{outcome: store.Done, standing: invitation.Open}, hash: "mine",
		},
		"the account was taken up, but its invitation has lost its status": {
			objects: []client.Object{recorded(madeFor(janeUID, "jane-doe")), credential("uid-of-jane-doe", "the owner's", janeUID)},
			want:    result{outcome: store.NotOpen, standing: invitation.Used}, hash: "the owner's",
		},
		"the same, and the record is lost as well": {
			objects: []client.Object{madeFor(janeUID, "jane-doe"), credential("uid-of-jane-doe", "the owner's", janeUID)},
			want:    result{outcome: store.NotOpen, standing: invitation.Used}, hash: "the owner's",
		},
		"the half-made account is being deleted": {
			objects: []client.Object{going(madeFor(janeUID, "jane-doe"))},
			want:    result{outcome: store.NameTaken, standing: invitation.Open},
		},
		"the API server refuses what was typed": {
			tap:  refuse("create account", apierrors.NewInvalid(schema.GroupKind{}, "jane-doe", nil)),
			want: result{outcome: store.NamesRefused, standing: invitation.Open},
		},
		"the account is deleted while it is looked at": {
			objects: []client.Object{madeFor("another's", "jane-doe")},
			tap:     doBefore("get account", func(w *world) { w.must(w.client.Delete(t.Context(), w.account("jane-doe"))) }),
			want:    result{failed: true},
		},
		"the controller writes the invitation's status before the record": {
			tap: doBefore("record invitation", func(w *world) {
				w.update(func(inv *accountsv1.Invitation) { inv.Status.State = accountsv1.InvitationPending })
			}),
			want: result{outcome: store.Done, standing: invitation.Open}, hash: "mine",
		},
		"the link is mailed anew before the record": {
			tap: doBefore("record invitation", func(w *world) {
				w.update(func(inv *accountsv1.Invitation) { inv.Status.Attempt.Number++ })
			}),
			want: result{outcome: store.NotOpen, standing: invitation.Unknown}, hash: "mine",
		},
		"somebody declines before the record": {
			tap: doBefore("record invitation", func(w *world) {
				now := metav1.NewTime(start)
				w.update(func(inv *accountsv1.Invitation) { inv.Status.Decline = accountsv1.Decline{DeclinedTime: &now} })
			}),
			want: result{outcome: store.NotOpen, standing: invitation.Declined}, hash: "mine",
		},
		"passwords are tried meanwhile, as many as there can be": {
			tap: func(w *world) *tapped {
				return &tapped{before: func(call string) error {
					if call == "record invitation" && w.invitation().Status.Guesses < invitation.MostGuesses {
						w.update(func(inv *accountsv1.Invitation) { inv.Status.Guesses++ })
					}
					return nil
				}}
			},
			want: result{outcome: store.Done, standing: invitation.Open}, hash: "mine",
		},
		"another account takes the invitation up before the record": {
			tap:  doBefore("record invitation", func(w *world) { w.takeUp("somebody", "u") }),
			want: result{outcome: store.NotOpen, standing: invitation.Used}, hash: "mine",
		},
		"another account takes the invitation up before the hash is stored": {
			tap:  doBefore("get secret", func(w *world) { w.takeUp("somebody", "u") }),
			want: result{outcome: store.NotOpen, standing: invitation.Used},
		},
		"the time runs out before the record": {
			tap:  doAfter("create secret", func(w *world) { w.clock.SetTime(start.Add(24 * time.Hour)) }),
			want: result{outcome: store.NotOpen, standing: invitation.Expired}, hash: "mine",
		},
		"the invitation changes with every try": {
			tap:  refuse("record invitation", conflict("jane")),
			want: result{failed: true}, hash: "mine",
		},
		"the secret changes with every try": {
			tap:  refuse("create secret", conflict("jane")),
			want: result{failed: true},
		},
		"the record took effect, but its answer was lost": {
			tap:  loseAnswer("record invitation"),
			want: result{outcome: store.Done, standing: invitation.Used}, hash: "mine",
		},
		"the settling took effect, but its answer was lost": {
			tap:  loseAnswer("update secret"),
			want: result{outcome: store.Done, standing: invitation.Open}, hash: "mine",
		},
		"the record is refused": {
			tap:  refuse("record invitation", apierrors.NewForbidden(schema.GroupResource{}, "jane", errDown)),
			want: result{failed: true}, hash: "mine",
		},
		"another request has put its hash in before the settling": {
			tap:  doAfter("record invitation", func(w *world) { w.overwrite("jane-doe", "the other's") }),
			want: result{outcome: store.Done, standing: invitation.Open}, hash: "mine",
		},
		"another request recorded the same account, and has its hash in": {
			tap: doBefore("record invitation", func(w *world) {
				w.takeUp("jane-doe", string(w.account("jane-doe").UID))
				w.overwrite("jane-doe", "the other's")
			}),
			want: result{outcome: store.NotOpen, standing: invitation.Used}, hash: "the other's",
		},
		"another request recorded the same account and died, and the own hash is in": {
			tap: doBefore("record invitation", func(w *world) {
				w.takeUp("jane-doe", string(w.account("jane-doe").UID))
			}),
			want: result{outcome: store.Done, standing: invitation.Used}, hash: "mine",
		},
		"the secret is deleted before the settling": {
			tap:  doAfter("record invitation", func(w *world) { w.must(w.client.Delete(t.Context(), w.secret("jane-doe"))) }),
			want: result{outcome: store.Done, standing: invitation.Open}, hash: "mine",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorldWithoutPages(t, tc.objects...)
			tap := &tapped{}
			if tc.tap != nil {
				tap = tc.tap(w)
			}
			seen, o, err := w.through(tap).Accept(t.Context(), w.parsed(), chosen("jane-doe", "mine"))
			got := result{outcome: o, standing: seen.Standing, failed: err != nil}
			if tc.want.failed {
				tc.want.standing = got.standing
			}
			if got != tc.want {
				t.Errorf("got %+v, want %+v (%v)", got, tc.want, err)
			}
			stored := ""
			if secret := w.secret("jane-doe"); secret != nil {
				stored = string(secret.Data[account.PasswordKey])
			}
			if stored != tc.hash {
				t.Errorf("stores %q, want %q", stored, tc.hash)
			}
		})
	}
}

// TestAcceptWithASecondFactorWhenSomethingHappensMeanwhile: where the Organization
// wants one, nobody is in without.
func TestAcceptWithASecondFactorWhenSomethingHappensMeanwhile(t *testing.T) {
	enrolledBefore := func() *accountsv1.Account {
		a := madeFor(janeUID, "jane-doe")
		a.Status.TwoFactor = accountsv1.TwoFactorEnrolled
		return a
	}
	for name, tc := range map[string]struct {
		objects []client.Object
		tap     func(*world) *tapped
		// without: the request brings no second factor. optional: none is wanted
		// at the beginning.
		without, optional bool
		want              store.Outcome
		failed            bool
		// by is whose account took the invitation up, and hash that of the
		// password that is stored.
		by, hash string
	}{
		"nothing":     {want: store.Done, by: "jane-doe", hash: "mine"},
		"it has none": {without: true, want: store.FactorMissing},
		"it has none, and goes on with an account that had one": {
			objects: []client.Object{enrolledBefore()}, without: true, want: store.FactorMissing,
		},
		"it goes on with an account that had another": {
			objects: []client.Object{enrolledBefore(), credential("uid-of-jane-doe", "an earlier one", "")}, want: store.Done, by: "jane-doe", hash: "mine",
		},
		"the controller writes the account's status": {
			tap: doBefore("note account", func(w *world) {
				a := w.account("jane-doe")
				a.Status.State = accountsv1.AccountPending
				w.must(w.client.Status().Update(t.Context(), a))
			}), want: store.Done, by: "jane-doe", hash: "mine",
		},
		"the note took effect, but its answer was lost": {tap: loseAnswer("note account"), want: store.Done, by: "jane-doe", hash: "mine"},
		"the note is refused": {
			tap: refuse("note account", apierrors.NewForbidden(schema.GroupResource{}, "jane-doe", errDown)), failed: true, hash: "mine",
		},
		"the account changes with every try": {tap: refuse("note account", conflict("jane-doe")), failed: true, hash: "mine"},
		"the account is deleted before the note": {
			tap: doBefore("note account", func(w *world) {
				a := w.account("jane-doe")
				a.Finalizers = nil
				w.must(w.client.Update(t.Context(), a))
				w.must(w.client.Delete(t.Context(), a))
			}), failed: true, hash: "mine",
		},
		"a second factor is wanted before the last look": {
			tap: doBefore("get secret", func(w *world) { w.requireFactor() }), without: true, optional: true, want: store.FactorMissing,
		},
		"a second factor is wanted before the record, which has to be tried again": {
			tap: doBefore("record invitation", func(w *world) {
				w.requireFactor()
				w.update(func(inv *accountsv1.Invitation) { inv.Status.Guesses++ })
			}), without: true, optional: true, want: store.FactorMissing, hash: "mine",
		},
		"another request recorded the same account, and has its second factor in": {
			tap: doBefore("record invitation", func(w *world) {
				w.takeUp("jane-doe", string(w.account("jane-doe").UID))
				w.change("jane-doe", func(c *account.Credentials) { c.TOTP.Secret = "another" })
			}), want: store.NotOpen, by: "jane-doe", hash: "mine",
		},
		"a second factor is wanted, and somebody who has one recorded the same account": {
			tap: doBefore("record invitation", func(w *world) {
				w.requireFactor()
				w.takeUp("jane-doe", string(w.account("jane-doe").UID))
			}), without: true, optional: true, want: store.NotOpen, by: "jane-doe", hash: "mine",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorldWithoutPages(t, tc.objects...)
			if !tc.optional {
				w.requireFactor()
			}
			tap := &tapped{}
			if tc.tap != nil {
				tap = tc.tap(w)
			}
			who := chosen("jane-doe", "mine")
			if !tc.without {
				who.Credentials.TOTP = account.TOTP{Secret: appSecret, LastStep: 1}
				who.Credentials.RecoveryCodes = []string{"a", "b"}
			}
			_, o, err := w.through(tap).Accept(t.Context(), w.parsed(), who)
			if failed := err != nil; failed != tc.failed || !failed && o != tc.want {
				t.Errorf("outcome %d, want %d (%v)", o, tc.want, err)
			}
			if by := w.accepted(); by != tc.by {
				t.Errorf("accepted with %q, want %q", by, tc.by)
			}
			w.checkEnrolled(who, tc.hash, tc.want == store.Done)
		})
	}
}

// checkEnrolled checks which password is stored, and, of somebody who is in, that
// their own second factor is, and that the status says so.
func (w *world) checkEnrolled(who store.Registration, hash string, in bool) {
	w.t.Helper()
	var c account.Credentials
	if w.secret("jane-doe") != nil {
		c = w.kept("jane-doe")
	}
	if isSettled := c.Settled != ""; c.Password != hash || isSettled != in {
		w.t.Errorf("stored is %q, want %q; settled: %t", c.Password, hash, isSettled)
	}
	if !in {
		return
	}
	if w.account("jane-doe").Status.TwoFactor != accountsv1.TwoFactorEnrolled {
		w.t.Error("the status says nothing of a second factor")
	}
	if c.TOTP != who.Credentials.TOTP || !slices.Equal(c.RecoveryCodes, who.Credentials.RecoveryCodes) {
		w.t.Errorf("stored are %+v", c)
	}
}

func TestWithoutASecondFactorNoUserNameIsTaken(t *testing.T) {
	w := aWorldWithoutPages(t)
	w.requireFactor()
	_, o, err := w.store().Accept(t.Context(), w.parsed(), chosen("jane-doe", "mine"))
	if o != store.FactorMissing || err != nil || w.account("jane-doe") != nil {
		t.Errorf("outcome %d, %v, account %v", o, err, w.account("jane-doe"))
	}
}

// takeUp records that an Account took Jane's Invitation up.
func (w *world) takeUp(name accountsv1.AccountName, uid string) {
	now := metav1.NewTime(start)
	w.update(func(inv *accountsv1.Invitation) {
		inv.Status.Acceptance = accountsv1.Acceptance{
			AccountRef: accountsv1.AcceptedAccountReference{Name: name, UID: uid}, AcceptedTime: &now,
		}
	})
}

// overwrite puts another hash into the Secret of an Account.
func (w *world) overwrite(name, hash string) {
	secret := w.secret(name)
	secret.Data[account.PasswordKey] = []byte(hash)
	w.must(w.client.Update(context.Background(), secret))
}

// credential is the Secret of the Account jane-doe.
func credential(uid, hash, settled string) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "account-jane-doe"},
		Data:       map[string][]byte{account.PasswordKey: []byte(hash), account.UIDKey: []byte(uid)},
	}
	if settled != "" {
		secret.Data[account.SettledKey] = []byte(settled)
	}
	return secret
}

func recorded(a *accountsv1.Account) *accountsv1.Account {
	a.Annotations = map[string]string{accountsv1.MembershipsAnnotation: home + "/another"}
	return a
}

func going(a *accountsv1.Account) *accountsv1.Account {
	now := metav1.NewTime(start)
	a.DeletionTimestamp, a.Finalizers = &now, []string{accountsv1.Finalizer}
	return a
}

func TestOfAHundredPostsOfOneLinkOneWins(t *testing.T) {
	w := aWorld(t)
	var (
		mu      sync.Mutex
		winners []string
		others  = map[int]int{}
		group   sync.WaitGroup
	)
	for i := range 100 {
		group.Go(func() {
			password := good + strings.Repeat("z", i)
			form := but(fieldPassword, password)
			form.Set(fieldAgain, password)
			got := w.post(w.link(), form)
			mu.Lock()
			defer mu.Unlock()
			if got.Code == http.StatusOK {
				winners = append(winners, "hash of "+password)
			} else {
				others[got.Code]++
			}
		})
	}
	group.Wait()
	if len(winners) != 1 || others[http.StatusGone]+others[http.StatusServiceUnavailable] != 99 {
		t.Fatalf("%d winners, and %v", len(winners), others)
	}
	if stored := string(w.secret("jane-doe").Data[account.PasswordKey]); stored != winners[0] {
		t.Errorf("stores %q, but %q won", stored, winners[0])
	}
}
