// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording_test

import (
	"errors"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/usher-dev/usher/internal/wording"
	"github.com/usher-dev/usher/internal/wording/input"
	"github.com/usher-dev/usher/internal/wording/language"
)

func aConfirmation() wording.ConfirmationData {
	return wording.ConfirmationData{
		Organization:   "Acme & Söhne",
		Role:           "Developer <Staging>",
		Name:           "Jane Doe",
		UserName:       "jane",
		Address:        "jane.doe@example.com",
		KubernetesUser: "usher:jane",
		Permissions:    []string{"Deploy applications: Staging, Production", "Read <logs>"},
		PortalURL:      "https://usher.example.org/?a=1&b=2",
		SignInURL:      "https://usher.example.org/sign-in?a=1&b=2",
		SupportContact: "Acme & Söhne, help@acme.example or +41 44 555 01 23",
	}
}

func aNewMember() wording.JoinedData {
	return wording.JoinedData{
		Organization: "Acme & Söhne", Role: "Developer <Staging>", Name: "Jane Doe",
		Address: "jane.doe@example.com", UserName: "jane",
	}
}

func aRefusal() wording.DeclinedData {
	return wording.DeclinedData{
		Organization: "Acme & Söhne", Role: "Developer <Staging>", Name: "Jane Doe", Address: "jane.doe@example.com",
		Reason: "<b>No</b> time.\r\nSee https://evil.example/a?b=c or www.evil.example\u202e",
	}
}

func aCode() wording.CodeData {
	return wording.CodeData{Organization: "Acme & Söhne", Name: "Jane Doe", Code: "1234 5678", Minutes: 10}
}

// messages are all messages except the invitation, each with all of its data and with only the required
// data.
func messages() map[string]func(wording.Templates, language.Tag) (wording.Content, error) {
	bareConfirmation, bareJoined, bareDeclined, bareCode := aConfirmation(), aNewMember(), aRefusal(), aCode()
	bareConfirmation.Name, bareConfirmation.Permissions, bareConfirmation.SupportContact = "", nil, ""
	bareJoined.Name = ""
	bareDeclined.Name, bareDeclined.Reason = "", ""
	bareCode.Name, bareCode.Minutes = "", 1
	type write = func(t wording.Templates, tag language.Tag) (wording.Content, error)
	return map[string]write{
		"confirmation": func(t wording.Templates, tag language.Tag) (wording.Content, error) {
			return t.Confirmation(tag, aConfirmation())
		},
		"confirmation_bare": func(t wording.Templates, tag language.Tag) (wording.Content, error) {
			return t.Confirmation(tag, bareConfirmation)
		},
		"joined": func(t wording.Templates, tag language.Tag) (wording.Content, error) {
			return t.Joined(tag, aNewMember())
		},
		"joined_bare": func(t wording.Templates, tag language.Tag) (wording.Content, error) { return t.Joined(tag, bareJoined) },
		"declined": func(t wording.Templates, tag language.Tag) (wording.Content, error) {
			return t.Declined(tag, aRefusal())
		},
		"declined_bare": func(t wording.Templates, tag language.Tag) (wording.Content, error) {
			return t.Declined(tag, bareDeclined)
		},
		"code":      func(t wording.Templates, tag language.Tag) (wording.Content, error) { return t.Code(tag, aCode()) },
		"code_bare": func(t wording.Templates, tag language.Tag) (wording.Content, error) { return t.Code(tag, bareCode) },
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for name, write := range messages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := write(wording.Templates{}, "en")
			if err != nil {
				t.Fatal(err)
			}
			goldenContent(t, name+".en", c)
		})
	}
}

func TestConfirmationInEachLanguage(t *testing.T) {
	t.Parallel()
	for _, tag := range language.All() {
		t.Run(tag.Name(), func(t *testing.T) {
			t.Parallel()
			c, err := wording.Templates{}.Confirmation(tag, aConfirmation())
			if err != nil {
				t.Fatal(err)
			}
			goldenContent(t, "confirmation."+tag.String(), c)
			showsOnly(t, c, aConfirmation().SignInURL)
		})
	}
}

