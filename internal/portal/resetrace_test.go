// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"fmt"
	"html"
	"math/rand"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

func TestOfAHundredNewPasswordsOneCounts(t *testing.T) {
	w := worldWithResetLink(t)
	handlers, path := w.portals(3), w.resetPath("jane", storetest.Start)
	var (
		mu      sync.Mutex
		winners []string
		others  int
		group   sync.WaitGroup
	)
	for i := range 100 {
		group.Go(func() {
			typed := fmt.Sprintf("%s %d", otherPassword, i)
			got := httptest.NewRecorder()
			handlers[i%3].ServeHTTP(got, formRequest(path, newPasswords(typed).Encode()))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case got.Code == 200 && strings.Contains(got.Body.String(), "Your password has been changed"):
				winners = append(winners, typed)
			case got.Code == 410 && strings.Contains(got.Body.String(), "A new password has been chosen since"):
				others++
			default:
				t.Errorf("status %d", got.Code)
			}
		})
	}
	group.Wait()
	if len(winners) != 1 || others != 99 {
		t.Fatalf("%d requests were told that their password counts, and %d that it does not", len(winners), others)
	}
	if stored := w.credentials("jane").Password; stored != "hash of "+winners[0] {
		t.Errorf("stored %q, but %q won", stored, winners[0])
	}
}

// TestResetsInEveryOrder sends several passwords for one link through the API
// server in many orders, with and without crashed processes and lost answers.
func TestResetsInEveryOrder(t *testing.T) {
	seeds := 600
	if testing.Short() {
		seeds = 60
	}
	nothing := func(*accountsv1.Account, *account.Credentials) {}
	starts := []func(*accountsv1.Account, *account.Credentials){nothing, unsettled}
	factors := []func(*accountsv1.Account, *account.Credentials){nothing, reportedTOTP}
	for seed := range seeds {
		s := &storetest.Turnstile{Random: rand.New(rand.NewSource(int64(seed))), Faulty: seed%2 == 1}
		hasSecret, isEnrolled := seed%3 != 0, seed/4%2 == 1
		objects := acmeMember(t, "jane", starts[seed/2%2], factors[seed/4%2], askedAt(storetest.Start))
		if !hasSecret {
			objects = objects[:1]
		}
		w := aWorldWithoutPages(t, objects...)
		link, err := account.ParseResetLink(strings.TrimPrefix(w.resetPath("jane", storetest.Start), "/reset/"))
		w.Must(err)
		answers := make([]resetAnswer, 3)
		var requests []func()
		for i := range answers {
			requests = append(requests, func() {
				seen, counts, err := w.Through(s.Tap(i)).ResetPassword(t.Context(), link, store.ChosenPassword{Hash: hashOf(i)}, store.Browser{})
				answers[i] = resetAnswer{true, counts, seen.Status, err}
			})
		}
		s.Run(requests)
		secret, problem := w.Secret("jane"), ""
		switch {
		case isEnrolled && !hasSecret:
			problem = verifyRefusals(answers, secret, s.Faulty)
		case isEnrolled && !w.credentials("jane").HasSecondFactor():
			problem = "the second factor is lost"
		default:
			problem = verifyResets(answers, storedPassword(secret), s.Faulty)
		}
		if problem != "" {
			t.Fatalf("seed %d: %s\nanswers: %v, stored: %q\ncalls: %q", seed, problem, answers, storedPassword(secret), s.History)
		}
	}
}

// storedPassword returns the hash in the Secret of an Account, or "" if there is none.
func storedPassword(secret *corev1.Secret) string {
	if secret == nil {
		return ""
	}
	return string(secret.Data[account.PasswordKey])
}

// verifyRefusals returns what is wrong with the answers for an Account that lost the Secret
// with its second factor, or "".
func verifyRefusals(answers []resetAnswer, secret *corev1.Secret, faulty bool) string {
	for i, a := range answers {
		if a.counts || !faulty && !errors.Is(a.err, store.ErrSecretMissing) {
			return fmt.Sprintf("request %d was not refused", i)
		}
	}
	if secret != nil {
		return "a Secret without a second factor was created"
	}
	return ""
}

