// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/url"
	"strings"
	"testing"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/withheld"
)

// qualified makes user names end in /acme.
func (w *world) qualified() {
	w.Organization(func(o *accountsv1.Organization) { o.Spec.Qualifier = "acme" })
}

func (w *world) checkName(name string) string {
	return w.get(w.Link() + "/user-name?value=" + url.QueryEscape(name)).Body.String()
}

func TestAUserNameWithAQualifier(t *testing.T) {
	w := aWorld(t, storetest.MadeFor("another's", "jane-doe"), storetest.MadeFor("another's", "jane-doe.globex"), storetest.MadeFor("another's", "jane.acme"))
	w.qualified()
	expect(t, w.get(w.Link()), 200,
		"A slash and acme are added to it", `<span class="qualifier" aria-hidden="true">/acme</span>`,
		`value="jane-doe" autocomplete="username"`, `data-user-name="jdoe"`, `!data-user-name="jane"`)
	expect(t, w.post(w.Link(), but(fieldUserName, "jane")), 422, "This user name, or one that looks like it, is already taken")
	expect(t, w.post(w.Link(), filled()), 200, "<code>jane-doe/acme</code>", "<code>usher:jane-doe.acme</code>")
	acceptance := w.Invitation().Status.Acceptance.AccountRef
	if w.Account("jane-doe.acme") == nil || w.Secret("jane-doe.acme") == nil || acceptance.Name != "jane-doe.acme" {
		t.Errorf("accepted with %v", acceptance)
	}
}

func TestCheckingAUserNameWithAQualifier(t *testing.T) {
	w := aWorld(t, storetest.MadeFor("another's", "jane.acme"), storetest.MadeFor("another's", "john.globex"))
	w.qualified()
	for name, want := range map[string]string{
		"john":      `{"state":"free","message":"john/acme is available."}`,
		"jane":      `{"state":"taken","message":"This user name, or one that looks like it, is already taken. Choose another."}`,
		"jane.acme": `{"state":"invalid","message":"Use only lowercase letters from a to z, digits, and hyphens, such as jane-doe."}`,
	} {
		if got := w.checkName(name); got != want+"\n" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestAUserNameThatLooksLikeAnothersIsTaken(t *testing.T) {
	w := aWorld(t, storetest.MadeFor("another's", "jane-d0e"), storetest.MadeFor("another's", "pau1.acme"), storetest.MadeFor(storetest.JaneUID, "rnara"))
	expect(t, w.get(w.Link()), 200, `!data-user-name="jane-doe"`, `data-user-name="jane"`)
	expect(t, w.post(w.Link(), filled()), 422, "This user name, or one that looks like it, is already taken")
	for name, want := range map[string]string{
		"jane-doe": "taken", "jane-d0e": "taken", "jane--doe": "taken", "jane-do": "free",
		// A name with another qualifier is another name. A person who began with a
		// name can choose one like it.
		"paul": "free", "mara": "free", "rnara": "free",
	} {
		if got := w.checkName(name); !strings.Contains(got, `"state":"`+want+`"`) {
			t.Errorf("%s: %s", name, got)
		}
	}
	expect(t, w.post(w.Link(), but(fieldUserName, "mara")), 200, "<code>mara</code>")
}

func TestAWithheldUserNameLooksLikeATakenOne(t *testing.T) {
	list := withheld.BoundList(storetest.System, map[string][]string{"": {"jane"}}, func(string) bool { return false })
	w := aWorld(t, withheld.Record(storetest.System, "jane-doe", storetest.Start), list, storetest.MadeFor("another's", "jdoe"))
	expect(t, w.get(w.Link()), 200, `!"jane-doe"`, `!"jane"`, `!"jdoe"`, `data-user-name="doe-jane"`)
	taken := w.checkName("jdoe")
	for _, name := range []string{"jane-doe", "jane"} {
		if got := w.checkName(name); got != taken {
			t.Errorf("%s: %s, but a taken name: %s", name, got, taken)
		}
		answer := w.post(w.Link(), but(fieldUserName, name))
		expect(t, answer, 422, "This user name, or one that looks like it, is already taken")
		if got, want := answer.Body.String(), w.post(w.Link(), but(fieldUserName, "jdoe")).Body.String(); strings.ReplaceAll(got, `"`+name+`"`, `"jdoe"`) != want {
			t.Errorf("the page about %s differs from that about a taken name", name)
		}
		if w.Account(name) != nil {
			t.Errorf("account %s was created", name)
		}
	}
	expect(t, w.post(w.Link(), but(fieldUserName, "doe-jane")), 200, "<code>doe-jane</code>")
}

func TestAHalfMadeAccountWithAWithheldNameIsNotProposed(t *testing.T) {
	w := aWorld(t, storetest.MadeFor(storetest.JaneUID, "zz-top"), withheld.Record(storetest.System, "zz-top", storetest.Start))
	expect(t, w.get(w.Link()), 200, "!zz-top", `value="jane-doe" autocomplete="username"`)
}

func TestAUserNameThatIsKeptForTheSystem(t *testing.T) {
	w := aWorld(t)
	expect(t, w.post(w.Link(), but(fieldUserName, "admin")), 422, "reserved for the system", `href="#user-name"`)
	if w.Account("admin") != nil {
		t.Error("an account was created")
	}
}

func TestAHalfMadeAccountContinuesWithItsQualifiedName(t *testing.T) {
	w := aWorld(t, storetest.MadeFor(storetest.JaneUID, "zz-top.acme"), storetest.MadeFor(storetest.JaneUID, "aa-top"))
	w.qualified()
	expect(t, w.get(w.Link()), 200, `value="zz-top" autocomplete="username"`, `data-user-name="zz-top"`, "!aa-top")
	expect(t, w.post(w.Link(), but(fieldUserName, "zz-top")), 200, "usher:zz-top.acme")
	if acceptance := w.Invitation().Status.Acceptance.AccountRef; acceptance.UID != "uid-of-zz-top.acme" {
		t.Errorf("accepted with %v", acceptance)
	}
}
