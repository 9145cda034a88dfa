// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package mail

import (
	"embed"
	"fmt"
	htmltemplate "html/template"
	"net/url"
	"strings"
	texttemplate "text/template"
	"time"
)

//go:embed templates
var templates embed.FS

var (
	invitationText = texttemplate.Must(texttemplate.ParseFS(templates, "templates/invitation.txt"))
	invitationHTML = htmltemplate.Must(htmltemplate.ParseFS(templates, "templates/invitation.html"))
)

// InvitationData is what an invitation tells the person who is invited.
type InvitationData struct {
	// Organization is the display name of the organization. It is required.
	Organization string
	// Role is the display name of the role. It is required.
	Role string
	// InvitedBy is the display name of who invites; it may be empty.
	InvitedBy string
	// Name is the given and family name of who is invited; it may be empty.
	Name string
	// Link is the absolute http(s) URL of this attempt. It is a secret.
	Link string
	// ValidUntil is when the link stops working. It is written in UTC, cut to the minute.
	ValidUntil time.Time
}

// Invitation writes the mail that invites a person. The error is an *InvalidError where something is
// missing, or where a name holds a line break or a web address: a name must not become a second link.
func Invitation(d InvitationData) (Content, error) {
	for _, f := range []struct {
		field    string
		value    *string
		required bool
	}{
		{"organization's name", &d.Organization, true},
		{"role's name", &d.Role, true},
		{"name of who invites", &d.InvitedBy, false},
		{"name of who is invited", &d.Name, false},
	} {
		var err error
		if *f.value, err = checkName(f.field, *f.value, f.required); err != nil {
			return Content{}, err
		}
	}
	if err := checkLink(d.Link); err != nil {
		return Content{}, err
	}
	if d.ValidUntil.IsZero() {
		return Content{}, &InvalidError{"end of validity", "is missing"}
	}
	data := struct {
		InvitationData
		Until string
	}{d, d.ValidUntil.UTC().Format("Monday, 2 January 2006, 15:04 UTC")}

	var text, html strings.Builder
	if err := invitationText.Execute(&text, data); err != nil {
		return Content{}, fmt.Errorf("writing the invitation as text: %w", err)
	}
	if err := invitationHTML.Execute(&html, data); err != nil {
		return Content{}, fmt.Errorf("writing the invitation as HTML: %w", err)
	}
	return Content{Subject: "Invitation to join " + d.Organization, Text: text.String(), HTML: html.String()}, nil
}

func checkName(field, s string, required bool) (string, error) {
	s, err := checkLine(field, s)
	if err != nil {
		return "", err
	}
	lower := strings.ToLower(s)
	switch {
	case s == "" && required:
		return "", &InvalidError{field, "is missing"}
	case strings.Contains(lower, "://") || strings.Contains(lower, "www."):
		return "", &InvalidError{field, "holds a web address"}
	}
	return s, nil
}

func checkLink(link string) error {
	u, err := url.Parse(link)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil ||
		strings.ContainsFunc(link, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>\"\\`", r) }) {
		return &InvalidError{"link", "must be an absolute http or https URL in ASCII"}
	}
	return nil
}
