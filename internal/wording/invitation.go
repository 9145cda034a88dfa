// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"time"

	"github.com/usher-dev/usher/internal/wording/language"
	"github.com/usher-dev/usher/internal/wording/template"
)

// InvitationData is the data of the mail to an invited person.
type InvitationData struct {
	// Organization is the display name of the organization. It is required.
	Organization string
	// Role is the display name of the role. It is required.
	Role string
	// InvitedBy is the display name of the inviter. It can be empty.
	InvitedBy string
	// Name is the given and family name of the invited person. It can be empty.
	Name string
	// Link is the absolute http(s) URL of this attempt. It is a secret.
	Link string
	// ValidUntil is when the link stops working. It is written in UTC, cut to the minute.
	ValidUntil time.Time
	// Message is the inviter's message: plain text of up to 500 characters and any number of lines,
	// without web addresses. It can be empty.
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
		"InvitedBy":    c.person("inviter's name", d.InvitedBy),
		"Name":         c.person("invited person's name", d.Name),
		"Message":      c.message("inviter's message", d.Message),
		"Link":         c.link("link", d.Link),
		"ValidUntil":   c.date(tag, "end of validity", d.ValidUntil),
	}
	return template.Message{Kind: "invitation", Tag: tag, Values: values, Lines: map[string]string{"Message": "> "}}, c.err
}
