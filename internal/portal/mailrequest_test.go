// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// failingResetRequests returns worlds in which every visitor must get the same
// answer, and what they type.
func failingResetRequests(t *testing.T) map[string]struct {
	typed   string
	objects []client.Object
} {
	t.Helper()
	day := []time.Time{
		storetest.Start.Add(-time.Hour), storetest.Start.Add(-2 * time.Hour), storetest.Start.Add(-3 * time.Hour), storetest.Start.Add(-4 * time.Hour), storetest.Start.Add(-23 * time.Hour),
	}
	var crowd []client.Object
	for i := range 7 {
		crowd = append(crowd, acmeMember(t, fmt.Sprint("jane-", i))...)
	}
	return map[string]struct {
		typed   string
		objects []client.Object
	}{
		"a user name":                        {"jane", acmeMember(t, "jane")},
		"a user name in capitals":            {" JANE ", acmeMember(t, "jane")},
		"a user name with a qualifier":       {"jane/acme", acmeMember(t, "jane.acme")},
		"an address":                         {"jane.doe@example.com", acmeMember(t, "jane")},
		"an address of several Accounts":     {"jane.doe@example.com", crowd},
		"an unknown user name":               {"nobody", nil},
		"an unknown address":                 {"nobody@example.com", nil},
		"neither a user name nor an address": {"system:masters", nil},
		"a person who asked just now":        {"jane", acmeMember(t, "jane", askedAt(storetest.Start.Add(-time.Second)))},
		"a person who asked five times":      {"jane", acmeMember(t, "jane", askedAt(day...))},
		"a disabled Account":                 {"jane", acmeMember(t, "jane", switchedOff)},
		"a locked Account":                   {"jane", acmeMember(t, "jane", lockedNow)},
		"an incomplete Account":              {"jane", acmeMember(t, "jane", incomplete)},
		"an Account that is being deleted":   {"jane", acmeMember(t, "jane", onItsWay)},
		"an Account without a Secret":        {"jane", acmeMember(t, "jane")[:1]},
		"damaged credentials":                {"jane", withDamagedSecret(t, acmeMember(t, "jane"))},
	}
}

func TestEveryRequestForALinkGetsTheSameAnswer(t *testing.T) {
	next := worlds(t)
	for _, lang := range []string{"en", "it"} {
		path := "/reset?organization=acme&lang=" + lang
		want := next(t).post(path, resetRequest("unknown"))
		expect(t, want, 200, `<html lang="`+lang+`">`, "!unknown")
		for name, tc := range failingResetRequests(t) {
			t.Run(name+" in "+lang, func(t *testing.T) {
				w := next(t, tc.objects...)
				got := w.post(path, resetRequest(tc.typed))
				expectSame(t, got, want)
				// The answer does not reveal earlier requests either.
				expectSame(t, w.post(path, resetRequest(tc.typed)), want)
			})
		}
	}
}

func TestEveryRequestForUserNamesGetsTheSameAnswer(t *testing.T) {
	next := worlds(t)
	want := next(t).post("/user-names", namesRequest("unknown@example.com"))
	expect(t, want, 200, "If there is an account with that address, we have emailed its user names to it.", "!unknown")
	for name, tc := range failingResetRequests(t) {
		t.Run(name, func(t *testing.T) {
			typed := tc.typed
			if !strings.Contains(typed, "@") {
				typed = "jane.doe@example.com"
			}
			expectSame(t, next(t, tc.objects...).post("/user-names", namesRequest(typed)), want)
		})
	}
}