// These rules hold for every message in every language.
func TestEveryMessageInEachLanguage(t *testing.T) {
	t.Parallel()
	all := messages()
	all["invitation"] = func(t wording.Templates, tag language.Tag) (wording.Content, error) {
		return t.Invitation(tag, anInvitation())
	}
	seen := map[string]string{}
	for name, write := range all {
		for _, tag := range language.All() {
			c, err := write(wording.Templates{}, tag)
			if err != nil {
				t.Fatalf("%s in %s: %v", name, tag, err)
			}
			where := name + " in " + tag.String()
			if other := seen[c.Text]; other != "" {
				t.Errorf("%s has the same text as %s", where, other)
			}
			seen[c.Text] = where
			if !strings.Contains(c.HTML, `<html lang="`+tag.String()+`"`) {
				t.Errorf("%s does not declare its language", where)
			}
			isInOrder(t, where, c)
		}
	}
}

func isInOrder(t *testing.T, where string, c wording.Content) {
	t.Helper()
	for _, text := range []string{c.Subject, c.Text, html.UnescapeString(c.HTML)} {
		if !strings.Contains(text, "Acme & Söhne") || strings.Contains(text, "{{") || strings.Contains(text, "<no value>") {
			t.Errorf("%s lacks the organization, or a value:\n%s", where, text)
		}
	}
	if strings.Contains(c.HTML, "<b>") || strings.Contains(c.HTML, "<Staging>") || strings.Contains(c.HTML, "<logs>") {
		t.Errorf("%s: a name is markup:\n%s", where, c.HTML)
	}
	if strings.Contains(c.Text, "\n\n\n") || strings.HasPrefix(c.Text, "\n") ||
		!strings.HasSuffix(c.Text, ".\n") && !strings.HasSuffix(c.Text, ": "+aConfirmation().SupportContact+"\n") {
		t.Errorf("%s: the lines of the text are not in order:\n%q", where, c.Text)
	}
	writes(t, c)
}

func TestMessagesRefuse(t *testing.T) {
	t.Parallel()
	confirmation := func(change func(*wording.ConfirmationData)) error {
		d := aConfirmation()
		change(&d)
		_, err := wording.Templates{}.Confirmation("en", d)
		return err
	}
	joined := func(change func(*wording.JoinedData)) error {
		d := aNewMember()
		change(&d)
		_, err := wording.Templates{}.Joined("en", d)
		return err
	}
	declined := func(change func(*wording.DeclinedData)) error {
		d := aRefusal()
		change(&d)
		_, err := wording.Templates{}.Declined("en", d)
		return err
	}
	ofCode := func(change func(*wording.CodeData)) error {
		d := aCode()
		change(&d)
		_, err := wording.Templates{}.Code("en", d)
		return err
	}
	for name, c := range map[string]struct {
		err   error
		field string
	}{
		"a confirmation without organization":      {confirmation(func(d *wording.ConfirmationData) { d.Organization = "" }), "organization's name"},
		"a confirmation without role":              {confirmation(func(d *wording.ConfirmationData) { d.Role = "" }), "role's name"},
		"a confirmation without user name":         {confirmation(func(d *wording.ConfirmationData) { d.UserName = "" }), "user name"},
		"a confirmation without address":           {confirmation(func(d *wording.ConfirmationData) { d.Address = "" }), "person's address"},
		"a confirmation without Kubernetes user":   {confirmation(func(d *wording.ConfirmationData) { d.KubernetesUser = "" }), "Kubernetes user name"},
		"a confirmation with a link as a name":     {confirmation(func(d *wording.ConfirmationData) { d.Name = "http://evil" }), "person's name"},
		"a confirmation with a line break":         {confirmation(func(d *wording.ConfirmationData) { d.Permissions[1] = "a\nb" }), "list of permissions"},
		"a confirmation with an empty permission":  {confirmation(func(d *wording.ConfirmationData) { d.Permissions[0] = "" }), "list of permissions"},
		"a confirmation with a script as a portal": {confirmation(func(d *wording.ConfirmationData) { d.PortalURL = "javascript:x" }), "address of the portal"},
		"a confirmation without a portal":          {confirmation(func(d *wording.ConfirmationData) { d.PortalURL = "" }), "address of the portal"},
		"a confirmation without a sign-in page":    {confirmation(func(d *wording.ConfirmationData) { d.SignInURL = "" }), "address of the sign-in page"},
		"a confirmation with a link as a user":     {confirmation(func(d *wording.ConfirmationData) { d.UserName = "evil.example" }), "user name"},
		"a joined notice with two addresses":       {joined(func(d *wording.JoinedData) { d.Address = "a@example.com, b@example.com" }), "person's address"},
		"a joined notice with a line break":        {joined(func(d *wording.JoinedData) { d.Name = "a\nb" }), "person's name"},
		"a joined notice without user name":        {joined(func(d *wording.JoinedData) { d.UserName = "" }), "user name"},
		"a declined notice without organization":   {declined(func(d *wording.DeclinedData) { d.Organization = "" }), "organization's name"},
		"a declined notice without address":        {declined(func(d *wording.DeclinedData) { d.Address = "jane" }), "person's address"},
		"a missing code":                           {ofCode(func(d *wording.CodeData) { d.Code = "" }), "code"},
		"a code with a line break":                 {ofCode(func(d *wording.CodeData) { d.Code = "1234\n5678" }), "code"},
		"a code with markup":                       {ofCode(func(d *wording.CodeData) { d.Code = "<1234>" }), "code"},
		"a code that is never valid":               {ofCode(func(d *wording.CodeData) { d.Minutes = 0 }), "validity of the code"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var invalid *input.InvalidError
			if !errors.As(c.err, &invalid) || invalid.Field != c.field {
				t.Errorf("got %v, want an InvalidError for the %s", c.err, c.field)
			}
		})
	}
}

