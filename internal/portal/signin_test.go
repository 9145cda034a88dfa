// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
)

const (
	wrongSignIn = "No account has this name or address with this password"
	elsewhere   = "This invitation is for jane.doe@example.com; your account has another address. Make a new account, or ask Mara Voss"
)

func TestThePageOffersToSignIn(t *testing.T) {
	w := aWorld(t)
	expect(t, w.get(w.link()), 200,
		"You have an account already?", `<form method="post" action="`+w.link()+`/sign-in?lang=en" novalidate`,
		`<input id="sign-in-name" name="sign-in-name" type="text" value=""`, `<input id="sign-in-password" name="sign-in-password" type="password"`,
		"Sign in and accept</button>")
	// Whoever loads the answer to the form anew.
	expect(t, w.get(w.link()+"/sign-in"), 200, "Join Acme Rocket Works")
}

func TestAnInvitationIsAcceptedWithAnAccount(t *testing.T) {
	for name, typed := range map[string]string{
		"user name":              "jane",
		"as a telephone writes":  " Jane ",
		"address":                "jane.doe@example.com",
		"address in another way": " Jane.Doe@EXAMPLE.com ",
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t, owned("jane", "jane.doe@example.com", good)...)
			before, secret := w.invitation(), w.secret("jane")
			w.clock.SetTime(start.Add(1500 * time.Millisecond))
			expect(t, w.post(w.link()+"/sign-in", signInForm(typed, good)), 200,
				"<title>You are in</title>", "<code>jane</code>", "<code>usher:jane</code>", "jane.doe@example.com",
				"the account that you had already", "Deploy applications", "!"+good)
			after := w.invitation()
			accepted := metav1.NewTime(start.Add(time.Second))
			want := accountsv1.Acceptance{
				AccountRef: accountsv1.AcceptedAccountReference{Name: "jane", UID: "uid-of-jane"}, AcceptedTime: &accepted,
			}
			if diff := cmp.Diff(want, after.Status.Acceptance); diff != "" || after.Status.Guesses != 1 {
				t.Errorf("%d guesses; acceptance (-want +got):\n%s", after.Status.Guesses, diff)
			}
			after.Status.Acceptance, after.Status.Guesses, after.ResourceVersion = accountsv1.Acceptance{}, 0, before.ResourceVersion
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the invitation has changed beyond that (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(secret, w.secret("jane")); diff != "" {
				t.Errorf("the password has changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestASignInWithAQualifier(t *testing.T) {
	w := aWorld(t, owned("jane.globex", "jane.doe@example.com", good)...)
	expect(t, w.post(w.link()+"/sign-in", signInForm("jane.globex", good)), 422, wrongSignIn)
	expect(t, w.post(w.link()+"/sign-in", signInForm("jane", good)), 422, wrongSignIn)
	expect(t, w.post(w.link()+"/sign-in", signInForm("Jane/Globex", good)), 200, "<code>jane/globex</code>", "<code>usher:jane.globex</code>")
}

// TestWhoCannotSignIn: there is one answer, and it takes as many hashes, for
// everybody who cannot.
func TestWhoCannotSignIn(t *testing.T) {
	unsettled := func(objects []client.Object) []client.Object {
		delete(objects[1].(*corev1.Secret).Data, account.SettledKey)
		return objects
	}
	half := func(objects []client.Object) []client.Object {
		objects[0].SetAnnotations(nil)
		return objects
	}
	for name, tc := range map[string]struct {
		objects []client.Object
		form    url.Values
		hashes  int32
	}{
		"nobody of that name":             {nil, signInForm("jane", good), 1},
		"another password":                {owned("jane", "jane.doe@example.com", good), signInForm("jane", good+"x"), 1},
		"another's password":              {all(owned("jane", "jane.doe@example.com", "hers"), owned("john", "john@example.org", good)), signInForm("jane", good), 1},
		"a half-made account":             {half(owned("jane", "jane.doe@example.com", good)), signInForm("jane", good), 1},
		"a half-made account's beginning": {unsettled(half(owned("jane", "jane.doe@example.com", good))), signInForm("jane", good), 1},
		"a password that is not settled":  {unsettled(owned("jane", "jane.doe@example.com", good)), signInForm("jane", good), 1},
		"an account without a password":   {owned("jane", "jane.doe@example.com", good)[:1], signInForm("jane", good), 1},
		"a password without an account":   {owned("jane", "jane.doe@example.com", good)[1:], signInForm("jane", good), 1},
		"an account that is going":        {all(owned("jane", "jane.doe@example.com", good)[1:], []client.Object{going(recorded(madeFor("x", "jane")))}), signInForm("jane", good), 1},
		"no user name at all":             {nil, signInForm("../../secrets/x", good), 1},
		"a name with two qualifiers":      {nil, signInForm("a/b/c", good), 1},
		"nobody of that address":          {nil, signInForm("jane.doe@example.com", good), 5},
		"an address, another password":    {owned("jane", "jane.doe@example.com", good), signInForm("jane.doe@example.com", "another"), 5},
		"no address":                      {nil, signInForm("@", good), 5},
		"an address that is half-made":    {half(owned("jane", "jane.doe@example.com", good)), signInForm("jane.doe@example.com", good), 5},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorldWithoutPages(t, tc.objects...)
			counted := &hashes{}
			w.config.Hasher = counted
			w.build()
			got := w.post(w.link()+"/sign-in", tc.form)
			expect(t, got, 422, wrongSignIn, `id="sign-in-name-problem"`, `href="#sign-in-name"`, `value="Jane"`, "!"+good, "!for jane.doe@example.com;")
			status := w.invitation().Status
			if counted.verified.Load() != tc.hashes || status.Guesses != 1 || status.Acceptance.Given() {
				t.Errorf("%d hashes, want %d; %d guesses; acceptance %v", counted.verified.Load(), tc.hashes, status.Guesses, status.Acceptance)
			}
		})
	}
}

// TestAnAnswerTakesAsManyReadsForNobody: what is read depends on what was typed.
func TestAnAnswerTakesAsManyReadsForNobody(t *testing.T) {
	for _, typed := range []string{"jane", "jane.doe@example.com"} {
		var reads []int
		for _, objects := range [][]client.Object{nil, owned("jane", "jane.doe@example.com", good), all(owned("jane", "jane.doe@example.com", "a"), owned("jd", "jane.doe@example.com", "b"))} {
			w, calls := aWorldWithoutPages(t, objects...), 0
			var got reply
			w.send(sharedPages(w), &tapped{before: func(string) error { calls++; return nil }}, w.link()+"/sign-in", signInForm(typed, "wrong"), &got)()
			expect(t, got.ResponseRecorder, 422, wrongSignIn)
			reads = append(reads, calls)
		}
		if reads[0] != reads[1] || reads[1] != reads[2] {
			t.Errorf("%s: %v calls", typed, reads)
		}
	}
}

func TestWhatIsMissingIsNotCounted(t *testing.T) {
	w := aWorld(t)
	w.config.Writer = nobodyWrites{t}
	w.build()
	expect(t, w.post(w.link()+"/sign-in", url.Values{}), 422, "Type your user name", "Type the password", `href="#sign-in-password"`)
	expect(t, w.post(w.link()+"/sign-in", signInForm(" ", good)), 422, "Type your user name", "!Type the password of")
	expect(t, w.post(w.link()+"/sign-in", signInForm("jane", "")), 422, `value="jane"`, "!Type your user name or", "Type the password")
}

func TestOnlyARightPasswordLearnsThatTheAddressIsAnother(t *testing.T) {
	w := aWorld(t, owned("john", "john@example.org", good)...)
	expect(t, w.post(w.link()+"/sign-in", signInForm("john", "wrong")), 422, wrongSignIn, "!your account has another address")
	expect(t, w.post(w.link()+"/sign-in", signInForm("john", good)), 422, elsewhere, "!"+wrongSignIn, "!john@example.org")
	expect(t, w.post(w.link()+"/sign-in", signInForm("john@example.org", good)), 422, elsewhere)
	if w.invitation().Status.Acceptance.Given() {
		t.Error("an account of another address accepted")
	}
	w.anyAddress()
	expect(t, w.post(w.link()+"/sign-in", signInForm("john", good)), 200, "<code>john</code>", "john@example.org", "!<dd>jane.doe@example.com")
}

func TestAnAccountOfADomainThatIsDenied(t *testing.T) {
	w := aWorld(t, owned("john", "john@mail.example.org", good)...)
	w.anyAddress()
	w.organization(func(o *accountsv1.Organization) { o.Spec.DeniedDomains = []accountsv1.DomainName{"example.org"} })
	expect(t, w.post(w.link()+"/sign-in", signInForm("john", good)), 422, "Acme Rocket Works does not take addresses of this domain")
	if w.invitation().Status.Acceptance.Given() {
		t.Error("an account of a denied domain accepted")
	}
}

func TestOfSeveralAccountsOfOneAddress(t *testing.T) {
	aged := func(hours int, objects []client.Object) []client.Object {
		objects[0].SetCreationTimestamp(metav1.NewTime(start.Add(-time.Duration(hours) * time.Hour)))
		return objects
	}
	const address = "jane.doe@example.com"
	others := func(n int) (objects []client.Object) {
		for i := range n {
			objects = append(objects, aged(100+i, owned(fmt.Sprintf("elder-%d", i), address, "another"))...)
		}
		return objects
	}
	for name, tc := range map[string]struct {
		objects []client.Object
		want    string
	}{
		"the one whose password fits":            {all(aged(9, owned("a", address, "another")), aged(1, owned("b", address, good))), "b"},
		"the oldest of those that fit":           {all(aged(1, owned("a", address, good)), aged(9, owned("b", address, good)), aged(5, owned("c", address, good))), "b"},
		"by name where they are as old":          {all(aged(1, owned("b", address, good)), aged(1, owned("a", address, good))), "a"},
		"the fifth":                              {all(others(4), aged(1, owned("b", address, good))), "b"},
		"not the sixth: five hashes and no more": {all(others(5), aged(1, owned("b", address, good))), ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorldWithoutPages(t, tc.objects...)
			counted := &hashes{}
			w.config.Hasher = counted
			w.build()
			w.post(w.link()+"/sign-in", signInForm(address, good))
			if got := w.invitation().Status.Acceptance.AccountRef.Name; string(got) != tc.want {
				t.Errorf("accepted with %q, want %q", got, tc.want)
			}
			if counted.verified.Load() != hashesOfAddress {
				t.Errorf("%d hashes", counted.verified.Load())
			}
		})
	}
}

