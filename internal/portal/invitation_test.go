// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// expect checks a status and the content of a page. A text with a leading
// exclamation mark must not be on the page.
func expect(t *testing.T, got *httptest.ResponseRecorder, status int, texts ...string) {
	t.Helper()
	body := html.UnescapeString(got.Body.String())
	if got.Code != status {
		t.Errorf("status %d, want %d; body:\n%s", got.Code, status, body)
	}
	for _, text := range texts {
		unwanted, negated := strings.CutPrefix(text, "!")
		if negated && strings.Contains(body, unwanted) {
			t.Errorf("%q is on the page:\n%s", unwanted, body)
		}
		if !negated && !strings.Contains(body, text) {
			t.Errorf("%q is not on the page:\n%s", text, body)
		}
	}
}

func TestEveryStandingHasItsPage(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		path   string
		status int
		texts  []string
	}{
		"open": {status: 200, texts: []string{"Join Acme Rocket Works"}},
		"used": {
			change: func(w *world) {
				w.Update(func(inv *accountsv1.Invitation) {
					now := metav1.NewTime(storetest.Start)
					inv.Status.Acceptance = accountsv1.Acceptance{
						AccountRef: accountsv1.AcceptedAccountReference{Name: "jane-doe", UID: "u"}, AcceptedTime: &now,
					}
				})
			},
			status: 410, texts: []string{"has already been used", "at Acme Rocket Works is ready", "tell Mara Voss"},
		},
		"used, although the status that records it was lost": {
			change: func(w *world) {
				holder := storetest.MadeFor("another", "jd")
				holder.Annotations = map[string]string{accountsv1.MembershipsAnnotation: "a/b," + storetest.Home + "/jane"}
				w.Must(w.Client.Create(t.Context(), holder))
			},
			status: 410, texts: []string{"has already been used"},
		},
		"another person accepted a membership with a longer name": {
			change: func(w *world) {
				holder := storetest.MadeFor("another", "jd")
				holder.Annotations = map[string]string{accountsv1.MembershipsAnnotation: storetest.Home + "/jane-doe,x" + storetest.Home + "/jane"}
				w.Must(w.Client.Create(t.Context(), holder))
			},
			status: 200,
		},
		"expired in this very second": {
			change: func(w *world) { w.Clock.SetTime(storetest.Start.Add(24 * time.Hour)) },
			status: 410, texts: []string{"has expired", "until Tuesday, 5 May 2026, 10:00 UTC", "Ask Mara Voss"},
		},
		"the second before": {
			change: func(w *world) { w.Clock.SetTime(storetest.Start.Add(24*time.Hour - time.Second)) }, status: 200,
		},
		"withdrawn, because the organization was deleted": {
			change: func(w *world) { w.Must(w.Client.Delete(t.Context(), storetest.Acme())) },
			status: 410, texts: []string{"has been withdrawn", "acme has withdrawn it", "ask Mara Voss"},
		},
		"withdrawn, because its membership was deleted": {
			change: func(w *world) {
				w.Update(func(inv *accountsv1.Invitation) {
					inv.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v", Kind: "Membership", Name: "jane", UID: "m"}}
				})
			},
			status: 410, texts: []string{"has been withdrawn"},
		},
		"a newer mail has replaced it": {
			change: func(w *world) { w.Update(func(inv *accountsv1.Invitation) { inv.Status.Attempt.Number = 2 }) },
			status: 404, texts: []string{"don't recognize this link", "!Acme", "!Mara", "!jane"},
		},
		"deleted": {
			change: func(w *world) { w.Must(w.Client.Delete(t.Context(), storetest.Jane())) },
			status: 404, texts: []string{"don't recognize this link", "!Acme", "!Mara"},
		},
		"an address without a valid link": {path: "/invitation/abc", status: 404, texts: []string{"don't recognize this link"}},
		"an empty link":                   {path: "/invitation/", status: 404, texts: []string{"don't recognize this link"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t)
			path := w.Link()
			if tc.change != nil {
				tc.change(w)
			}
			if tc.path != "" {
				path = tc.path
			}
			expect(t, w.get(path), tc.status, tc.texts...)
			if tc.status != http.StatusOK {
				expect(t, w.post(path, filled()), tc.status, tc.texts...)
				if w.Account("jane-doe") != nil {
					t.Error("a link that is not open created an account")
				}
			}
		})
	}
}

