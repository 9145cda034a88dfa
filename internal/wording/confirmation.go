// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"strings"

	"github.com/usher-dev/usher/internal/wording/language"
	"github.com/usher-dev/usher/internal/wording/template"
)

// ConfirmationData is the data of the mail to a person who has accepted an invitation.
type ConfirmationData struct {
	// Organization is the display name of the organization. It is required.
	Organization string
	// Role is the display name of the role. It is required.
	Role string
	// Name is the given and family name of the person. It can be empty.
	Name string
	// UserName is the name that the person signs in with, such as jane. It is required.
	UserName string
	// Address is the mail address that the person signs in with. It is required.
	Address string
	// KubernetesUser is the person's user name in the cluster, such as usher:jane. It is required.
	KubernetesUser string
	// Permissions are what the person can do, one line each, such as "Deploy applications: Staging,
	// Production". It can be empty.
	Permissions []string
	// PortalURL is the absolute http(s) URL of the portal. It is required, although only an
	// organization's own wording shows it.
	PortalURL string
	// SignInURL is the absolute http(s) URL of the sign-in page. It is required.
	SignInURL string
	// SupportContact is as in ResetData.
	SupportContact string
}

// Confirmation writes the mail to a person who has accepted an invitation.
func (t Templates) Confirmation(tag language.Tag, d ConfirmationData) (Content, error) {
	l, err := d.letter(tag)
	if err != nil {
		return Content{}, err
	}
	return t.write(l)
}

func (d ConfirmationData) letter(tag language.Tag) (template.Message, error) {
	var c checks
	values := map[string]string{
		"Organization":   c.name("organization's name", d.Organization),
		"Role":           c.name("role's name", d.Role),
		"Name":           c.person("person's name", d.Name),
		"UserName":       c.userName("user name", d.UserName),
		"Address":        c.address("person's address", d.Address),
		"KubernetesUser": c.name("Kubernetes user name", d.KubernetesUser),
		"PortalURL":      c.link("address of the portal", d.PortalURL),
		"SignInURL":      c.link("address of the sign-in page", d.SignInURL),
		"SupportContact": contact(d.SupportContact),
	}
	var permissions []string
	for _, p := range d.Permissions {
		permissions = append(permissions, c.name("list of permissions", p))
	}
	values["Permissions"] = strings.Join(permissions, "\n")
	return template.Message{Kind: "confirmation", Tag: tag, Values: values, Lines: map[string]string{"Permissions": "- "}}, c.err
}
