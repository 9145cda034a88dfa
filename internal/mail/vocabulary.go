// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package mail

import (
	"maps"
	"slices"
	"time"

	"github.com/usher-dev/usher/internal/wording/language"
)

// vocabulary is what the templates of a message can say.
type vocabulary struct {
	// must is the value that text and HTML have to show; empty if there is none.
	must string
	// secrets are the values that a subject must not show, as it is on every locked screen, and that must
	// stand alone, so that they are no part of an address.
	secrets []string
	// links are the values that can be a href.
	links []string
	// full and bare are samples with all values and with the required ones alone.
	full, bare letter
}

// fields are the names of the values, sorted.
func (v vocabulary) fields() []string { return slices.Sorted(maps.Keys(v.full.values)) }

// samples are a letter that says everything and one that says little.
func (v vocabulary) samples() []letter { return []letter{v.full, v.bare} }

// required tells whether a value is never empty.
func (v vocabulary) required(field string) bool { return v.bare.values[field] != "" }

// vocabularies are those of the messages, by the first part of their keys.
var vocabularies = map[string]vocabulary{
	"invitation": {
		must: "Link", secrets: []string{"Link"}, links: []string{"Link"},
		full: sample(InvitationData{
			Organization: "Acme", Role: "Developer", InvitedBy: "Grace Hopper", Name: "Jane Doe",
			Link: sampleURL, ValidUntil: sampleTime, Message: "Welcome!\n\nSee you on Monday.",
		}),
		bare: sample(InvitationData{Organization: "Acme", Role: "Developer", Link: sampleURL, ValidUntil: sampleTime}),
	},
	"confirmation": {
		links: []string{"PortalURL", "SignInURL"},
		full: sample(ConfirmationData{
			Organization: "Acme", Role: "Developer", Name: "Jane Doe", UserName: "jane", Address: sampleAddress,
			KubernetesUser: "usher:jane", Permissions: []string{"Deploy applications: Staging", "Read logs"},
			PortalURL: sampleURL, SignInURL: sampleURL, SupportContact: "help@example.com",
		}),
		bare: sample(ConfirmationData{
			Organization: "Acme", Role: "Developer", UserName: "jane", Address: sampleAddress,
			KubernetesUser: "usher:jane", PortalURL: sampleURL, SignInURL: sampleURL,
		}),
	},
	"joined": {
		full: sample(JoinedData{Organization: "Acme", Role: "Developer", Name: "Jane Doe", Address: sampleAddress, UserName: "jane"}),
		bare: sample(JoinedData{Organization: "Acme", Role: "Developer", Address: sampleAddress, UserName: "jane"}),
	},
	"declined": {
		full: sample(DeclinedData{
			Organization: "Acme", Role: "Developer", Name: "Jane Doe", Address: sampleAddress, Reason: "No time.\nSorry!",
		}),
		bare: sample(DeclinedData{Organization: "Acme", Role: "Developer", Address: sampleAddress}),
	},
	"code": {
		must: "Code", secrets: []string{"Code"},
		full: sample(CodeData{Organization: "Acme", Name: "Jane Doe", Code: "1234 5678", Minutes: 10}),
		bare: sample(CodeData{Organization: "Acme", Code: "1234 5678", Minutes: 10}),
	},
}

const (
	sampleURL     = "https://usher.example.com/invitation/sample"
	sampleAddress = "jane.doe@example.com"
)

var sampleTime = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)

func sample(d interface {
	letter(tag language.Tag) (letter, error)
},
) letter {
	l, err := d.letter(language.Default)
	if err != nil {
		panic(err)
	}
	return l
}
