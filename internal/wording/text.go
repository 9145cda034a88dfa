// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"cmp"
	"strings"

	"github.com/usher-dev/usher/internal/wording/language"
)

// InvitationSMS writes the invitation as a short message: the inviter, the organization, the link and
// its expiry. It leaves out all other data, but checks all of it as for the mail. The sentences use the
// GSM alphabet (3GPP TS 23.038), so 160 characters fit into one message unless a name has other
// letters. The error is an *input.InvalidError.
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

// JoinedChat writes the line that announces a new member in a chat. It uses the user name for a person
// without a name, and never shows the address. It replaces characters that a chat could take for
// markup, a mention or a link by their full-width forms, which no chat interprets: "@here" becomes
// "＠here". The error is an *input.InvalidError.
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

// harmless maps a character that has a meaning in some chat to one that looks the same and has none.
// The ASCII characters that it keeps are those that names consist of.
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