// resetAnswer is the answer to a person who chose a new password. told is false
// if the process died.
type resetAnswer struct {
	told, counts bool
	standing     account.ResetLinkStatus
	err          error
}

// verifyResets returns what is wrong, or "".
func verifyResets(answers []resetAnswer, stored string, faulty bool) string {
	won := 0
	for i, a := range answers {
		switch {
		case a.counts && stored != hashOf(i):
			return fmt.Sprintf("request %d was told that its password counts, but it does not", i)
		case a.counts:
			won++
		case a.told && a.err == nil && stored == hashOf(i):
			return fmt.Sprintf("request %d was told that its password does not count, but it does", i)
		case !faulty && (!a.told || a.err != nil || a.standing != account.ResetLinkUsed):
			return fmt.Sprintf("request %d failed without an injected fault", i)
		}
	}
	if won > 1 || won == 0 && !faulty {
		return fmt.Sprintf("%d requests were told that their password counts", won)
	}
	return ""
}

// TestAShortPasswordIsNotEnoughOnceTheSecondFactorIsGone removes the second
// factor between the read and the write.
func TestAShortPasswordIsNotEnoughOnceTheSecondFactorIsGone(t *testing.T) {
	w := worldWithResetLink(t, withTOTP)
	w.beforeWriting(func() {
		w.alterJane(func(_ *accountsv1.Account, c *account.Credentials) { c.TOTP = account.TOTP{} })
	}, nil)
	path := w.resetPath("jane", storetest.Start)
	expect(t, w.post(path, newPasswords("qvx7 melon")), 422, "at least 15")
	if c := w.credentials("jane"); c.Password != "hash of "+validPassword {
		t.Errorf("stored %q", c.Password)
	}
}

func TestWhatHappensWhileANewPasswordIsWritten(t *testing.T) {
	nothing, next := func(*world) {}, worlds(t)
	for name, tc := range map[string]struct {
		meanwhile func(w *world)
		failure   error
		status    int
		text      string
		stored    string
	}{
		"a session is used": {func(w *world) {
			w.alterJane(func(_ *accountsv1.Account, c *account.Credentials) { c.TOTP.LastStep = 9 })
		}, nil, 200, "Your password has been changed", otherPassword},
		"the write fails once": {nothing, errors.New("jane is down"), 503, "Please submit the form again", validPassword},
		"the answer is lost": {func(w *world) {
			w.alterJane(func(_ *accountsv1.Account, c *account.Credentials) {
				c.Password, c.PasswordTime = "hash of "+otherPassword, w.Clock.Now()
			})
		}, storetest.ErrDown, 200, "Your password has been changed", otherPassword},
		"another password is faster": {func(w *world) {
			w.alterJane(func(_ *accountsv1.Account, c *account.Credentials) {
				c.Password, c.PasswordTime = "hash of another", w.Clock.Now()
			})
		}, nil, 410, "A new password has been chosen since", "another"},
		"a newer link is requested": {func(w *world) {
			w.Clock.Step(time.Minute)
			w.alterJane(func(a *accountsv1.Account, _ *account.Credentials) {
				a.Status.ResetTimes = []metav1.Time{metav1.NewTime(w.Clock.Now()), metav1.NewTime(storetest.Start)}
			})
		}, nil, 410, "A newer link has replaced this one", validPassword},
		"the Account is disabled": {func(w *world) { w.alterJane(switchedOff) }, nil, 404, "We don't recognize this link", validPassword},
		"the hour ends": {func(w *world) {
			w.Clock.Step(time.Hour)
			w.alterJane(func(*accountsv1.Account, *account.Credentials) {})
		}, nil, 410, "This link has expired", validPassword},
		"the credentials are restored": {func(w *world) {
			secret := w.Secret("jane")
			w.Must(w.Client.Delete(context.Background(), secret))
			secret.ResourceVersion = ""
			w.Must(w.Client.Create(context.Background(), secret))
		}, nil, 200, "Your password has been changed", otherPassword},
		"the Secret is deleted": {func(w *world) {
			w.Must(w.Client.Delete(context.Background(), w.Secret("jane")))
		}, nil, 200, "Your password has been changed", otherPassword},
	} {
		t.Run(name, func(t *testing.T) {
			w := next(t, janes(t)...)
			w.beforeWriting(func() { tc.meanwhile(w) }, tc.failure)
			got := w.post(w.resetPath("jane", storetest.Start), newPasswords(otherPassword))
			expect(t, got, tc.status, tc.text)
			if (got.Header().Get("Retry-After") != "") != (tc.status == 503) {
				t.Errorf("headers: %v", got.Header())
			}
			if stored := w.credentials("jane").Password; stored != "hash of "+tc.stored {
				t.Errorf("stored %q", stored)
			}
			if strings.Contains(w.logs.String(), "jane") {
				t.Errorf("log:\n%s", w.logs)
			}
		})
	}
}

