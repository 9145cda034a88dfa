// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"cmp"
	"strings"

	"github.com/usher-dev/usher/internal/wording/language"
)

// InvitationSMS writes the invitation as a short message: who invites, the organization, the link and
// until when. Nothing else of the data is said, though all of it is checked as it is for the mail. The
// sentences are in the GSM alphabet (3GPP TS 23.038), so that 160 characters fit into one message
// unless a name has other letters. The error is an *input.InvalidError.
func InvitationSMS(tag language.Tag, d InvitationData) (string, error) {
	l, err := d.letter(tag)
	if err != nil {
		return "", err
	}
	l.Values["ValidUntil"] = d.ValidUntil.UTC().Format("2006-01-02 15:04 UTC")
	if l.Values["InvitedBy"] == "" {
		return page{l}.Say("mail.sms.invited"), nil
	}
	return page{l}.Say("mail.sms.invites"), nil
}

// JoinedChat writes the line that tells a chat who has joined. Whoever has no name is called by the
// user name; the address is never said. Characters that a chat could take for markup, a mention or a
// link are replaced by their full-width twins, which no chat reads: "@here" becomes "＠here". The
// error is an *input.InvalidError.
func JoinedChat(tag language.Tag, d JoinedData) (string, error) {
	l, err := d.letter(tag)
	if err != nil {
		return "", err
	}
	l.Values["Name"] = cmp.Or(l.Values["Name"], l.Values["UserName"])
	for name, value := range l.Values {
		l.Values[name] = strings.Map(harmless, value)
	}
	return page{l}.Say("mail.chat.joined"), nil
}

// harmless maps a character that means something to some chat to one that looks the same and means
// nothing. What is left of ASCII is what names are made of.
func harmless(r rune) rune {
	const toFullWidth = '！' - '!'
	switch {
	case r > '~' || r == ' ' || strings.ContainsRune("'-.,", r):
		return r
	case r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z':
		return r
	}
	return r + toFullWidth
}
