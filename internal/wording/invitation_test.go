// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording_test

import (
	"errors"
	"flag"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/internal/wording"
	"github.com/usher-dev/usher/internal/wording/input"
	"github.com/usher-dev/usher/internal/wording/language"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), see the -update flag:\n%s", path, diff)
	}
}

func anInvitation() wording.InvitationData {
	return wording.InvitationData{
		Organization: "Acme & Söhne",
		Role:         "Developer <Staging>",
		InvitedBy:    "Grace Hopper",
		Name:         "Ada Lovelace",
		Link:         "https://usher.example.org/accept?a=1&b=2#MDEyMzQ1Njc4OWFiY2RlZg-_x",
		ValidUntil:   time.Date(2026, 11, 28, 19, 10, 59, 0, time.FixedZone("CET", 3600)),
		Message:      "Dear Ada,\n\nwe'd love to have you with us. See you on Monday!",
	}
}

func TestInvitation(t *testing.T) {
	t.Parallel()
	bare := anInvitation()
	bare.InvitedBy, bare.Name, bare.Message = "", "", ""
	fromNobody := anInvitation()
	fromNobody.InvitedBy = ""
	for name, d := range map[string]wording.InvitationData{
		"invitation": anInvitation(), "invitation_bare": bare, "invitation_organization": fromNobody,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := wording.Templates{}.Invitation(language.Default, d)
			if err != nil {
				t.Fatal(err)
			}
			goldenContent(t, name+".en", c)
		})
	}
}

func TestInvitationInEachLanguage(t *testing.T) {
	t.Parallel()
	for _, tag := range language.All() {
		t.Run(tag.Name(), func(t *testing.T) {
			t.Parallel()
			c, err := wording.Templates{}.Invitation(tag, anInvitation())
			if err != nil {
				t.Fatal(err)
			}
			goldenContent(t, "invitation."+tag.String(), c)
		})
	}
}

func goldenContent(t *testing.T, name string, c wording.Content) {
	t.Helper()
	golden(t, name+".txt", "Subject: "+c.Subject+"\n\n"+c.Text)
	golden(t, name+".html", c.HTML)
}

func TestInvitationShowsTheLinkAsItIs(t *testing.T) {
	t.Parallel()
	d := anInvitation()
	c, err := wording.Templates{}.Invitation(language.Default, d)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.Text, "\n"+d.Link+"\n") {
		t.Errorf("the text has no line with only the link:\n%s", c.Text)
	}
	links := regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(c.HTML, -1)
	if len(links) != 1 || html.UnescapeString(links[0][1]) != d.Link {
		t.Errorf("links in the HTML: %q, want only %q", links, d.Link)
	}
	if !strings.Contains(html.UnescapeString(c.HTML), ">"+d.Link+"<") {
		t.Error("the HTML does not show the link as text")
	}
	for _, remote := range []string{"<img", "<script", "<link", "src=", "url(", "@import"} {
		if strings.Contains(c.HTML, remote) {
			t.Errorf("the HTML loads something: %s", remote)
		}
	}
}

func TestInvitationRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*wording.InvitationData)
		field  string
	}{
		"no organization":               {func(d *wording.InvitationData) { d.Organization = "" }, "organization's name"},
		"no role":                       {func(d *wording.InvitationData) { d.Role = "" }, "role's name"},
		"a line break in a name":        {func(d *wording.InvitationData) { d.Name = "Ada\n\nhttp" }, "invited person's name"},
		"a web address as a name":       {func(d *wording.InvitationData) { d.Name = "HTTPS://evil.example" }, "invited person's name"},
		"a web address as the inviter":  {func(d *wording.InvitationData) { d.InvitedBy = "www.evil.example" }, "inviter's name"},
		"no end of validity":            {func(d *wording.InvitationData) { d.ValidUntil = time.Time{} }, "end of validity"},
		"no link":                       {func(d *wording.InvitationData) { d.Link = "" }, "link"},
		"a relative link":               {func(d *wording.InvitationData) { d.Link = "/accept" }, "link"},
		"a script as a link":            {func(d *wording.InvitationData) { d.Link = "javascript:alert(1)" }, "link"},
		"a link with a line break":      {func(d *wording.InvitationData) { d.Link = "https://a.example/\nb" }, "link"},
		"a link with a space":           {func(d *wording.InvitationData) { d.Link = "https://a.example/ b" }, "link"},
		"a link with a password in it":  {func(d *wording.InvitationData) { d.Link = "https://a:b@a.example/" }, "link"},
		"a link with an angle bracket":  {func(d *wording.InvitationData) { d.Link = "https://a.example/>" }, "link"},
		"a link that is not ASCII only": {func(d *wording.InvitationData) { d.Link = "https://a.example/ü" }, "link"},
		"a name with reversed letters":  {func(d *wording.InvitationData) { d.InvitedBy = "Ada \u202eecarG" }, "inviter's name"},
		"a link in the message":         {func(d *wording.InvitationData) { d.Message = "see HTTPS://evil" }, "inviter's message"},
		"a web address in the message":  {func(d *wording.InvitationData) { d.Message = "see www.x" }, "inviter's message"},
		"a host name in the message":    {func(d *wording.InvitationData) { d.Message = "see evil.example" }, "inviter's message"},
		"a mail address in the message": {func(d *wording.InvitationData) { d.Message = "eve@evil.example" }, "inviter's message"},
		"a message with reversed letters": {
			func(d *wording.InvitationData) { d.Message = "\u2067moc" }, "inviter's message",
		},
		"a tab in the message":        {func(d *wording.InvitationData) { d.Message = "a\tb" }, "inviter's message"},
		"a NUL in the message":        {func(d *wording.InvitationData) { d.Message = "a\x00b" }, "inviter's message"},
		"broken UTF-8 in the message": {func(d *wording.InvitationData) { d.Message = "a\xff" }, "inviter's message"},
		"a message of 501 characters": {func(d *wording.InvitationData) { d.Message = strings.Repeat("é", 501) }, "inviter's message"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := anInvitation()
			c.change(&d)
			_, err := wording.Templates{}.Invitation(language.Default, d)
			var invalid *input.InvalidError
			if !errors.As(err, &invalid) || invalid.Field != c.field {
				t.Errorf("got %v, want an InvalidError for the %s", err, c.field)
			}
		})
	}
}

func TestInvitationTakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*wording.InvitationData)
		says   string // a line of the text
	}{
		"a message of 500 characters": {
			func(d *wording.InvitationData) { d.Message = strings.Repeat("é", 500) }, "> " + strings.Repeat("é", 500),
		},
		"abbreviations in the message": {func(d *wording.InvitationData) { d.Message = "e.g. Dr. J. Doe, z.B." }, "> e.g. Dr. J. Doe, z.B."},
		"a Chinese full stop":          {func(d *wording.InvitationData) { d.Message = "你好。我们等你。" }, "> 你好。我们等你。"},
		"a foreign dot in a host name": {func(d *wording.InvitationData) { d.Message = "evil．example" }, "> evil． example"},
		"an IP address":                {func(d *wording.InvitationData) { d.Message = "10.0.0.1" }, "> 10. 0.0.1"},
		"many empty lines":             {func(d *wording.InvitationData) { d.Message = "\n\na \n\n\n\n b\n\n" }, "> a\n>\n> b"},
		"an initial in a name": {
			func(d *wording.InvitationData) { d.InvitedBy = "J.R.R. Tolkien" }, "J.R.R. Tolkien has invited you to join Acme & Söhne as Developer <Staging>.",
		},
		"a host name as a name": {func(d *wording.InvitationData) { d.Name = "evil.example/x" }, "Hello evil. example/x,"},
		"an organization with its host name as the name": {
			func(d *wording.InvitationData) { d.Organization, d.InvitedBy = "Acme.com", "" }, "You've been invited to join Acme.com as Developer <Staging>.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := anInvitation()
			c.change(&d)
			got, err := wording.Templates{}.Invitation(language.Default, d)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains("\n"+got.Text, "\n"+c.says+"\n") {
				t.Errorf("got\n%s\nwant it to say\n%s", got.Text, c.says)
			}
		})
	}
}

func TestSubjectIsNeverTooLong(t *testing.T) {
	t.Parallel()
	d := anInvitation()
	d.Organization = strings.Repeat("Ü", 300)
	c, err := wording.Templates{}.Invitation(language.Default, d)
	if err != nil {
		t.Fatal(err)
	}
	writes(t, c)
}
