// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template_test

import (
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/internal/wording"
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

func TestTemplatesThatAreRefused(t *testing.T) {
	t.Parallel()
	const link = "{{.Link}}\n"
	fields := "use one of .InvitedBy, .Link, .Message, .Name, .Organization, .Role, .ValidUntil"
	for name, c := range map[string]struct{ key, source, want string }{
		"an unknown field":                   {"invitation.html", "<p>\n\n{{.Foo}}" + link, "invitation.html line 3: there is no field .Foo; " + fields},
		"a field of another message":         {"invitation.txt", link + "{{.Code}}", "invitation.txt line 2: there is no field .Code; " + fields},
		"a field of a field":                 {"invitation.txt", link + "{{.Name.Foo}}", "invitation.txt line 2: there is no field .Name.Foo; " + fields},
		"an unknown field in an if":          {"invitation.txt", link + "{{if .Foo}}{{end}}", "invitation.txt line 2: there is no field .Foo; " + fields},
		"an unknown field in an else":        {"invitation.txt", link + "{{if .Name}}{{else}}\n{{.Foo}}{{end}}", "invitation.txt line 3: there is no field .Foo; " + fields},
		"no link":                            {"invitation.txt", "Hello", "invitation.txt: must show {{.Link}} outside of any if and with"},
		"no link in the HTML":                {"invitation.html", "<p>Hello</p>", "invitation.html: must show {{.Link}} outside of any if and with"},
		"a link within an if":                {"invitation.txt", "Hi {{if .Name}}{{.Link}}{{end}}", "invitation.txt: must show {{.Link}} outside of any if and with"},
		"a link that may not be shown":       {"invitation.txt", "Hi {{or .Link .Name}}", "invitation.txt: must show {{.Link}} outside of any if and with"},
		"a link within a comment":            {"invitation.txt", "Hi {{/* .Link */}}", "invitation.txt: must show {{.Link}} outside of any if and with"},
		"a range over a number":              {"invitation.txt", link + "{{range 99999999999}}x{{end}}", "invitation.txt line 2: range is not allowed; write a value of several lines as a whole, such as {{.Message}}"},
		"a range over a value":               {"invitation.txt", "{{range .Name}}x{{end}}" + link, "invitation.txt line 1: range is not allowed; write a value of several lines as a whole, such as {{.Message}}"},
		"a template that calls itself":       {"invitation.txt", link + `{{template "_"}}`, "invitation.txt line 2: template and block are not allowed; write everything in this one"},
		"another template":                   {"invitation.txt", link + `{{define "x"}}{{template "x"}}{{end}}`, "invitation.txt: defines another template; write everything in this one"},
		"a template that replaces the whole": {"invitation.txt", `{{define "_"}}` + link + `{{end}}`, "invitation.txt: defines another template; write everything in this one"},
		"a block":                            {"invitation.txt", link + `{{block "x" .}}{{end}}`, "invitation.txt: defines another template; write everything in this one"},
		"call":                               {"invitation.txt", link + "{{call .Name}}", "invitation.txt line 2: there is no function call; use one of and, or, not, eq, ne"},
		"printf":                             {"invitation.txt", link + `{{printf "%999999999d" 1}}`, "invitation.txt line 2: there is no function printf; use one of and, or, not, eq, ne"},
		"html":                               {"invitation.html", `<p>{{html .Name}}` + link, "invitation.html line 1: there is no function html; use one of and, or, not, eq, ne"},
		"an unknown function":                {"invitation.txt", link + "{{exec .Name}}", "invitation.txt line 2: there is no function exec; use one of and, or, not, eq, ne"},
		"a function within parentheses":      {"invitation.txt", link + "{{if not (len .Name)}}{{end}}", "invitation.txt line 2: there is no function len; use one of and, or, not, eq, ne"},
		"a variable":                         {"invitation.txt", link + "{{$x := .Name}}", "invitation.txt line 2: variables are not allowed; write values such as {{.Organization}}"},
		"a variable in a with":               {"invitation.txt", link + "{{with $x := .Name}}{{.}}{{end}}", "invitation.txt line 2: variables are not allowed; write values such as {{.Organization}}"},
		"all values at once":                 {"invitation.txt", link + "{{.}}", "invitation.txt line 2: a single dot is a value only inside with"},
		"all values, by a dollar":            {"invitation.txt", link + "{{$}}", "invitation.txt line 2: $ is not allowed; write a value such as $.Organization"},
		"a field within with":                {"invitation.txt", link + "{{with .Name}}{{.Role}}{{end}}", "invitation.txt line 2: inside with, write $.Role"},
		"a pipe":                             {"invitation.txt", link + "{{.Name | not}}", "invitation.txt line 2: .Name | not: a pipe is not allowed; write only the value, because Usher escapes it"},
		"a number":                           {"invitation.txt", link + "{{if eq .Name 1}}{{end}}", "invitation.txt line 2: 1 is not allowed; use values such as .Organization and texts in quotes"},
		"nil":                                {"invitation.txt", link + "{{if eq .Name nil}}{{end}}", "invitation.txt line 2: nil is not allowed; use values such as .Organization and texts in quotes"},
		"true":                               {"invitation.txt", link + "{{true}}", "invitation.txt line 2: true is not allowed; use values such as .Organization and texts in quotes"},
		"a chain":                            {"invitation.txt", link + "{{(.Name).Foo}}", "invitation.txt line 2: (.Name).Foo is not allowed; use values such as .Organization and texts in quotes"},
		"a value with arguments":             {"invitation.txt", link + "{{.Name .Role}}", "invitation.txt line 2: .Name .Role: a value cannot be called"},
		"a comparison with a truth":          {"invitation.txt", link + "{{if eq (not .Name) .Role}}{{end}}", "invitation.txt line 2: eq (not .Name) .Role: only values and texts in quotes can be compared"},
		"a comparison with the dot's truth":  {"invitation.txt", link + "{{with not .Name}}{{if eq . \"x\"}}{{end}}{{end}}", "invitation.txt line 2: eq . \"x\": only values and texts in quotes can be compared"},
		"a comparison of one value":          {"invitation.txt", link + "{{if eq .Name}}{{end}}", "invitation.txt line 2: eq .Name: the number of values is wrong"},
		"a difference of three values":       {"invitation.txt", link + "{{if ne .Name .Role .Link}}{{end}}", "invitation.txt line 2: ne .Name .Role .Link: the number of values is wrong"},
		"not with two values":                {"invitation.txt", link + "{{if not .Name .Role}}{{end}}", "invitation.txt line 2: not .Name .Role: the number of values is wrong"},
		"and without values":                 {"invitation.txt", link + "{{if and}}{{end}}", "invitation.txt line 2: and: the number of values is wrong"},
		"a function without parentheses":     {"invitation.txt", link + "{{if and not .Name}}{{end}}", "invitation.txt line 2: put not and its values in parentheses"},
		"an if without end":                  {"invitation.txt", link + "{{if .Name}}", "invitation.txt line 2: unexpected EOF"},
		"an action without end":              {"invitation.txt", link + "{{.Name", "invitation.txt line 2: unclosed action"},
		"break":                              {"invitation.txt", link + "{{break}}", "invitation.txt line 2: {{break}} outside {{range}}"},
		"broken UTF-8":                       {"invitation.txt", link + "\xff", "invitation.txt: is not valid UTF-8"},
		"64 KiB and a byte":                  {"invitation.txt", link + strings.Repeat("a", 64<<10+1-len(link)), "invitation.txt: is longer than 64 KiB"},
		"501 values":                         {"invitation.txt", link + strings.Repeat("{{.Name}}", 500), "invitation.txt line 2: there are more than 500 values"},
		"an empty text":                      {"joined.txt", " \n", "joined.txt: must contain text outside of any if and with"},
		"a text that can be empty":           {"joined.txt", "{{.Name}}", "joined.txt: must contain text outside of any if and with"},
		"an empty subject":                   {"joined.subject", "", "joined.subject: must contain text outside of any if and with"},
		"a subject that can be empty":        {"joined.subject", `{{if ne .Role "x"}}New{{end}}`, "joined.subject: must contain text outside of any if and with"},
		"a subject of two lines":             {"joined.subject", "a\nb", "joined.subject line 1: a subject must be one line"},
		"a link in a subject":                {"invitation.subject", "Hi {{.Link}}", "invitation.subject line 1: a subject must not show .Link, which is a secret: locked screens show subjects"},
		"a code in a subject":                {"code.subject", "{{with .Code}}{{.}}{{end}} is it", "code.subject line 1: a subject must not show .Code, which is a secret: locked screens show subjects"},
		"a block in a text":                  {"invitation.txt", link + "https://evil.example/?<p>{{.Link}}", "invitation.txt line 2: " + apartInText},
		"no code":                            {"code.txt", "Hi", "code.txt: must show {{.Code}} outside of any if and with"},
		"an unknown message": {"invite.txt", link, "invite.txt: no template has this name; write a message (invitation, confirmation, joined, declined or code), " +
			"then optionally a language (en, it, fr, de, es or pt), then subject, txt or html, such as invitation.de.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := ownInvitation(
				"joined.subject", "S", "joined.txt", "T", "code.subject", "S", "code.txt", "{{.Code}}", c.key, c.source)
			_, errs := parseOwn(data)
			if len(errs) != 1 || errs[0].Error() != c.want {
				t.Errorf("got  %v\nwant %s", errs, c.want)
			}
		})
	}
}