func TestALinkWhoseTriesAreSpentMakesAccountsStill(t *testing.T) {
	w := aWorld(t)
	w.anyAddress()
	w.asked()
	w.update(func(inv *accountsv1.Invitation) { inv.Status.Guesses = invitation.MostGuesses })
	expect(t, w.get(w.link()), 200, "ask Mara Voss for a new link", "!Sign in and accept</button>", "!name=\"code\"", "!Mail me a code")
	expect(t, w.post(w.link(), filled()), 200, "Your account is ready")
}

func TestSignInWhenSomethingHappensMeanwhile(t *testing.T) {
	for name, tc := range map[string]struct {
		tap     func(*world) *tapped
		status  int
		text    string
		guesses int32
		by      string
	}{
		"the count took effect, but its answer was lost":  {loseFirst("record invitation"), 503, "sign in once more", 1, ""},
		"the record took effect, but its answer was lost": {loseSecond("record invitation"), 200, "You are in", 1, "jane"},
		"somebody declines before the record": {
			doBefore("get secret", func(w *world) {
				now := metav1.NewTime(start)
				w.update(func(inv *accountsv1.Invitation) { inv.Status.Decline = accountsv1.Decline{DeclinedTime: &now} })
			}), 410, "has been declined", 1, "",
		},
		"somebody accepts before the record": {
			doBefore("get secret", func(w *world) { w.takeUp("somebody", "u") }), 410, "has been used", 1, "somebody",
		},
		"the last tries are used before the count": {
			doBefore("record invitation", func(w *world) {
				w.update(func(inv *accountsv1.Invitation) { inv.Status.Guesses = invitation.MostGuesses })
			}), 422, "Too many passwords or codes were tried", invitation.MostGuesses, "",
		},
		"the link is sent anew before the record": {
			doBefore("get secret", func(w *world) { w.renew() }), 410, "A newer link has replaced", 0, "",
		},
		"the password cannot be read": {refuse("get secret", errDown), 503, "sign in once more", 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorldWithoutPages(t, owned("jane", "jane.doe@example.com", good)...)
			var got reply
			w.send(sharedPages(w), tc.tap(w), w.link()+"/sign-in", signInForm("jane", good), &got)()
			expect(t, got.ResponseRecorder, tc.status, tc.text, "!"+good)
			status := w.invitation().Status
			if status.Guesses != tc.guesses || string(status.Acceptance.AccountRef.Name) != tc.by {
				t.Errorf("%d guesses, want %d; accepted with %q, want %q", status.Guesses, tc.guesses, status.Acceptance.AccountRef.Name, tc.by)
			}
		})
	}
}

