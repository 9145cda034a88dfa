// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/internal/wording"
	"github.com/usher-dev/usher/internal/wording/language"
	"github.com/usher-dev/usher/internal/wording/template"
)

// ownInvitation returns a valid wording of the invitation. The changes add and replace keys, in pairs.
func ownInvitation(changes ...string) map[string]string {
	data := map[string]string{
		"invitation.subject": "Join {{.Organization}}\n",
		"invitation.txt":     "Hi {{or .Name \"there\"}}!\n{{with .Message}}\n{{.}}\n{{end}}\n{{.Link}}\n",
		"invitation.html":    "<p>Hi {{.Name}}!</p>\n<p><a class=\"b\" href=\"{{.Link}}\">Join {{.Organization}}</a></p>\n",
	}
	for i := 0; i < len(changes); i += 2 {
		data[changes[i]] = changes[i+1]
	}
	return data
}

func without(data map[string]string, keys ...string) map[string]string {
	for _, key := range keys {
		delete(data, key)
	}
	return data
}

// parseOwn parses a wording of an organization with its own mail server.
func parseOwn(data map[string]string) (wording.Templates, []template.Error) {
	return wording.ParseTemplates(data, template.OwnServer)
}

func parse(t *testing.T, data map[string]string) wording.Templates {
	t.Helper()
	templates, errs := parseOwn(data)
	if len(errs) > 0 {
		t.Fatalf("the wording is refused: %v", errs)
	}
	return templates
}

func TestOwnWording(t *testing.T) {
	t.Parallel()
	got, err := parse(t, ownInvitation()).Invitation("en", anInvitation())
	if err != nil {
		t.Fatal(err)
	}
	want := wording.Content{
		Subject: "Join Acme & Söhne",
		Text: "Hi Ada Lovelace!\n\n> Dear Ada,\n>\n> we'd love to have you with us. See you on Monday!\n\n" +
			"https://usher.example.org/accept?a=1&b=2#MDEyMzQ1Njc4OWFiY2RlZg-_x\n",
		HTML: "<p>Hi Ada Lovelace!</p>\n<p><a class=\"b\" " +
			"href=\"https://usher.example.org/accept?a=1&amp;b=2#MDEyMzQ1Njc4OWFiY2RlZg-_x\">Join Acme &amp; Söhne</a></p>\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("invitation (-want +got):\n%s", diff)
	}
}

func TestOwnWordingOfEveryMessageCanSayEverything(t *testing.T) {
	t.Parallel()
	for message, fields := range map[string]string{
		"invitation":   "InvitedBy Link Message Name Organization Role ValidUntil",
		"confirmation": "Address KubernetesUser Name Organization Permissions PortalURL Role SignInURL SupportContact UserName",
		"joined":       "Address Name Organization Person Role UserName",
		"declined":     "Address Name Organization Person Reason Role",
		"code":         "Code Minutes Name Organization",
	} {
		t.Run(message, func(t *testing.T) {
			t.Parallel()
			var all strings.Builder
			for field := range strings.FieldsSeq(fields) {
				all.WriteString(field + ": {{." + field + "}}\n")
			}
			templates := parse(t, map[string]string{
				message + ".subject": "About {{.Organization}}", message + ".txt": all.String(), message + ".html": all.String(),
			})
			write := messages()[message]
			if message == "invitation" {
				write = func(t wording.Templates, tag language.Tag) (wording.Content, error) {
					return t.Invitation(tag, anInvitation())
				}
			}
			c, err := write(templates, "de")
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(c.Text, ": \n") {
				t.Errorf("a value is empty:\n%s", c.Text)
			}
			_, errs := parseOwn(map[string]string{
				message + ".subject": "{{.Organization}}", message + ".txt": all.String() + "{{.Foo}}",
			})
			want := "there is no field .Foo; use one of ." + strings.ReplaceAll(fields, " ", ", .")
			if len(errs) != 1 || errs[0].Reason != want {
				t.Errorf("got %v, want %q", errs, want)
			}
			golden(t, "own_"+message+".txt", "Subject: "+c.Subject+"\n\n"+c.Text+"\n"+c.HTML)
		})
	}
}

func TestWhichWordingIsUsed(t *testing.T) {
	t.Parallel()
	german := []string{"invitation.de.subject", "Komm zu {{.Organization}}", "invitation.de.txt", "{{.Link}}"}
	for name, c := range map[string]struct {
		data map[string]string
		tag  language.Tag
		want string // the subject
		html bool
	}{
		"the built-in one, if there is no other":            {nil, "de", "Einladung zu Acme & Söhne", true},
		"the general one":                                   {ownInvitation(), "de", "Join Acme & Söhne", true},
		"the one for the language":                          {ownInvitation(german...), "de", "Komm zu Acme & Söhne", false},
		"the general one, for another language":             {ownInvitation(german...), "it", "Join Acme & Söhne", true},
		"the one for English, without a language":           {ownInvitation("invitation.en.subject", "E", "invitation.en.txt", "{{.Link}}"), "", "E", false},
		"the general one, if the HTML has an error":         {ownInvitation(append(german, "invitation.de.html", "{{.Foo}}")...), "de", "Join Acme & Söhne", true},
		"the general one, if the text is missing":           {ownInvitation("invitation.de.subject", "Komm"), "de", "Join Acme & Söhne", true},
		"the built-in one, if the general one has an error": {ownInvitation("invitation.txt", "no link"), "de", "Einladung zu Acme & Söhne", true},
		"the built-in one, if a subject is missing":         {without(ownInvitation(), "invitation.subject"), "en", "Invitation to join Acme & Söhne", true},
		"plain text only, if there is no HTML":              {without(ownInvitation(), "invitation.html"), "en", "Join Acme & Söhne", false},
		"the built-in one, for another message":             {map[string]string{"code.subject": "C", "code.txt": "{{.Code}}"}, "en", "Invitation to join Acme & Söhne", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			templates, _ := parseOwn(c.data)
			got, err := templates.Invitation(c.tag, anInvitation())
			if err != nil {
				t.Fatal(err)
			}
			if got.Subject != c.want || (got.HTML != "") != c.html {
				t.Errorf("got the subject %q and HTML %q, want %q and %v", got.Subject, got.HTML, c.want, c.html)
			}
		})
	}
}