func TestNoBitOfALinkCanBeChanged(t *testing.T) {
	w := aWorld(t)
	link := []byte(strings.TrimPrefix(w.Link(), "/invitation/"))
	for i := range link {
		forged := append([]byte{}, link...)
		if forged[i]++; forged[i] == '[' || forged[i] == '{' || forged[i] == ':' {
			forged[i] = 'A'
		}
		if got := w.get("/invitation/" + string(forged)); got.Code != http.StatusNotFound {
			t.Errorf("with character %d changed: status %d", i, got.Code)
		}
	}
}

func TestThePageSaysWhatIsOffered(t *testing.T) {
	w := aWorld(t)
	expect(t, w.get(w.Link()), 200,
		`<html lang="en">`, "<title>Join Acme Rocket Works</title>",
		"<strong>Mara Voss</strong> has invited you to join as <strong>Developer</strong>",
		"jane.doe@example.com",
		`<time datetime="2026-05-05T10:00:00Z">Tuesday, 5 May 2026, 10:00 UTC</time>`,
		`Deploy applications<span class="on"> in Staging</span>`, `See what runs<span class="on"> in production, Staging</span>`,
		`value="jane-doe" autocomplete="username"`, `value="Jane" autocomplete="given-name"`, `value="Doe" autocomplete="family-name"`,
		`<a href="`+w.Link()+`?lang=en&user-name=jane" data-user-name="jane">`, `?lang=en&user-name=jdoe"`,
		`type="password" autocomplete="new-password" minlength="15"`, `method="post" action="`+w.Link()+`?lang=en" novalidate`,
		"<header", "<main", "<footer", "usher.example.com",
		"!aria-invalid", "!role=\"alert\"", "!style=", "!onclick",
	)
	if got := strings.Count(w.get(w.Link()).Body.String(), "<h1"); got != 1 {
		t.Errorf("%d main headings", got)
	}
}

func TestThePageWithoutAnInviterAndWithAMembership(t *testing.T) {
	w := aWorld(t, &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: storetest.Home, Name: "jane"},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: "jane.doe@example.com",
			GivenName: "Janet", FamilyName: "Dow", Role: "developer",
			Permissions: []accountsv1.PermissionOverride{
				{Effect: accountsv1.EffectDeny, Permission: "deploy", Resources: []accountsv1.CatalogueName{"staging"}},
				{Effect: accountsv1.EffectAllow, Permission: "unknown", Resources: []accountsv1.CatalogueName{"staging"}},
			},
		},
	})
	w.Update(func(inv *accountsv1.Invitation) {
		inv.Spec.InvitedBy, inv.Spec.GivenName, inv.Spec.FamilyName, inv.Spec.Role = "", "", "", "guest"
		inv.Annotations = map[string]string{accountsv1.CreatedForMembershipAnnotation: inv.Name}
	})
	expect(t, w.get(w.Link()), 200,
		"<strong>Acme Rocket Works</strong> has invited you to join as <strong>Developer</strong>",
		`value="Janet"`, `value="Dow"`, "!Deploy applications", "See what runs", "!unknown")
}

func TestAProposalCanBeChosenWithoutJavaScript(t *testing.T) {
	w := aWorld(t)
	expect(t, w.get(w.Link()+"?user-name=jdoe"), 200, `name="user-name" type="text" value="jdoe"`)
	expect(t, w.get(w.Link()+"?user-name=%22%3E%3Cscript%3E"), 200, `name="user-name" type="text" value="jane-doe"`, "!<script>")
}

