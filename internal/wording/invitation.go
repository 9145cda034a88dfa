// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"time"

	"github.com/usher-dev/usher/internal/wording/language"
	"github.com/usher-dev/usher/internal/wording/template"
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
	// Message is what who invites wants to say: plain text of up to 500 characters and any number of
	// lines, without web addresses. It may be empty.
	Message string
}

// Invitation writes the mail that invites a person.
func (t Templates) Invitation(tag language.Tag, d InvitationData) (Content, error) {
	l, err := d.letter(tag)
	if err != nil {
		return Content{}, err
	}
	return t.write(l)
}

func (d InvitationData) letter(tag language.Tag) (template.Message, error) {
	var c checks
	values := map[string]string{
		"Organization": c.name("organization's name", d.Organization),
		"Role":         c.name("role's name", d.Role),
		"InvitedBy":    c.person("name of who invites", d.InvitedBy),
		"Name":         c.person("name of who is invited", d.Name),
		"Message":      c.message("message of who invites", d.Message),
		"Link":         c.link("link", d.Link),
		"ValidUntil":   c.date(tag, "end of validity", d.ValidUntil),
	}
	return template.Message{Kind: "invitation", Tag: tag, Values: values, Lines: map[string]string{"Message": "> "}}, c.err
}
