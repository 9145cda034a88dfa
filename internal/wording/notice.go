// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"cmp"

	"github.com/usher-dev/usher/internal/wording/language"
	"github.com/usher-dev/usher/internal/wording/template"
)

// JoinedData is the data of the mail to owners about a person who has accepted an invitation.
type JoinedData struct {
	// Organization is the display name of the organization. It is required.
	Organization string
	// Role is the display name of the role. It is required.
	Role string
	// Name is the given and family name of the person. It can be empty.
	Name string
	// Address is the mail address of the person. It is required.
	Address string
	// UserName is the name that the person signs in with, such as jane. It is required.
	UserName string
}

// Joined writes the mail to an owner about a person who has accepted an invitation.
func (t Templates) Joined(tag language.Tag, d JoinedData) (Content, error) {
	l, err := d.letter(tag)
	if err != nil {
		return Content{}, err
	}
	return t.write(l)
}

func (d JoinedData) letter(tag language.Tag) (template.Message, error) {
	var c checks
	values := map[string]string{
		"Organization": c.name("organization's name", d.Organization),
		"Role":         c.name("role's name", d.Role),
		"Name":         c.person("person's name", d.Name),
		"Address":      c.address("person's address", d.Address),
		"UserName":     c.userName("user name", d.UserName),
	}
	values["Person"] = cmp.Or(values["Name"], values["Address"])
	return template.Message{Kind: "joined", Tag: tag, Values: values}, c.err
}

// DeclinedData is the data of the mail to owners about a person who has declined an invitation.
type DeclinedData struct {
	// Organization is the display name of the organization. It is required.
	Organization string
	// Role is the display name of the role. It is required.
	Role string
	// Name is the given and family name of the person. It can be empty.
	Name string
	// Address is the invited mail address. It is required.
	Address string
	// Reason is the text that the person typed. It can be empty, and it is never an error. It is cut to
	// 500 characters. A string that looks like a web address gets a space inside, so that no program
	// turns it into a link.
	Reason string
}

// Declined writes the mail to an owner about a person who has declined an invitation.
func (t Templates) Declined(tag language.Tag, d DeclinedData) (Content, error) {
	l, err := d.letter(tag)
	if err != nil {
		return Content{}, err
	}
	return t.write(l)
}

func (d DeclinedData) letter(tag language.Tag) (template.Message, error) {
	var c checks
	values := map[string]string{
		"Organization": c.name("organization's name", d.Organization),
		"Role":         c.name("role's name", d.Role),
		"Name":         c.person("person's name", d.Name),
		"Address":      c.address("person's address", d.Address),
		"Reason":       quotable(d.Reason),
	}
	values["Person"] = cmp.Or(values["Name"], values["Address"])
	return template.Message{Kind: "declined", Tag: tag, Values: values, Lines: map[string]string{"Reason": "> "}}, c.err
}