// TestWhoGetsALink checks in which Accounts the same requests are recorded. The
// controller then mails a link to each of them.
func TestWhoGetsALink(t *testing.T) {
	next := worlds(t)
	now, earlier := storetest.Start.Format(time.DateTime), storetest.Start.Add(-time.Second).Format(time.DateTime)
	for name, want := range map[string]map[string][]string{
		"a user name":                      {"jane": {now}},
		"a user name in capitals":          {"jane": {now}},
		"a user name with a qualifier":     {"jane.acme": {now}},
		"an address":                       {"jane": {now}},
		"an address of several Accounts":   {"jane-0": {now}, "jane-1": {now}, "jane-2": {now}, "jane-3": {now}, "jane-4": {now}, "jane-5": nil, "jane-6": nil},
		"a person who asked just now":      {"jane": {earlier}},
		"a disabled Account":               {"jane": nil},
		"a locked Account":                 {"jane": {now}},
		"an incomplete Account":            {"jane": nil},
		"an Account that is being deleted": {"jane": nil},
		"an Account without a Secret":      {"jane": {now}},
		"damaged credentials":              {"jane": {now}},
	} {
		t.Run(name, func(t *testing.T) {
			tc := failingResetRequests(t)[name]
			w := next(t, tc.objects...)
			w.post("/reset?lang=de", resetRequest(tc.typed))
			for who, want := range want {
				if diff := cmp.Diff(want, w.resetTimes(who)); diff != "" {
					t.Errorf("%s: -want +got:\n%s", who, diff)
				}
				if got := w.Account(who).Status.Language; (got == "de") != slices.Contains(want, now) {
					t.Errorf("%s: the mail to %s is in language %q", name, who, got)
				}
			}
		})
	}
}

// TestEveryRequestForMailTakesTheSameReads counts the reads, and checks that none
// is of a Secret: a visitor without a session or a link must never cause one.
func TestEveryRequestForMailTakesTheSameReads(t *testing.T) {
	next := worlds(t)
	for path, fields := range map[string]func(string) url.Values{"/reset": resetRequest, "/user-names": namesRequest} {
		for name, tc := range failingResetRequests(t) {
			want := map[bool]int{false: 1, true: store.MailsPerAddress}[strings.Contains(tc.typed, "@")]
			if path == "/user-names" && want == 1 {
				continue
			}
			t.Run(name+" at "+path, func(t *testing.T) {
				reads := 0
				w := next(t, tc.objects...)
				w.meddle(interceptor.Funcs{
					Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
						if _, isSecret := obj.(*corev1.Secret); isSecret {
							t.Error("a Secret was read")
						}
						reads++
						return c.Get(ctx, key, obj, opts...)
					},
				})
				w.post(path, fields(tc.typed))
				if reads != want {
					t.Errorf("%d reads, want %d", reads, want)
				}
			})
		}
	}
}

// slowly is a form that arrives late by the test clock.
type slowly struct {
	io.Reader
	w    *world
	late time.Duration
}

func (s *slowly) Read(into []byte) (int, error) {
	s.w.Clock.Step(s.late)
	s.late = 0
	return s.Reader.Read(into)
}

// TestTheTimeOfAnAnswerIsNotTheVisitorsToChoose sends a form so slowly that a
// step is almost over, so that a little more work would show.
func TestTheTimeOfAnAnswerIsNotTheVisitorsToChoose(t *testing.T) {
	for _, late := range []time.Duration{0, 490 * time.Millisecond, 499 * time.Millisecond, 3 * time.Second} {
		for _, typed := range []string{"jane", "nobody"} {
			w := worldWith(t, acmeMember(t, "jane")...)
			var paused []time.Duration
			w.config.Pause = func(_ context.Context, d time.Duration) { paused = append(paused, d) }
			took := 20 * time.Millisecond
			w.interfere(interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
					w.Clock.Step(took)
					return c.Get(ctx, key, obj, opts...)
				},
				SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
					w.Clock.Step(took)
					return c.SubResource(sub).Update(ctx, obj, opts...)
				},
			})
			r := formRequest("/reset", "")
			r.Body = io.NopCloser(&slowly{strings.NewReader(resetRequest(typed).Encode()), w, late})
			expect(t, w.do(r), 200)
			worked := map[string]time.Duration{"jane": 2 * took, "nobody": took}[typed]
			if !slices.Equal(paused, []time.Duration{answerInterval - worked}) {
				t.Errorf("%s, %v late: paused for %v", typed, late, paused)
			}
		}
	}
}