// secretMissing are texts on the page about a Secret with a second factor that was deleted. The
// page says what an admin must do, and promises nothing of a retry.
var secretMissing = []string{
	"An administrator has to restore your sign-in data", "Waiting or requesting another link doesn't help", "help@acme.example",
	"!Try again", "!Please submit the form again", "!<form",
}

func expectSecretMissing(t *testing.T, got *httptest.ResponseRecorder) {
	t.Helper()
	expect(t, got, 409, secretMissing...)
	if wait := got.Header().Get("Retry-After"); wait != "" {
		t.Errorf("it asks to retry after %s", wait)
	}
}

// TestNoLinkReplacesALostSecondFactor deletes the Secret of an Account before the link is
// used. Once the Secret is restored, the same link works and the second factor stays.
func TestNoLinkReplacesALostSecondFactor(t *testing.T) {
	says := func(status, annotation accountsv1.TwoFactor) func(*accountsv1.Account, *account.Credentials) {
		return func(a *accountsv1.Account, _ *account.Credentials) {
			a.Status.TwoFactor = status
			a.Annotations[accountsv1.TwoFactorAnnotation] = string(annotation)
		}
	}
	next := worlds(t)
	for name, tc := range map[string]struct {
		account func(*accountsv1.Account, *account.Credentials)
		status  int
	}{
		"the status and the record report one":                {says("Enrolled", "Enrolled"), 409},
		"the status reports one, and it is not yet recorded":  {says("Enrolled", "NotEnrolled"), 409},
		"the status was lost, and the record reports one":     {says("", "Enrolled"), 409},
		"it was removed, and this is not yet recorded":        {says("NotEnrolled", "Enrolled"), 200},
		"the Account never had one":                           {says("NotEnrolled", "NotEnrolled"), 200},
		"the status was lost, and the record reports no such": {says("", "NotEnrolled"), 200},
	} {
		t.Run(name, func(t *testing.T) {
			w := next(t, janes(t, withTOTP, tc.account)...)
			w.Organization(func(o *accountsv1.Organization) { o.Spec.SupportContact = "help@acme.example" })
			path, lost := w.resetPath("jane", storetest.Start), w.Secret("jane")
			forged := path[:len(path)-8] + "AAAAAAAA"
			unknown := html.UnescapeString(w.get(forged).Body.String())
			w.Must(w.Client.Delete(context.Background(), lost))
			expect(t, w.get(forged), 404, unknown) // a stranger learns nothing
			if tc.status == 200 {
				expect(t, w.post(path, newPasswords(otherPassword)), 200, "Your password has been changed")
				return
			}
			for _, got := range []*httptest.ResponseRecorder{w.get(path), w.post(path, newPasswords(otherPassword))} {
				expectSecretMissing(t, got)
			}
			if w.Secret("jane") != nil {
				t.Error("a Secret was created")
			}
			if logs := w.logs.String(); !strings.Contains(logs, store.ErrSecretMissing.Error()) || strings.Contains(logs, "jane") {
				t.Errorf("log:\n%s", logs)
			}
			lost.ResourceVersion = ""
			w.Must(w.Client.Create(context.Background(), lost))
			expect(t, w.post(path, newPasswords(otherPassword)), 200, "Your password has been changed", "second factor")
			if !w.credentials("jane").HasSecondFactor() {
				t.Error("the second factor is lost")
			}
		})
	}
}

