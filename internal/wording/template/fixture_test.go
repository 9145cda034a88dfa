// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template_test

import (
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/usher-dev/usher/internal/notifier/email"
	"github.com/usher-dev/usher/internal/wording"
)

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

func aConfirmation() wording.ConfirmationData {
	return wording.ConfirmationData{
		Organization:   "Acme & Söhne",
		Role:           "Developer <Staging>",
		Name:           "Jane Doe",
		UserName:       "jane",
		Address:        "jane.doe@example.com",
		KubernetesUser: "usher:jane",
		Permissions:    []string{"Deploy applications: Staging, Production", "Read <logs>"},
		PortalURL:      "https://usher.example.org/?a=1&b=2",
		SignInURL:      "https://usher.example.org/sign-in?a=1&b=2",
		SupportContact: "Acme & Söhne, help@acme.example or +41 44 555 01 23",
	}
}

// elements parses HTML as a browser does and lists its elements.
func elements(t *testing.T, source string) []*html.Node {
	t.Helper()
	document, err := html.Parse(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	var out []*html.Node
	for n := range document.Descendants() {
		if n.Type == html.ElementNode {
			out = append(out, n)
		}
	}
	return out
}

// writes checks that a content can be mailed.
func writes(t *testing.T, c wording.Content) {
	t.Helper()
	m := email.Message{
		ID: "c0ffee.1.email.1790000000@usher.example.org", Date: time.Date(2026, 11, 21, 18, 10, 0, 0, time.UTC),
		From:    netmail.Address{Name: "Usher", Address: "usher@example.org"},
		To:      netmail.Address{Name: "Ada Lovelace", Address: "ada@example.com"},
		Content: email.Content(c),
	}
	if _, err := m.Bytes(); err != nil {
		t.Errorf("the mail cannot be written: %v", err)
	}
}