// loseFirst loses the answer of the first call of a name, and loseSecond that
// of the second.
func loseFirst(name string) func(*world) *tapped { return loseAnswerOf(name, 1) }

func loseSecond(name string) func(*world) *tapped { return loseAnswerOf(name, 2) }

func loseAnswerOf(name string, nth int) func(*world) *tapped {
	return func(*world) *tapped {
		calls := 0
		return &tapped{after: func(call string, err error) error {
			if call != name {
				return err
			}
			if calls++; calls == nth {
				return errDown
			}
			return err
		}}
	}
}

// renew mails Jane's link anew, as the controller does.
func (w *world) renew() {
	w.update(func(inv *accountsv1.Invitation) {
		before := inv.Status.Attempt
		inv.Status.Attempt.Number++
		inv.Status.Attempt.Earlier = []accountsv1.EarlierAttempt{{Number: before.Number, KeyID: before.KeyID, ClaimTime: before.ClaimTime}}
		inv.Status.Guesses, inv.Status.OtherAddress = 0, accountsv1.OtherAddress{}
	})
}

func TestWhoHasAnAccountIsToldToSignIn(t *testing.T) {
	w := aWorld(t, owned("jane", "Jane.Doe@example.com", good)...)
	expect(t, w.post(w.link(), filled()), 422, "There is an account with jane.doe@example.com already", `href="#sign-in-name"`)
	if w.account("jane-doe") != nil {
		t.Error("a second account of one address was made")
	}
	for name, other := range map[string][]client.Object{
		"half-made": {madeFor("another's", "jane")}, "going": {going(recorded(madeFor("another's", "jane")))},
		"of another address": owned("jane", "jane@example.com", good),
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t, other...)
			expect(t, w.post(w.link(), filled()), 200, "Your account is ready")
		})
	}
}

func TestASignInIsNeverShownAgainWithItsPassword(t *testing.T) {
	w := aWorld(t)
	got := w.post(w.link()+"/sign-in", signInForm(`"><script>x`, "secret of mine"))
	expect(t, got, 422, "!secret of mine")
	if body := got.Body.String(); strings.Contains(body, "<script>x") || !strings.Contains(body, `value="&#34;&gt;&lt;script&gt;x"`) {
		t.Error("what was typed as a name is not kept, or taken for markup")
	}
}
