// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/session"
)

// owned returns an Account with an owner, and its password. Its Secret has
// another account UID, as after a restore.
func owned(name, email, password string) []client.Object {
	return []client.Object{
		&accountsv1.Account{
			ObjectMeta: metav1.ObjectMeta{
				Name: name, UID: types.UID("uid-of-" + name), CreationTimestamp: metav1.NewTime(storetest.Start.Add(-time.Hour)),
				Annotations: map[string]string{accountsv1.MembershipsAnnotation: "globex-people/" + name, accountsv1.EmailVerifiedAnnotation: storetest.Verified},
			},
			Spec: accountsv1.AccountSpec{
				Email:         accountsv1.EmailAddress(email),
				InvitationRef: accountsv1.InvitationReference{Namespace: "globex-people", Name: "somebody", UID: "another's"},
			},
		},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: storetest.System, Name: account.SecretName(name)},
			Data: map[string][]byte{
				account.PasswordKey: []byte("hash of " + password), account.UIDKey: []byte("from before the restore"),
				account.FinalInvitationKey: []byte("another's"),
			},
		},
	}
}

// all concatenates lists of objects.
func all(lists ...[]client.Object) []client.Object {
	var objects []client.Object
	for _, list := range lists {
		objects = append(objects, list...)
	}
	return objects
}

// guest returns the objects of a signed-in person whose account has that address,
// and the cookie of their browser.
func guest(t *testing.T, name, email string, changes ...func(*account.Credentials)) ([]client.Object, *http.Cookie) {
	t.Helper()
	objects := owned(name, email, validPassword)
	s, token, err := session.New(rand.New(rand.NewSource(1)), session.StageSignedIn, "", storetest.Start)
	if err != nil {
		t.Fatal(err)
	}
	c := account.Credentials{Password: "hash of " + validPassword, FinalInvitation: "another's", Sessions: []session.Session{s}}
	for _, change := range changes {
		change(&c)
	}
	if err := c.WriteTo(objects[1].(*corev1.Secret), objects[0].(*accountsv1.Account)); err != nil {
		t.Fatal(err)
	}
	return objects, &http.Cookie{Name: hostPrefix + sessionCookie, Value: token + "." + name}
}

// signInForm returns a form that signs in.
func signInForm(name, password string) url.Values {
	return url.Values{fieldSignInName: {name}, fieldSignInPassword: {password}}
}

// declineForm returns a form that declines.
func declineForm(reason string) url.Values {
	return url.Values{fieldReason: {reason}, fieldDecline: {ticked}}
}

// hashes counts the computed hashes, and the comparisons with a stored hash.
type hashes struct {
	storetest.PlainHasher
	verified, somebodys atomic.Int32
}

func (h *hashes) Verify(ctx context.Context, password string, stored func() string) (bool, error) {
	h.verified.Add(1)
	return h.PlainHasher.Verify(ctx, password, func() string {
		hash := stored()
		if hash != "" {
			h.somebodys.Add(1)
		}
		return hash
	})
}

// reply is the answer to one request. told is false if the process died first.
type reply struct {
	*httptest.ResponseRecorder
	told bool
}

func (r reply) String() string {
	if !r.told {
		return "died"
	}
	return fmt.Sprint(r.Code)
}

// perRequest is the API server that each request carries in its context. It lets
// many requests share the pages, which take long to parse. cached selects the
// cached view.
type perRequest struct{ cached bool }

type tapOfRequest struct{}

func (p perRequest) of(ctx context.Context) client.Client {
	tap := ctx.Value(tapOfRequest{}).(*storetest.Tapped)
	if p.cached {
		return tap.Client
	}
	return tap
}

func (p perRequest) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	return p.of(ctx).Get(ctx, key, obj, opts...)
}

func (p perRequest) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	return p.of(ctx).List(ctx, list, opts...)
}

func (p perRequest) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	return p.of(ctx).Create(ctx, obj, opts...)
}

func (p perRequest) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	return p.of(ctx).Update(ctx, obj, opts...)
}

func (p perRequest) Status() client.SubResourceWriter { return statusPerRequest{nil, p} }

type statusPerRequest struct {
	client.SubResourceWriter
	client perRequest
}