func TestUnknownKeysAreRefused(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"", ".", "invitation", "invitation.", ".txt", "txt", "invitation.text", "invitation.nl.txt", "invitation.DE.txt", "invitation..txt",
		"invitation.de.de.txt", "Invitation.txt", "frame.html", "invitation.txt.", "invitation.de", "README",
		"reset.txt", "locked.txt", "password.txt", "factor.de.txt", "usernames.subject",
	} {
		_, errs := parseOwn(ownInvitation(key, "{{.Link}}"))
		if len(errs) != 1 || errs[0].Key != key || !strings.HasPrefix(errs[0].Reason, "no template has this name") {
			t.Errorf("%q: got %v, want an error about the name", key, errs)
		}
	}
}

func TestAllFaultsAreToldInOrder(t *testing.T) {
	t.Parallel()
	_, errs := parseOwn(map[string]string{
		"invitation.html": "{{.A}}\n{{.B}}{{.Link}}", "code.html": "{{.Code}}", "zzz": "", "declined.de.subject": "S",
		"joined.subject": "S", "joined.txt": strings.Repeat("{{.X}}\n", 1000),
	})
	var got []string
	for _, e := range errs {
		got = append(got, strings.SplitN(e.Error(), ";", 2)[0])
	}
	want := []string{
		"code.subject: is missing", "code.txt: is missing", "declined.de.txt: is missing",
		"invitation.html line 1: there is no field .A", "invitation.html line 2: there is no field .B",
		"invitation.subject: is missing", "invitation.txt: is missing", "joined.txt: must contain text outside of any if and with",
	}
	for line := range 10 {
		want = append(want, "joined.txt line "+string("123456789"[line%9])+": there is no field .X")
	}
	want[len(want)-1] = "joined.txt line 10: there is no field .X"
	want = append(want, "zzz: no template has this name")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestTemplatesThatAreTaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ source, want string }{
		"comments":                   {"{{/* for you */}}a", "a"},
		"a choice":                   {"{{if .InvitedBy}}a{{else}}b{{end}}", "a"},
		"a chain of choices":         {"{{if not .Name}}a{{else if eq .Role \"x\" \"Developer <Staging>\"}}b{{else}}c{{end}}", "b"},
		"both, and either":           {"{{if and .Name (or .InvitedBy .Message) (ne .Name .Role)}}a{{end}}", "a"},
		"with and a dollar":          {"{{with .Name}}{{.}} {{$.Role}}{{else}}{{.Role}}{{end}}", "Ada Lovelace Developer <Staging>"},
		"with and another":           {"{{with and .Name .Role}}{{if eq . $.Role}}{{.}}{{end}}{{else with .Name}}{{.}}{{end}}", "Developer <Staging>"},
		"a text in place of a value": {"{{or .InvitedBy `a colleague`}}", "Grace Hopper"},
		"trimmed spaces":             {"a  {{- .Name -}}  b", "aAda Lovelaceb"},
		"parentheses":                {"{{(.Name)}}", "Ada Lovelace"},
		"a date":                     {"{{.ValidUntil}}", "Samstag, 28. November 2026, 18:10 Uhr UTC"},
		"64 KiB":                     {strings.Repeat("a", 64<<10-len("\n{{.Link}}")), strings.Repeat("a", 64<<10-len("\n{{.Link}}"))},
		"500 values":                 {strings.Repeat("{{.Name}}", 499), strings.Repeat("Ada Lovelace", 499)},
		"values without markup":      {"{{.Role}}", "Developer <Staging>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			templates := parse(t, without(ownInvitation("invitation.txt", c.source+"\n{{.Link}}"), "invitation.html"))
			got, err := templates.Invitation("de", anInvitation())
			if want := c.want + "\n" + anInvitation().Link; err != nil || got.Text != want {
				t.Errorf("got %q, %v, want %q", got.Text, err, want)
			}
		})
	}
}