func TestAnInvitationIsAccepted(t *testing.T) {
	w := aWorld(t)
	form := filled()
	form.Set("email", "mallory@example.com")
	form.Set(fieldUserName, " Jane-Doe ")
	form.Set(fieldGivenName, "  Zoe\u0308 ")
	w.Clock.SetTime(storetest.Start.Add(1500 * time.Millisecond))
	expect(t, w.post(w.Link(), form), 200,
		"<title>Your account is ready</title>", "<code>jane-doe</code>", "<code>usher:jane-doe</code>",
		"Acme Rocket Works", "Deploy applications", "jane.doe@example.com", "!mallory", "!"+validPassword)

	made := w.Account("jane-doe")
	want := accountsv1.AccountSpec{
		Email: "jane.doe@example.com", GivenName: "Zo\u00eb", FamilyName: "Doe",
		InvitationRef: accountsv1.InvitationReference{Namespace: storetest.Home, Name: "jane", UID: storetest.JaneUID},
	}
	if diff := cmp.Diff(want, made.Spec); diff != "" {
		t.Errorf("account (-want +got):\n%s", diff)
	}
	acceptance := w.Invitation().Status.Acceptance
	if acceptance.AccountRef.Name != "jane-doe" || acceptance.AccountRef.UID != string(made.UID) {
		t.Errorf("acceptance names %v", acceptance.AccountRef)
	}
	if got := acceptance.AcceptedTime.UTC(); !got.Equal(storetest.Start.Add(time.Second)) {
		t.Errorf("accepted at %v", got)
	}
	secret := w.Secret("jane-doe")
	wantSecret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: storetest.System, Name: "account-jane-doe",
			Labels: map[string]string{"app.kubernetes.io/managed-by": "usher", "accounts.usher.dev/account": "jane-doe"},
		},
		Type: "accounts.usher.dev/password",
		Data: map[string][]byte{
			"password": []byte("hash of " + validPassword), "account-uid": []byte(made.UID), "settled-invitation": []byte(storetest.JaneUID),
			"credentials": []byte(`{"passwordTime":"2026-05-04T10:00:01.5Z"}`),
		},
	}
	secret.UID, secret.ResourceVersion, secret.OwnerReferences = "", "", nil
	if diff := cmp.Diff(wantSecret, secret); diff != "" {
		t.Errorf("secret (-want +got):\n%s", diff)
	}
	expect(t, w.post(w.Link(), form), 410, "has already been used")
	expect(t, w.get(w.Link()), 410, "has already been used")
}

func TestAcceptanceChangesNothingElse(t *testing.T) {
	w := aWorld(t)
	before := w.Invitation()
	expect(t, w.post(w.Link(), filled()), 200)
	after := w.Invitation()
	after.Status.Acceptance = accountsv1.Acceptance{}
	after.ResourceVersion = before.ResourceVersion
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the invitation changed beyond its acceptance (-before +after):\n%s", diff)
	}
}

func TestWhatIsWrongIsSaidBesideTheField(t *testing.T) {
	for name, tc := range map[string]struct {
		form  url.Values
		field string
		text  string
	}{
		"no user name":          {but(fieldUserName, ""), fieldUserName, "Choose a user name"},
		"a bad user name":       {but(fieldUserName, "jane doe"), fieldUserName, "Use only lowercase letters from a to z"},
		"a taken user name":     {but(fieldUserName, "taken"), fieldUserName, "This user name, or one that looks like it, is already taken"},
		"a long given name":     {but(fieldGivenName, strings.Repeat("é", 101)), fieldGivenName, "too long"},
		"a name on two lines":   {but(fieldFamilyName, "Doe\nBcc: x"), fieldFamilyName, "on one line"},
		"a name turned around":  {but(fieldFamilyName, "Doe\u202e"), fieldFamilyName, "on one line"},
		"no password":           {but(fieldPassword, ""), fieldPassword, "Choose a password"},
		"a short password":      {but(fieldPassword, "short"), fieldPassword, "at least 15"},
		"an easy password":      {but(fieldPassword, "jane-doe-acme-2026"), fieldPassword, "Too easy to guess"},
		"two different":         {but(fieldAgain, validPassword+"x"), fieldAgain, "don't match"},
		"a password typed once": {but(fieldAgain, ""), fieldAgain, "don't match"},
		"an endless user name":  {but(fieldUserName, strings.Repeat("a", 64)), fieldUserName, "Use at most 63 characters"},
		"an empty form":         {url.Values{}, fieldPassword, "Choose a password"},
		"a name of 101 letters": {but(fieldFamilyName, strings.Repeat("x", 101)), fieldFamilyName, "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t, storetest.MadeFor("another's", "taken"))
			got := w.post(w.Link(), tc.form)
			expect(t, got, 422, tc.text, `role="alert"`, `autofocus`, `href="#`+tc.field+`"`,
				`id="`+tc.field+`-problem"`, tc.field+`-problem" aria-invalid="true"`,
				"<title>Please check: Join Acme Rocket Works</title>", "never sent back to this page", "!"+validPassword, "!jane-doe-acme-2026")
			if w.Account("jane-doe") != nil {
				t.Error("an invalid form created an account")
			}
		})
	}
}

