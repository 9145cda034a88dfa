// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"regexp"
	"strconv"

	"github.com/usher-dev/usher/internal/wording/language"
	"github.com/usher-dev/usher/internal/wording/template"
)

// codeForm matches groups of letters and digits that a person can type.
var codeForm = regexp.MustCompile(`^[0-9A-Za-z]{1,20}([ -][0-9A-Za-z]{1,20}){0,7}$`)

// CodeData is the data of the mail with a code that confirms an address.
type CodeData struct {
	// Organization is the display name of the organization. It is required.
	Organization string
	// Name is the given and family name of the person. It can be empty.
	Name string
	// Code is the text that the person types, such as "1234 5678". It is a secret.
	Code string
	// Minutes is how long the code is valid: 1 or more.
	Minutes int
}

// Code writes the mail with a code that confirms the recipient's address.
func (t Templates) Code(tag language.Tag, d CodeData) (Content, error) {
	l, err := d.letter(tag)
	if err != nil {
		return Content{}, err
	}
	return t.write(l)
}

// groups writes a code in two groups, as a person reads it.
func groups(code string) string { return code[:len(code)/2] + " " + code[len(code)/2:] }

func (d CodeData) letter(tag language.Tag) (template.Message, error) {
	var c checks
	values := map[string]string{
		"Organization": c.name("organization's name", d.Organization),
		"Name":         c.person("person's name", d.Name),
		"Code":         c.code(d.Code),
		"Minutes":      c.minutes(d.Minutes),
	}
	return template.Message{Kind: "code", Tag: tag, Values: values, Count: d.Minutes}, c.err
}

// code checks a code that a person types. The error does not repeat it.
func (c *checks) code(code string) string {
	c.require(codeForm.MatchString(code), "code", "must be groups of letters and digits, such as 1234 5678")
	return code
}

// minutes checks how long a code is valid.
func (c *checks) minutes(minutes int) string {
	c.require(minutes > 0, "validity of the code", "must be one minute or more")
	return strconv.Itoa(minutes)
}
