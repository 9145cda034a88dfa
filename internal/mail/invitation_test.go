// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package mail_test

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

	"github.com/usher-dev/usher/internal/mail"
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

func anInvitation() mail.InvitationData {
	return mail.InvitationData{
		Organization: "Acme & Söhne",
		Role:         "Developer <Staging>",
		InvitedBy:    "Grace Hopper",
		Name:         "Ada Lovelace",
		Link:         "https://usher.example.org/accept?a=1&b=2#MDEyMzQ1Njc4OWFiY2RlZg-_x",
		ValidUntil:   time.Date(2026, 11, 28, 19, 10, 59, 0, time.FixedZone("CET", 3600)),
	}
}

func TestInvitation(t *testing.T) {
	t.Parallel()
	bare := anInvitation()
	bare.InvitedBy, bare.Name = "", ""
	for name, d := range map[string]mail.InvitationData{"invitation": anInvitation(), "invitation_bare": bare} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := mail.Invitation(d)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", "Subject: "+c.Subject+"\n\n"+c.Text)
			golden(t, name+".html", c.HTML)
		})
	}
}

func TestInvitationShowsTheLinkAsItIs(t *testing.T) {
	t.Parallel()
	d := anInvitation()
	c, err := mail.Invitation(d)
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
		change func(*mail.InvitationData)
		field  string
	}{
		"no organization":               {func(d *mail.InvitationData) { d.Organization = "" }, "organization's name"},
		"no role":                       {func(d *mail.InvitationData) { d.Role = "" }, "role's name"},
		"a line break in a name":        {func(d *mail.InvitationData) { d.Name = "Ada\n\nhttp" }, "name of who is invited"},
		"a web address as a name":       {func(d *mail.InvitationData) { d.Name = "HTTPS://evil.example" }, "name of who is invited"},
		"a web address as the inviter":  {func(d *mail.InvitationData) { d.InvitedBy = "www.evil.example" }, "name of who invites"},
		"no end of validity":            {func(d *mail.InvitationData) { d.ValidUntil = time.Time{} }, "end of validity"},
		"no link":                       {func(d *mail.InvitationData) { d.Link = "" }, "link"},
		"a relative link":               {func(d *mail.InvitationData) { d.Link = "/accept" }, "link"},
		"a script as a link":            {func(d *mail.InvitationData) { d.Link = "javascript:alert(1)" }, "link"},
		"a link with a line break":      {func(d *mail.InvitationData) { d.Link = "https://a.example/\nb" }, "link"},
		"a link with a space":           {func(d *mail.InvitationData) { d.Link = "https://a.example/ b" }, "link"},
		"a link with a password in it":  {func(d *mail.InvitationData) { d.Link = "https://a:b@a.example/" }, "link"},
		"a link with an angle bracket":  {func(d *mail.InvitationData) { d.Link = "https://a.example/>" }, "link"},
		"a link that is not ASCII only": {func(d *mail.InvitationData) { d.Link = "https://a.example/ü" }, "link"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := anInvitation()
			c.change(&d)
			_, err := mail.Invitation(d)
			var invalid *mail.InvalidError
			if !errors.As(err, &invalid) || invalid.Field != c.field {
				t.Errorf("got %v, want an InvalidError for the %s", err, c.field)
			}
		})
	}
}