func TestWhatWasTypedIsKeptExceptPasswords(t *testing.T) {
	w := aWorld(t)
	got := w.post(w.Link(), url.Values{
		fieldUserName: {"Jane Doe!"}, fieldGivenName: {"J"}, fieldFamilyName: {"D"}, fieldPassword: {"secret one"}, fieldAgain: {"secret two"},
	})
	expect(t, got, 422, `value="Jane Doe!"`, `value="J"`, `value="D"`, "!secret one", "!secret two")
}

func TestNothingOnAPageIsTakenForMarkup(t *testing.T) {
	const payload = `"><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}`
	org := storetest.Acme()
	org.Spec.DisplayName = payload
	org.Spec.Roles[0].DisplayName = payload
	org.Spec.Resources[0].DisplayName = payload
	org.Spec.Permissions[0].DisplayName = payload
	w := aWorld(t)
	w.Must(w.Client.Delete(t.Context(), storetest.Acme()))
	w.Must(w.Client.Create(t.Context(), org))
	w.Update(func(inv *accountsv1.Invitation) {
		inv.Spec.InvitedBy, inv.Spec.GivenName, inv.Spec.FamilyName = payload, payload, payload
	})
	link := w.Link()
	bad := but(fieldUserName, payload)
	bad.Set(fieldGivenName, payload)
	pages := []*httptest.ResponseRecorder{w.get(link), w.post(link, bad), w.post(link, filled()), w.get(link)}
	for i, want := range []int{200, 422, 200, 410} {
		body := pages[i].Body.String()
		if pages[i].Code != want || strings.Contains(body, "<script>") || strings.Contains(body, "<img src=x") {
			t.Errorf("page %d, status %d:\n%s", i, pages[i].Code, body)
		}
		if !strings.Contains(body, "&lt;script&gt;") {
			t.Errorf("page %d does not show the text at all:\n%s", i, body)
		}
	}
}

func TestAHalfMadeAccountIsProposedFirst(t *testing.T) {
	w := aWorld(t, storetest.MadeFor(storetest.JaneUID, "zz-top"), storetest.MadeFor("another invitation's", "jane"))
	expect(t, w.get(w.Link()), 200, `value="zz-top" autocomplete="username"`, `data-user-name="zz-top"`, `data-user-name="jane-doe"`, `!data-user-name="jane"`)
	expect(t, w.post(w.Link(), but(fieldUserName, "zz-top")), 200, "usher:zz-top")
}

func TestAnAccountWithAnOwnerIsNotProposed(t *testing.T) {
	w := aWorld(t, storetest.Recorded(storetest.MadeFor(storetest.JaneUID, "jane-doe")), storetest.Deleting(storetest.MadeFor(storetest.JaneUID, "jane")))
	expect(t, w.get(w.Link()), 200, `value="jdoe" autocomplete="username"`, `!data-user-name="jane-doe"`, `!data-user-name="jane"`)
	expect(t, w.post(w.Link(), filled()), 422, "This user name, or one that looks like it, is already taken")
}