func TestAFailedReadRevealsNoAccount(t *testing.T) {
	next := worlds(t)
	for path, fields := range map[string]url.Values{"/reset": resetRequest("jane"), "/user-names": namesRequest("jane.doe@example.com")} {
		t.Run(path, func(t *testing.T) {
			var answers []*httptest.ResponseRecorder
			for _, objects := range [][]client.Object{acmeMember(t, "jane"), nil} {
				w := next(t, objects...)
				w.meddle(down)
				got := w.post(path, fields)
				expect(t, got, 503, "A service behind this page isn't responding", "!jane")
				if got.Header().Get("Retry-After") == "" {
					t.Error("no Retry-After header")
				}
				answers = append(answers, got)
			}
			expectSame(t, answers[0], answers[1])
		})
	}
}

func TestAFailedWriteRevealsNoAccount(t *testing.T) {
	want := worldWith(t).post("/reset", resetRequest("jane"))
	w := worldWith(t, acmeMember(t, "jane")...)
	w.interfere(interceptor.Funcs{
		SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
			return errors.New("jane.doe@example.com cannot be written")
		},
	})
	expectSame(t, w.post("/reset", resetRequest("jane")), want)
	if logs := w.logs.String(); !strings.Contains(logs, "Failed to record a request for mail") || strings.Contains(logs, "jane") {
		t.Errorf("log:\n%s", logs)
	}
}

// TestMailIsSentIfTheBrowserDisconnects closes the connection before the answer.
func TestMailIsSentIfTheBrowserDisconnects(t *testing.T) {
	w := worldWith(t, acmeMember(t, "jane")...)
	w.interfere(interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return c.SubResource(sub).Update(ctx, obj, opts...)
		},
	})
	r := formRequest("/reset", resetRequest("jane").Encode())
	gone, cancel := context.WithCancel(r.Context())
	cancel()
	w.do(r.WithContext(gone))
	if got := w.resetTimes("jane"); len(got) != 1 {
		t.Errorf("requests: %v", got)
	}
}

func TestHowOftenMailCanBeAskedFor(t *testing.T) {
	next := worlds(t)
	for path, tc := range map[string]struct {
		fields url.Values
		times  func(accountsv1.AccountStatus) []metav1.Time
		later  string // the requests that count after the fifth
	}{
		"/reset":      {resetRequest("jane.doe@example.com"), func(s accountsv1.AccountStatus) []metav1.Time { return s.ResetTimes }, "13h0m0s 23h59m59s 24h2m0s"},
		"/user-names": {namesRequest("jane.doe@example.com"), func(s accountsv1.AccountStatus) []metav1.Time { return s.UserNameTimes }, "24h0m0s 24h1m0s 24h2m0s"},
	} {
		t.Run(path, func(t *testing.T) {
			w := next(t, acmeMember(t, "jane")...)
			var counted []string
			for _, at := range []time.Duration{
				0, time.Second, 59 * time.Second, // within a minute of the first
				time.Minute, 119 * time.Second, 2 * time.Minute, 10 * time.Minute, 12 * time.Hour, // the fifth
				13 * time.Hour, 24*time.Hour - time.Second,
				24 * time.Hour, 24*time.Hour + 59*time.Second, 24*time.Hour + time.Minute, 24*time.Hour + 2*time.Minute, 24*time.Hour + 3*time.Minute,
			} {
				w.Clock.SetTime(storetest.Start.Add(at))
				before := tc.times(w.Account("jane").Status)
				expect(t, w.post(path, tc.fields), 200)
				after := tc.times(w.Account("jane").Status)
				if diff := cmp.Diff(times(before), times(after)); diff == "" {
					continue
				}
				counted = append(counted, at.String())
				want := append([]string{storetest.Start.Add(at).Format(time.DateTime)}, times(before)...)
				if diff := cmp.Diff(want[:min(len(want), 5)], times(after)); diff != "" {
					t.Errorf("at %s, -want +got:\n%s", at, diff)
				}
			}
			want := append([]string{"0s", "1m0s", "2m0s", "10m0s", "12h0m0s"}, strings.Fields(tc.later)...)
			if diff := cmp.Diff(want, counted); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestOfAHundredRequestsAtOnceOneCounts(t *testing.T) {
	w := worldWith(t, acmeMember(t, "jane")...)
	writes := w.counting()
	handlers := w.portals(3)
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			got := httptest.NewRecorder()
			handlers[i%3].ServeHTTP(got, formRequest("/reset", resetRequest("jane").Encode()))
			if got.Code != 200 {
				t.Errorf("status %d", got.Code)
			}
		})
	}
	group.Wait()
	if got := w.resetTimes("jane"); len(got) != 1 || writes() != 1 {
		t.Errorf("requests: %v, after %d writes", got, writes())
	}
}

// counting counts the writes to a status that take effect.
func (w *world) counting() func() int {
	var mu sync.Mutex
	writes := 0
	w.interfere(interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
			err := c.SubResource(sub).Update(ctx, obj, opts...)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				writes++
			}
			return err
		},
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return writes
	}
}