func TestOwnSubjectIsAlwaysOneLine(t *testing.T) {
	t.Parallel()
	templates := parse(t, ownInvitation("invitation.subject", "{{or .Name \"a\\nb\\r\"}}={{.Organization}}  !"))
	d := anInvitation()
	d.Name, d.Organization = "", "?utf-8?q?x"
	c, err := templates.Invitation("en", d)
	if err != nil || c.Subject != "a b = ?utf-8?q?x !" {
		t.Errorf("got %q, %v", c.Subject, err)
	}
	writes(t, c)
}

func TestOwnWordingDoesNotChangeWithItsSource(t *testing.T) {
	t.Parallel()
	data := ownInvitation()
	templates := parse(t, data)
	before, err := templates.Invitation("en", anInvitation())
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(data, map[string]string{"invitation.subject": "x", "invitation.txt": "x"})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			after, err := templates.Invitation("en", anInvitation())
			if err != nil || after != before {
				t.Errorf("got %v, %v, want %v", after, err, before)
			}
		})
	}
	all.Wait()
}

func TestOwnWordingChecksTheData(t *testing.T) {
	t.Parallel()
	d := anInvitation()
	d.Link = "javascript:alert(1)"
	if c, err := parse(t, ownInvitation()).Invitation("en", d); err == nil {
		t.Errorf("a script is written as a link: %v", c)
	}
}