func TestCheckingAUserName(t *testing.T) {
	for value, want := range map[string]userNameAnswer{
		"jane-doe":         {"free", "jane-doe is available."},
		"Jane-Doe":         {"free", "jane-doe is available."},
		"half":             {"free", "half is available."},
		"taken":            {"taken", "This user name, or one that looks like it, is already taken. Choose another."},
		"jane doe":         {"invalid", "Use only lowercase letters from a to z, digits, and hyphens, such as jane-doe."},
		"":                 {"invalid", "Choose a user name, such as jane-doe."},
		"<script>":         {"invalid", "Use only lowercase letters from a to z, digits, and hyphens, such as jane-doe."},
		"../../api/v1/foo": {"invalid", "Use only lowercase letters from a to z, digits, and hyphens, such as jane-doe."},
	} {
		t.Run(value, func(t *testing.T) {
			w := aWorld(t, storetest.MadeFor(storetest.JaneUID, "half"), storetest.MadeFor("another's", "taken"))
			got := w.get(w.Link() + "/user-name?value=" + url.QueryEscape(value))
			var answer userNameAnswer
			if err := json.Unmarshal(got.Body.Bytes(), &answer); err != nil || got.Code != http.StatusOK {
				t.Fatalf("status %d, %v", got.Code, err)
			}
			if diff := cmp.Diff(want, answer); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := got.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("content type %q", got)
			}
		})
	}
}

func TestOnlyTheHolderOfAnOpenLinkCanCheckAUserName(t *testing.T) {
	w := aWorld(t, storetest.MadeFor("another's", "taken"))
	link := w.Link()
	expect(t, w.get("/invitation/abc/user-name?value=taken"), 404, "!already")
	w.Clock.SetTime(storetest.Start.Add(48 * time.Hour))
	expect(t, w.get(link+"/user-name?value=taken"), 404, "!already")
}

func TestABusyPortalAsksForPatience(t *testing.T) {
	w := aWorld(t)
	w.config.Hasher = storetest.PlainHasher{Err: account.ErrBusy}
	w.build()
	got := w.post(w.Link(), filled())
	expect(t, got, 503, "Many people", `value="jane-doe"`, "!"+validPassword)
	if got.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After header")
	}
	if w.Account("jane-doe") != nil {
		t.Error("an account was created without a password")
	}
}

func TestAPostIsJudgedByWhatIsTrueNow(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		status int
	}{
		"used in the meantime":         {func(w *world) { w.RecordAcceptance("somebody", "u") }, 410},
		"mailed again":                 {func(w *world) { w.Update(func(inv *accountsv1.Invitation) { inv.Status.Attempt.Number = 2 }) }, 404},
		"deleted":                      {func(w *world) { w.Must(w.Client.Delete(t.Context(), storetest.Jane())) }, 404},
		"the organization was deleted": {func(w *world) { w.Must(w.Client.Delete(t.Context(), storetest.Acme())) }, 410},
		"another invitation has its name": {func(w *world) {
			w.Must(w.Client.Delete(t.Context(), storetest.Jane()))
			w.Must(w.Client.Create(t.Context(), storetest.Jane()))
		}, 404},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t)
			link := w.Link()
			w.config.Reader = storetest.NewClient(t, storetest.Acme(), storetest.Jane()) // a stale cache
			w.build()
			tc.change(w)
			expect(t, w.get(link), 200)
			expect(t, w.post(link, url.Values{}), tc.status)
			expect(t, w.post(link, filled()), tc.status)
			if w.Account("jane-doe") != nil {
				t.Error("an account was created")
			}
		})
	}
}

func TestABrokenKeyringIsReportedAsUnavailable(t *testing.T) {
	w := aWorld(t)
	w.config.Keys = brokenKeys
	w.build()
	for _, got := range []*httptest.ResponseRecorder{w.get(w.Link()), w.post(w.Link(), filled())} {
		expect(t, got, 503, "Reload the page in a minute", "!the vault")
	}
	if strings.Contains(w.logs.String(), "the vault") {
		t.Errorf("the text of the error is in the log:\n%s", w.logs)
	}
}

var errVault = errors.New("the vault is shut")
