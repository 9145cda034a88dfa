// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/url"
	"strings"
	"testing"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// qualified makes user names end in /acme.
func (w *world) qualified() {
	w.organization(func(o *accountsv1.Organization) { o.Spec.Qualifier = "acme" })
}

func (w *world) checkName(name string) string {
	return w.get(w.link() + "/user-name?value=" + url.QueryEscape(name)).Body.String()
}

func TestAUserNameWithAQualifier(t *testing.T) {
	w := aWorld(t, madeFor("another's", "jane-doe"), madeFor("another's", "jane-doe.globex"), madeFor("another's", "jane.acme"))
	w.qualified()
	expect(t, w.get(w.link()), 200,
		"A slash and acme follow it", `<span class="qualifier" aria-hidden="true">/acme</span>`,
		`value="jane-doe" autocomplete="username"`, `data-user-name="jdoe"`, `!data-user-name="jane"`)
	expect(t, w.post(w.link(), but(fieldUserName, "jane")), 422, "Somebody has this user name already")
	expect(t, w.post(w.link(), filled()), 200, "<code>jane-doe/acme</code>", "<code>usher:jane-doe.acme</code>")
	acceptance := w.invitation().Status.Acceptance.AccountRef
	if w.account("jane-doe.acme") == nil || w.secret("jane-doe.acme") == nil || acceptance.Name != "jane-doe.acme" {
		t.Errorf("accepted with %v", acceptance)
	}
}

func TestCheckingAUserNameWithAQualifier(t *testing.T) {
	w := aWorld(t, madeFor("another's", "jane.acme"), madeFor("another's", "john.globex"))
	w.qualified()
	for name, want := range map[string]string{
		"john":      `{"state":"free","message":"john/acme is free."}`,
		"jane":      `{"state":"taken","message":"Somebody has this user name already, or one that looks like it: choose another."}`,
		"jane.acme": `{"state":"invalid","message":"Use only the letters a to z in lower case, digits and dashes, such as jane-doe."}`,
	} {
		if got := w.checkName(name); got != want+"\n" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestAUserNameThatLooksLikeAnothersIsTaken(t *testing.T) {
	w := aWorld(t, madeFor("another's", "jane-d0e"), madeFor("another's", "pau1.acme"), madeFor(janeUID, "rnara"))
	expect(t, w.get(w.link()), 200, `!data-user-name="jane-doe"`, `data-user-name="jane"`)
	expect(t, w.post(w.link(), filled()), 422, "Somebody has this user name already")
	for name, want := range map[string]string{
		"jane-doe": "taken", "jane-d0e": "taken", "jane--doe": "taken", "jane-do": "free",
		// Another qualifier is another name, and whoever began with a name may choose one like it.
		"paul": "free", "mara": "free", "rnara": "free",
	} {
		if got := w.checkName(name); !strings.Contains(got, `"state":"`+want+`"`) {
			t.Errorf("%s: %s", name, got)
		}
	}
	expect(t, w.post(w.link(), but(fieldUserName, "mara")), 200, "<code>mara</code>")
}

func TestAUserNameThatIsKeptForTheSystem(t *testing.T) {
	w := aWorld(t)
	expect(t, w.post(w.link(), but(fieldUserName, "admin")), 422, "kept for the system", `href="#user-name"`)
	if w.account("admin") != nil {
		t.Error("an account was made")
	}
}

func TestAHalfMadeAccountIsGoneOnWithByItsChosenPart(t *testing.T) {
	w := aWorld(t, madeFor(janeUID, "zz-top.acme"), madeFor(janeUID, "aa-top"))
	w.qualified()
	expect(t, w.get(w.link()), 200, `value="zz-top" autocomplete="username"`, `data-user-name="zz-top"`, "!aa-top")
	expect(t, w.post(w.link(), but(fieldUserName, "zz-top")), 200, "usher:zz-top.acme")
	if acceptance := w.invitation().Status.Acceptance.AccountRef; acceptance.UID != "uid-of-zz-top.acme" {
		t.Errorf("accepted with %v", acceptance)
	}
}
