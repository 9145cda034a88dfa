// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"time"

	"github.com/usher-dev/usher/internal/wording/language"
	"github.com/usher-dev/usher/internal/wording/template"
)

// vocabularies holds the vocabularies of the messages, by the first part of their keys.
var vocabularies = template.Vocabularies{
	"invitation": {
		Must: "Link", Secrets: []string{"Link"}, Links: []string{"Link"},
		Full: sample(InvitationData{
			Organization: "Acme", Role: "Developer", InvitedBy: "Grace Hopper", Name: "Jane Doe",
			Link: sampleURL, ValidUntil: sampleTime, Message: "Welcome!\n\nSee you on Monday.",
		}),
		Bare: sample(InvitationData{Organization: "Acme", Role: "Developer", Link: sampleURL, ValidUntil: sampleTime}),
	},
	"confirmation": {
		Links: []string{"PortalURL", "SignInURL"},
		Full: sample(ConfirmationData{
			Organization: "Acme", Role: "Developer", Name: "Jane Doe", UserName: "jane", Address: sampleAddress,
			KubernetesUser: "usher:jane", Permissions: []string{"Deploy applications: Staging", "Read logs"},
			PortalURL: sampleURL, SignInURL: sampleURL, SupportContact: "help@example.com",
		}),
		Bare: sample(ConfirmationData{
			Organization: "Acme", Role: "Developer", UserName: "jane", Address: sampleAddress,
			KubernetesUser: "usher:jane", PortalURL: sampleURL, SignInURL: sampleURL,
		}),
	},
	"joined": {
		Full: sample(JoinedData{Organization: "Acme", Role: "Developer", Name: "Jane Doe", Address: sampleAddress, UserName: "jane"}),
		Bare: sample(JoinedData{Organization: "Acme", Role: "Developer", Address: sampleAddress, UserName: "jane"}),
	},
	"declined": {
		Full: sample(DeclinedData{
			Organization: "Acme", Role: "Developer", Name: "Jane Doe", Address: sampleAddress, Reason: "No time.\nSorry!",
		}),
		Bare: sample(DeclinedData{Organization: "Acme", Role: "Developer", Address: sampleAddress}),
	},
	"code": {
		Must: "Code", Secrets: []string{"Code"},
		Full: sample(CodeData{Organization: "Acme", Name: "Jane Doe", Code: "1234 5678", Minutes: 10}),
		Bare: sample(CodeData{Organization: "Acme", Code: "1234 5678", Minutes: 10}),
	},
}

const (
	sampleURL     = "https://usher.example.com/invitation/sample"
	sampleAddress = "jane.doe@example.com"
)

var sampleTime = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)

func sample(d interface {
	letter(tag language.Tag) (template.Message, error)
},
) template.Message {
	l, err := d.letter(language.Default)
	if err != nil {
		panic(err)
	}
	return l
}