// TestWhatChangesWhileARequestIsWritten changes the Account between the read and
// the write.
func TestWhatChangesWhileARequestIsWritten(t *testing.T) {
	gone := func(w *world) { w.Must(w.Client.Delete(t.Context(), w.Account("jane"))) }
	next := worlds(t)
	for name, tc := range map[string]struct {
		change func(w *world)
		want   int
	}{
		"an unrelated label changes": {func(w *world) {
			w.alterJane(func(a *accountsv1.Account, _ *account.Credentials) { a.Labels = map[string]string{"team": "a"} })
		}, 1},
		"it is disabled":       {func(w *world) { w.alterJane(switchedOff) }, 0},
		"another visitor asks": {func(w *world) { w.alterJane(askedAt(storetest.Start)) }, 1},
		"it is deleted":        {gone, 0},
		"another person takes the name": {func(w *world) {
			another := w.Account("jane").DeepCopy()
			gone(w)
			another.ResourceVersion, another.Spec.Email = "", "jane.roe@example.com"
			w.Must(w.Client.Create(t.Context(), another))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := next(t, acmeMember(t, "jane")...)
			var once sync.Once
			w.meddle(interceptor.Funcs{
				SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
					once.Do(func() { tc.change(w) })
					return c.SubResource(sub).Update(ctx, obj, opts...)
				},
			})
			expect(t, w.post("/reset", resetRequest("jane")), 200, "we have sent a link")
			if now := w.Account("jane"); now != nil && len(now.Status.ResetTimes) != tc.want {
				t.Errorf("requests: %v", now.Status.ResetTimes)
			}
			if strings.Contains(w.logs.String(), "Failed to record") {
				t.Errorf("log:\n%s", w.logs)
			}
		})
	}
}

func TestTheOldestAccountGetsTheRequestForUserNames(t *testing.T) {
	older := func(a *accountsv1.Account, _ *account.Credentials) {
		a.CreationTimestamp = metav1.NewTime(storetest.Start.Add(-48 * time.Hour))
	}
	w := worldWith(t, all(
		acmeMember(t, "jane"), acmeMember(t, "janet", older), acmeMember(t, "off", older, switchedOff), acmeMember(t, "half", older, incomplete),
		acmeMember(t, "john", withAddress("john@example.com")),
	)...)
	expect(t, w.post("/user-names?lang=fr", namesRequest("  Jane.Doe@EXAMPLE.com ")), 200)
	for name, want := range map[string]int{"jane": 0, "janet": 1, "off": 0, "half": 0, "john": 0} {
		if got := w.Account(name).Status; len(got.UserNameTimes) != want || len(got.ResetTimes) != 0 || (got.Language == "fr") != (want == 1) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