func (s statusPerRequest) Update(ctx context.Context, obj client.Object, opts ...client.SubResourceUpdateOption) error {
	return s.client.of(ctx).Status().Update(ctx, obj, opts...)
}

// sharedPages returns a portal whose requests each carry an API server.
func sharedPages(w *world) http.Handler {
	cfg := w.config
	cfg.Reader, cfg.Live, cfg.Writer = perRequest{cached: true}, perRequest{}, perRequest{}
	handler, err := New(cfg)
	w.Must(err)
	return handler
}

// send makes a request that goes through a tap.
func (w *world) send(handler http.Handler, tap *storetest.Tapped, path string, form url.Values, into *reply, cookies ...*http.Cookie) func() {
	return func() {
		recorder, r := httptest.NewRecorder(), formRequest(path, form.Encode())
		for _, cookie := range cookies {
			r.AddCookie(cookie)
		}
		tap.Client = w.Client
		handler.ServeHTTP(recorder, r.WithContext(context.WithValue(r.Context(), tapOfRequest{}, tap)))
		*into = reply{recorder, true}
	}
}

// answering is one way to answer an invitation, with a check that shows whether
// the answer counts.
type answering struct {
	step    string
	form    url.Values
	counts  func(accountsv1.InvitationStatus) bool
	cookies []*http.Cookie
}

func acceptedWith(name string) func(accountsv1.InvitationStatus) bool {
	return func(s accountsv1.InvitationStatus) bool { return string(s.Acceptance.AccountRef.Name) == name }
}

func declinedFor(reason string) func(accountsv1.InvitationStatus) bool {
	return func(s accountsv1.InvitationStatus) bool { return s.Decline.Given() && s.Decline.Reason == reason }
}

// TestAnswersInEveryOrder sends different answers to one link through the API
// server in many orders, with and without crashed processes and lost answers.
// Exactly one answer counts, and no client is told otherwise.
func TestAnswersInEveryOrder(t *testing.T) {
	seeds := 1500
	if testing.Short() {
		seeds = 150
	}
	john, cookie := guest(t, "john", "john@example.org")
	create := answering{"", filled(), acceptedWith("jane-doe"), nil}
	accept := answering{"/accept", nil, acceptedWith("john"), []*http.Cookie{cookie}}
	no, never := answering{"/decline", declineForm("no"), declinedFor("no"), nil}, answering{"/decline", declineForm("never"), declinedFor("never"), nil}
	mixes := [][]answering{{create, no}, {accept, no}, {create, accept}, {no, never}, {create, accept, no}, {accept, accept, create}}
	handler := sharedPages(aWorldWithoutPages(t))
	for seed := range seeds {
		s := &storetest.Turnstile{Random: rand.New(rand.NewSource(int64(seed))), Faulty: seed%2 == 1}
		w := aWorldWithoutPages(t, john...)
		w.AnyAddress()
		mix := mixes[seed/2%len(mixes)]
		replies := make([]reply, len(mix))
		var requests []func()
		for i, a := range mix {
			requests = append(requests, w.send(handler, s.Tap(i), w.Link()+a.step, a.form, &replies[i], a.cookies...))
		}
		s.Run(requests)
		if problem := w.verifyAnswers(mix, replies, s.Faulty); problem != "" {
			t.Fatalf("seed %d: %s\nanswers: %v\ncalls: %q", seed, problem, replies, s.History)
		}
	}
}

// verifyAnswers returns what is wrong, or "".
func (w *world) verifyAnswers(mix []answering, replies []reply, faulty bool) string {
	status := w.Invitation().Status
	if status.Acceptance.Given() && status.Decline.Given() {
		return "the invitation is accepted and declined"
	}
	won := 0
	for i, r := range replies {
		counts := mix[i].counts(status)
		switch {
		case !r.told && !faulty:
			return fmt.Sprintf("request %d died without an injected fault", i)
		case !r.told:
		case r.Code == http.StatusOK && !counts:
			return fmt.Sprintf("request %d was told that it counts, but it does not", i)
		case r.Code == http.StatusGone && counts && mix[i].step != "/accept":
			return fmt.Sprintf("request %d counts, but was told that it does not", i)
		case r.Code == http.StatusGone && !strings.Contains(r.Body.String(), whatHappened(status)):
			return fmt.Sprintf("request %d was not told the result", i)
		case r.Code == http.StatusOK:
			won++
		case r.Code != http.StatusGone && (!faulty || r.Code != http.StatusServiceUnavailable):
			return fmt.Sprintf("request %d was answered with %d", i, r.Code)
		}
	}
	// A person who accepts twice at once can get two confirmations.
	if won == 0 && !faulty || won > 1 && mix[0].step != "/accept" {
		return fmt.Sprintf("%d requests were told that their answer counts", won)
	}
	return ""
}