// A notice can be sent with any text from the person, and nothing in it can be followed.
func TestDeclinedQuotesWhateverWasTyped(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ reason, quoted string }{
		"a sentence":                  {"No time.", "> No time."},
		"line ends of a form":         {"a\r\nb\rc\nd", "> a\n> b\n> c\n> d"},
		"other line ends":             {"a\u2028b\u2029c", "> a\n> b\n> c"},
		"control characters":          {"a\x00b\tc\x1bd\u0085e", "> a b c d e"},
		"broken UTF-8":                {"a\xffb", "> ab"},
		"reversed letters":            {"a\u202eb\u2066c", "> abc"},
		"a text that is too long":     {strings.Repeat("é", 600), "> " + strings.Repeat("é", 499) + "…"},
		"a link":                      {"https://evil.example/x", "> https: //evil. example/x"},
		"a link in capitals":          {"HTTPS://EVIL.EXAMPLE", "> HTTPS: //EVIL. EXAMPLE"},
		"a host name":                 {"a.evil.example.", "> a. evil. example."},
		"labels of two letters":       {"x.co.uk", "> x. co. uk"},
		"www and a digit":             {"www.1", "> www. 1"},
		"zero-width letters":          {"evil\u200b.\u200bexample", "> evil\u200b. \u200bexample"},
		"dots of other scripts":       {"evil．example evil。example evil｡com a․de", "> evil． example evil。 example evil｡ com a․ de"},
		"another script":              {"пример.рф 例え.みんな", "> пример. рф 例え. みんな"},
		"a mail address":              {"eve@evil.example", "> eve@evil. example"},
		"an IP address":               {"1.2.3.4", "> 1. 2.3.4"},
		"a missing space":             {"Sorry.But no", "> Sorry. But no"},
		"numbers, and dots at an end": {"3.5 on 28.11.2026 ... e.g.", "> 3.5 on 28.11.2026 ... e.g."},
		"only spaces":                 {" \r\n \t", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := aRefusal()
			d.Reason = c.reason
			got, err := wording.Templates{}.Declined("en", d)
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(got.Text, "Jane Doe writes:\n\n")
			quoted, _, _ := strings.Cut(rest, "\n\n")
			if quoted != c.quoted {
				t.Errorf("got %q, want %q", quoted, c.quoted)
			}
			if strings.Contains(got.HTML, "href") {
				t.Errorf("the HTML has a link:\n%s", got.HTML)
			}
			if c.quoted == "" && strings.Contains(got.HTML, "<blockquote") {
				t.Errorf("the HTML quotes nothing:\n%s", got.HTML)
			}
		})
	}
}

func TestNoSentenceIsForgotten(t *testing.T) {
	t.Parallel()
	catalogue, err := os.ReadFile(filepath.Join("language", "catalogue", "mail.en.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var sources strings.Builder
	for _, pattern := range []string{"templates/*", "*.go"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			sources.Write(source)
		}
	}
	for _, found := range regexp.MustCompile(`(?m)^(mail[.][a-z.]+):`).FindAllSubmatch(catalogue, -1) {
		id := string(found[1])
		// The IDs of subjects are composed from the kind of message.
		if !strings.HasSuffix(id, ".subject") && !strings.Contains(sources.String(), `"`+id+`"`) {
			t.Errorf("no message uses %s: delete it from the catalogue", id)
		}
	}
}
