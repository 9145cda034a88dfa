// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

func TestThePageToDecline(t *testing.T) {
	w := aWorld(t)
	w.config.Writer = failOnWrite{t}
	w.build()
	expect(t, w.get(w.Link()), 200, `<a href="`+w.Link()+`/decline?lang=en">Decline this invitation</a>`)
	expect(t, w.get(w.Link()+"/decline"), 200,
		"<title>Decline the invitation</title>", "Mara Voss has invited you to join Acme Rocket Works as Developer",
		`<form class="card" method="post" action="`+w.Link()+`/decline?lang=en"`, `<textarea id="reason" name="reason"`, `maxlength="500"`,
		`<input id="decline" name="decline" type="checkbox" value="yes" required>`, "I don't want to join",
		`<a href="`+w.Link()+`?lang=en">Back to the invitation</a>`, "!checked", "!aria-invalid")
}

func TestAnInvitationIsDeclined(t *testing.T) {
	w := aWorld(t)
	before := w.Invitation()
	w.Clock.SetTime(storetest.Start.Add(1500 * time.Millisecond))
	form := declineForm("  I have moved on.\r\nBest\u202e wishes, Cafe\u0301\x00 Zoe\t!  ")
	expect(t, w.post(w.Link()+"/decline", form), 200, "You've declined the invitation", "ask Mara Voss to invite you again", "!moved on")
	after := w.Invitation()
	declinedTime := metav1.NewTime(storetest.Start.Add(time.Second))
	want := accountsv1.Decline{DeclinedTime: &declinedTime, Reason: "I have moved on.\nBest wishes, Caf\u00e9 Zoe !"}
	if diff := cmp.Diff(want, after.Status.Decline); diff != "" {
		t.Errorf("decline (-want +got):\n%s", diff)
	}
	after.Status.Decline, after.ResourceVersion = accountsv1.Decline{}, before.ResourceVersion
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the invitation changed beyond its decline (-before +after):\n%s", diff)
	}
	for _, got := range []*httptest.ResponseRecorder{
		w.get(w.Link()), w.get(w.Link() + "/decline"), w.post(w.Link()+"/decline", form), w.post(w.Link(), filled()),
		w.post(w.Link()+"/sign-in", signInForm("john", validPassword)), w.post(w.Link()+"/address", url.Values{fieldEmail: {"a@example.net"}}),
	} {
		expect(t, got, 410, "This invitation has been declined", "ask Mara Voss to invite you again", "!moved on")
	}
	if w.Account("jane-doe") != nil || w.Invitation().Status.Guesses != 0 {
		t.Error("a declined link had an effect")
	}
}

func TestDecliningNeedsThePersonsTick(t *testing.T) {
	long := strings.Repeat("é", 501)
	for name, tc := range map[string]struct {
		form  url.Values
		texts []string
	}{
		"an empty form":                      {url.Values{}, []string{"Select the checkbox", `href="#decline"`, `id="decline-problem"`}},
		"only a reason":                      {url.Values{fieldReason: {"because"}}, []string{"Select the checkbox", "because</textarea>"}},
		"a tick with another value":          {url.Values{fieldDecline: {"on"}}, []string{"Select the checkbox"}},
		"everything that a scanner can fill": {url.Values{fieldReason: {"x"}, fieldDecline: {""}, "email": {"x@example.com"}}, []string{"Select the checkbox"}},
		"a long reason":                      {declineForm(long), []string{"Use at most 500 characters", `href="#reason"`, long}},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t)
			w.config.Writer = failOnWrite{t}
			w.build()
			got := w.post(w.Link()+"/decline", tc.form)
			expect(t, got, 422, append(tc.texts, `role="alert"`, "<title>Please check: Decline the invitation</title>")...)
		})
	}
}

func TestAReasonIsNeverTakenForMarkup(t *testing.T) {
	w := aWorld(t)
	got := w.post(w.Link()+"/decline", url.Values{fieldReason: {`</textarea><script>alert(1)</script>{{.}}`}})
	if body := got.Body.String(); strings.Contains(body, "<script>alert") || !strings.Contains(body, "&lt;script&gt;alert") {
		t.Errorf("the page:\n%s", body)
	}
}

func TestReasonsOfFiveHundredCharactersAndOfNone(t *testing.T) {
	for name, reason := range map[string]string{"500 characters": strings.Repeat("é", 500), "none": "", "spaces": " \r\n\t "} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t)
			expect(t, w.post(w.Link()+"/decline", declineForm(reason)), 200)
			if got := w.Invitation().Status.Decline; !got.Given() || got.Reason != strings.TrimSpace(reason) {
				t.Errorf("decline %+v", got)
			}
		})
	}
}

func TestDeclineWhenSomethingHappensMeanwhile(t *testing.T) {
	for name, tc := range map[string]struct {
		tap    func(*storetest.World) *storetest.Tapped
		status int
		text   string
		// reason is the stored reason in the end, or "".
		reason string
	}{
		"the write took effect, but its answer was lost": {storetest.LoseAnswer("record invitation"), 200, "You've declined the invitation", "mine"},
		"the controller writes the status before it": {
			storetest.DoBefore("record invitation", func(w *storetest.World) {
				w.Update(func(inv *accountsv1.Invitation) { inv.Status.State = accountsv1.InvitationPending })
			}), 200, "You've declined the invitation", "mine",
		},
		"another client accepts before it": {storetest.DoBefore("record invitation", func(w *storetest.World) { w.RecordAcceptance("somebody", "u") }), 410, "has already been used", ""},
		"another client declines before it": {
			storetest.DoBefore("record invitation", func(w *storetest.World) {
				now := metav1.NewTime(storetest.Start)
				w.Update(func(inv *accountsv1.Invitation) {
					inv.Status.Decline = accountsv1.Decline{DeclinedTime: &now, Reason: "theirs"}
				})
			}), 410, "has been declined", "theirs",
		},
		"the link expires before it": {
			storetest.DoAfter("get invitation", func(w *storetest.World) { w.Clock.SetTime(storetest.Start.Add(24 * time.Hour)) }), 410, "has expired", "",
		},
		"the write is refused":                      {storetest.Refuse("record invitation", apierrors.NewForbidden(schema.GroupResource{}, "jane", storetest.ErrDown)), 503, "submit the form again", ""},
		"the invitation changes at every retry":     {storetest.Refuse("record invitation", storetest.Conflict("jane")), 503, "submit the form again", ""},
		"nothing can be read after the write fails": {failFrom("record invitation"), 503, "mine</textarea>", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorldWithoutPages(t)
			w.Clock.SetTime(storetest.Start.Add(1500 * time.Millisecond))
			var got reply
			w.send(sharedPages(w), tc.tap(w.World), w.Link()+"/decline", declineForm("mine"), &got)()
			expect(t, got.ResponseRecorder, tc.status, tc.text)
			if decline := w.Invitation().Status.Decline; decline.Reason != tc.reason {
				t.Errorf("stores %+v, want %q", decline, tc.reason)
			}
			if tc.status == http.StatusServiceUnavailable && got.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After header")
			}
		})
	}
}

// failFrom makes every call fail, beginning with the first call of that name.
func failFrom(name string) func(*storetest.World) *storetest.Tapped {
	return func(*storetest.World) *storetest.Tapped {
		broken := false
		return &storetest.Tapped{Before: func(call string) error {
			if broken = broken || call == name; broken {
				return storetest.ErrDown
			}
			return nil
		}}
	}
}