func whatHappened(status accountsv1.InvitationStatus) string {
	if status.Decline.Given() {
		return "has been declined"
	}
	return "has already been used"
}

// TestGuessesInEveryOrder sends wrong codes through the API server in many
// orders. The portal checks no more of them than there are guesses.
func TestGuessesInEveryOrder(t *testing.T) {
	seeds := 300
	if testing.Short() {
		seeds = 30
	}
	const before = invitation.MostGuesses - 3
	handler := sharedPages(aWorldWithoutPages(t))
	for seed := range seeds {
		s := &storetest.Turnstile{Random: rand.New(rand.NewSource(int64(seed))), Faulty: seed%2 == 1}
		w := aWorldWithoutPages(t)
		w.AnyAddress()
		w.asked()
		w.Update(func(inv *accountsv1.Invitation) { inv.Status.Guesses = before })
		replies := make([]reply, 6)
		var requests []func()
		for i := range replies {
			requests = append(requests, w.send(handler, s.Tap(i), w.Link(), withCode("0000 0000"), &replies[i]))
		}
		s.Run(requests)
		looked := 0
		for _, r := range replies {
			if r.told && strings.Contains(r.Body.String(), "the code from our latest email") {
				looked++
			}
		}
		guesses := int(w.Invitation().Status.Guesses)
		if guesses > invitation.MostGuesses || looked > guesses-before || !s.Faulty && looked != 3 {
			t.Fatalf("seed %d: %d guesses were counted and %d checked\nanswers: %v\ncalls: %q", seed, guesses-before, looked, replies, s.History)
		}
	}
}

// TestFiveOfFiftyWrongPasswordsAreChecked checks that the link is no way around
// the lock of the account.
func TestFiveOfFiftyWrongPasswordsAreChecked(t *testing.T) {
	w := aWorldWithoutPages(t, owned("john", "jane.doe@example.com", validPassword)...)
	counted := &hashes{}
	w.config.Hasher = counted
	w.build()
	var (
		mu      sync.Mutex
		answers = map[string]int{}
		group   sync.WaitGroup
	)
	for i := range 50 {
		group.Go(func() {
			got := w.post(w.Link()+"/sign-in", signInForm("john", fmt.Sprint("wrong ", i)))
			mu.Lock()
			defer mu.Unlock()
			answers[got.Body.String()]++
		})
	}
	group.Wait()
	if looked := counted.somebodys.Load(); looked != 5 || len(answers) != 1 {
		t.Errorf("%d passwords were checked, with %d different answers", looked, len(answers))
	}
	// Now even the correct password is not checked. The link is not charged for any
	// of it.
	got := w.post(w.Link()+"/sign-in", signInForm("john", validPassword))
	expect(t, got, 422, wrongSignIn)
	if answers[got.Body.String()] != 50 || counted.somebodys.Load() != 5 || w.Invitation().Status.Guesses != 0 {
		t.Errorf("the answer to the correct password differs, or the password was checked, or the link was charged")
	}
	w.Clock.Step(15 * time.Minute)
	expect(t, w.post(w.Link()+"/sign-in", signInForm("john", validPassword)), 200, "You are signed in as")
}

// posts returns the forms of all possible answers to a link.
func posts() map[string]url.Values {
	return map[string]url.Values{
		"": filled(), "/sign-in": signInForm("jane", validPassword), "/address": other("janet@example.net"), "/decline": declineForm("because"),
		"/code": {fieldSignInCode: {"123456"}}, "/accept": {"none": {""}}, "/sign-out": {"none": {""}},
	}
}

// sentWith sends a form in another way than the portal's own page does.
func (w *world) sentWith(step, body string, change func(http.Header)) *httptest.ResponseRecorder {
	r := formRequest(w.Link()+step, body)
	change(r.Header)
	return w.do(r)
}