// TestASecondFactorThatIsLostMeanwhileStaysLost deletes the Secret between the read and the
// write.
func TestASecondFactorThatIsLostMeanwhileStaysLost(t *testing.T) {
	w := worldWithResetLink(t, reportedTOTP)
	w.beforeWriting(func() { w.Must(w.Client.Delete(context.Background(), w.Secret("jane"))) }, nil)
	w.Organization(func(o *accountsv1.Organization) { o.Spec.SupportContact = "help@acme.example" })
	expectSecretMissing(t, w.post(w.resetPath("jane", storetest.Start), newPasswords(otherPassword)))
	if w.Secret("jane") != nil {
		t.Error("a Secret was created")
	}
	if logs := w.logs.String(); !strings.Contains(logs, store.ErrSecretMissing.Error()) || strings.Contains(logs, "jane") {
		t.Errorf("log:\n%s", logs)
	}
}

// TestClocksThatDiffer requests a link at a portal whose clock is ahead of the
// portal that uses it.
func TestClocksThatDiffer(t *testing.T) {
	ahead, next := storetest.Start.Add(30*time.Second), worlds(t)
	for name, changes := range map[string][]func(*accountsv1.Account, *account.Credentials){
		"of the request":      with(askedAt(ahead)),
		"of the old password": with(askedAt(ahead), func(_ *accountsv1.Account, c *account.Credentials) { c.PasswordTime = ahead.Add(-time.Nanosecond) }),
	} {
		t.Run(name, func(t *testing.T) {
			w := next(t, acmeMember(t, "jane", changes...)...)
			path, before := w.resetPath("jane", ahead), w.credentials("jane").PasswordTime
			expect(t, w.post(path, newPasswords(otherPassword)), 200)
			expect(t, w.post(path, newPasswords(validPassword)), 410, "A new password has been chosen since")
			if c := w.credentials("jane"); c.Password != "hash of "+otherPassword || c.PasswordTime.Before(before) {
				t.Errorf("password %q of %v, after one of %v", c.Password, c.PasswordTime, before)
			}
		})
	}
}

func TestAPasswordThatCannotBeHashedIsNotLost(t *testing.T) {
	w := worldWithResetLink(t)
	w.config.Hasher = storetest.PlainHasher{Err: account.ErrBusy}
	w.build()
	path := w.resetPath("jane", storetest.Start)
	got := w.post(path, newPasswords(otherPassword))
	expect(t, got, 503, "Wait a few seconds, then submit the form again")
	if got.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After header")
	}
	w.config.Hasher = storetest.PlainHasher{}
	w.build()
	expect(t, w.post(path, newPasswords(otherPassword)), 200)
}

// TestWhereTheLockCannotBeOpenedThePasswordCounts fails every write of a status.
// Another link can open the lock.
func TestWhereTheLockCannotBeOpenedThePasswordCounts(t *testing.T) {
	w := worldWithResetLink(t, lockedNow)
	tries := 0
	w.meddle(interceptor.Funcs{
		SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
			tries++
			return errors.New("jane is locked")
		},
	})
	expect(t, w.post(w.resetPath("jane", storetest.Start), newPasswords(otherPassword)), 200, "Your password has been changed")
	if logs := w.logs.String(); tries != 3 || !strings.Contains(logs, "Failed to record a password change") || strings.Contains(logs, "jane") {
		t.Errorf("%d attempts; log:\n%s", tries, logs)
	}
	w.meddle(interceptor.Funcs{})
	expect(t, w.browser().signIn("jane", otherPassword), 422)
	w.Clock.Step(time.Minute)
	w.post("/reset", resetRequest("jane"))
	w.post(w.resetPath("jane", w.Clock.Now()), newPasswords(validPassword))
	expectTo(t, w.browser().signIn("jane", validPassword), "/account?lang=en")
}

func hashOf(request int) string { return fmt.Sprintf("hash %d", request) }