func TestEveryFormIsGuarded(t *testing.T) {
	for step, form := range posts() {
		t.Run("form"+step, func(t *testing.T) {
			w := aWorldWithoutPages(t)
			w.AnyAddress()
			w.config.Writer = failOnWrite{t}
			w.build()
			name := slices.Sorted(maps.Keys(form))[0]
			for want, got := range map[int]*httptest.ResponseRecorder{
				403: w.sentWith(step, form.Encode(), func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") }),
				415: w.sentWith(step, form.Encode(), func(h http.Header) { h.Set("Content-Type", "text/plain") }),
				400: w.post(w.Link()+step, url.Values{name: {form.Get(name), form.Get(name)}}),
				413: w.post(w.Link()+step, url.Values{name: {strings.Repeat("x", maxBody)}}),
				405: w.do(newRequest(http.MethodPut, w.Link()+step, strings.NewReader(form.Encode()))),
				404: w.post("/invitation/abc"+step, form),
			} {
				expect(t, got, want)
			}
			expect(t, w.get(w.Link()+step+"?"+form.Encode()), 200)
			expect(t, w.do(newRequest(http.MethodHead, w.Link()+step, nil)), 200)
			// Values in the query of the address are ignored.
			empty := 422
			if step == "/sign-out" {
				empty = 200
			}
			expect(t, w.post(w.Link()+step+"?"+form.Encode(), url.Values{}), empty)
		})
	}
}

func TestNoAnswerIsLogged(t *testing.T) {
	w := aWorld(t, owned("jane", "john@example.org", validPassword)...)
	w.AnyAddress()
	w.post(w.Link()+"/sign-in", signInForm("janice", "typed wrong"))
	w.post(w.Link()+"/sign-in", signInForm("john@example.org", "typed wrong"))
	w.post(w.Link()+"/address", other("janet@example.net"))
	w.post(w.Link(), withCode("1234 5678"))
	code := w.code()
	tap := storetest.Refuse("record invitation", errors.New("jane.doe@example.com cannot be written"))(w.World)
	tap.Client = w.Client
	w.config.Live, w.config.Writer = tap, tap
	w.build()
	for step, form := range posts() {
		w.post(w.Link()+step, form)
	}
	w.config.Live, w.config.Writer = w.Client, w.Client
	w.build()
	w.post(w.Link(), withCode(code))
	w.post(w.Link()+"/decline", declineForm("because"))
	for _, secret := range []string{
		strings.TrimPrefix(w.Link(), "/invitation/"), validPassword, "typed wrong", "jane", "janice", "example", "because", code, "1234", storetest.JaneUID,
	} {
		if strings.Contains(w.logs.String(), secret) {
			t.Errorf("%q is in the log:\n%s", secret, w.logs)
		}
	}
	if !strings.Contains(w.logs.String(), `"route"="/invitation/{link}/sign-in"`) {
		t.Errorf("log:\n%s", w.logs)
	}
}

func TestEveryAnswerOfALinkThatIsFullOrSuperseded(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		status int
		text   string
	}{
		"full": {func(w *world) {
			w.Organization(func(o *accountsv1.Organization) {
				taken := int32(1)
				o.Spec.Seats, o.Status.Seats = 1, accountsv1.SeatsStatus{Taken: &taken, Holders: []accountsv1.SeatHolder{{Name: "somebody"}}}
			})
		}, 409, "All seats are taken right now"},
		"superseded": {(*world).Renew, 410, "A newer link has replaced this one"},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t, owned("jane", "jane.doe@example.com", validPassword)...)
			link := w.Link()
			tc.change(w)
			for step, form := range posts() {
				expect(t, w.get(link+step), tc.status, tc.text)
				expect(t, w.post(link+step, form), tc.status, tc.text)
			}
			status := w.Invitation().Status
			if status.Acceptance.Given() || status.Decline.Given() || status.Guesses != 0 || status.OtherAddress.Given() {
				t.Errorf("the answer was recorded: %+v", status)
			}
		})
	}
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
			password := validPassword + strings.Repeat("z", i)
			form := but(fieldPassword, password)
			form.Set(fieldAgain, password)
			got := w.post(w.Link(), form)
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
	if stored := string(w.Secret("jane-doe").Data[account.PasswordKey]); stored != winners[0] {
		t.Errorf("stored password %q, but %q won", stored, winners[0])
	}
}
