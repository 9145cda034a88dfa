// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"strings"
	"time"

	"github.com/usher-dev/usher/internal/wording/language"
	"github.com/usher-dev/usher/internal/wording/template"
)

// The mails about an Account speak for the portal, and an Account can belong to many organizations: none
// of them can reword these.

// ResetData is what a person is told for whom a new password was asked, by themselves, by an
// administrator or by a stranger.
type ResetData struct {
	// UserName is what the person signs in as, such as jane or jane/acme. It is required.
	UserName string
	// Link is the absolute http(s) URL of the page to choose the password on. It is a secret.
	Link string
	// ValidUntil is when the link stops working. It is written in UTC, cut to the minute.
	ValidUntil time.Time
	// SupportContact is whom the person can turn to, such as a mail address or a telephone number; it may
	// be empty, and it is never an error. What looks like a web address gets a space within.
	SupportContact string
}

// Reset writes the mail with the link for a new password. The error is an *input.InvalidError where something
// is missing, or where a user name holds a line break or a web address.
func Reset(tag language.Tag, d ResetData) (Content, error) { return builtIn(d.letter(tag)) }

func (d ResetData) letter(tag language.Tag) (template.Message, error) {
	var c checks
	values := map[string]string{
		"UserName":       c.userName("user name", d.UserName),
		"Link":           c.link("link", d.Link),
		"ValidUntil":     c.date(tag, "end of validity", d.ValidUntil),
		"SupportContact": contact(d.SupportContact),
	}
	return template.Message{Kind: "reset", Tag: tag, Values: values}, c.err
}

// LockedData is what a person is told whose Account is locked.
type LockedData struct {
	// UserName is what the person signs in as, such as jane or jane/acme. It is required.
	UserName string
	// LockedUntil is when a password signs in again. It is written in UTC, up to the next full minute.
	LockedUntil time.Time
	// ResetURL is the absolute http(s) URL of the page to ask for a new password on. It is required.
	ResetURL string
	// SupportContact is as in ResetData.
	SupportContact string
}

// Locked writes the mail about an Account that is locked. Its errors are those of Reset.
func Locked(tag language.Tag, d LockedData) (Content, error) { return builtIn(d.letter(tag)) }

func (d LockedData) letter(tag language.Tag) (template.Message, error) {
	var c checks
	until := d.LockedUntil
	if minute := until.Truncate(time.Minute); until.After(minute) {
		// Whoever comes back at the minute that the mail says must not find the Account locked.
		until = minute.Add(time.Minute)
	}
	values := map[string]string{
		"UserName":       c.userName("user name", d.UserName),
		"LockedUntil":    c.date(tag, "end of the lock", until),
		"ResetURL":       c.link("address of the reset page", d.ResetURL),
		"SupportContact": contact(d.SupportContact),
	}
	return template.Message{Kind: "locked", Tag: tag, Values: values}, c.err
}

// PasswordChangedData is what a person is told whose password is another.
type PasswordChangedData struct {
	// UserName is what the person signs in as, such as jane or jane/acme. It is required.
	UserName string
	// Time is when the password was changed. It is written in UTC, cut to the minute.
	Time time.Time
	// ResetURL is the absolute http(s) URL of the page to ask for a new password on. It is required.
	ResetURL string
	// SupportContact is as in ResetData.
	SupportContact string
}

// PasswordChanged writes the mail about a password that was changed. Its errors are those of Reset.
func PasswordChanged(tag language.Tag, d PasswordChangedData) (Content, error) {
	return builtIn(change(d).letter(tag, "password"))
}

// SecondFactorChangedData is what a person is told who has a second factor more, or one less.
type SecondFactorChangedData struct {
	// UserName is what the person signs in as, such as jane or jane/acme. It is required.
	UserName string
	// Time is when the second factor was added or removed. It is written in UTC, cut to the minute.
	Time time.Time
	// ResetURL is the absolute http(s) URL of the page to ask for a new password on. It is required.
	ResetURL string
	// SupportContact is as in ResetData.
	SupportContact string
}

// SecondFactorChanged writes the mail about a second factor that was added or removed. Its errors are
// those of Reset.
func SecondFactorChanged(tag language.Tag, d SecondFactorChangedData) (Content, error) {
	return builtIn(change(d).letter(tag, "factor"))
}

// change is what both of these have to say.
type change struct {
	UserName       string
	Time           time.Time
	ResetURL       string
	SupportContact string
}

func (d change) letter(tag language.Tag, kind string) (template.Message, error) {
	var c checks
	values := map[string]string{
		"UserName":       c.userName("user name", d.UserName),
		"Time":           c.date(tag, "time of the change", d.Time),
		"ResetURL":       c.link("address of the reset page", d.ResetURL),
		"SupportContact": contact(d.SupportContact),
	}
	return template.Message{Kind: kind, Tag: tag, Values: values}, c.err
}

// UserNamesData is what a person is told who asked for forgotten user names.
type UserNamesData struct {
	// Address is the mail address that the Accounts have. It is required.
	Address string
	// UserNames are what the person signs in as, such as jane and jane/acme: one or more, in the order
	// that they are listed in.
	UserNames []string
	// SignInURL is the absolute http(s) URL of the page to sign in at. It is required.
	SignInURL string
	// SupportContact is as in ResetData.
	SupportContact string
}

// UserNames writes the mail with the user names of an address. Its errors are those of Reset.
func UserNames(tag language.Tag, d UserNamesData) (Content, error) { return builtIn(d.letter(tag)) }

func (d UserNamesData) letter(tag language.Tag) (template.Message, error) {
	var c checks
	var names []string
	for _, name := range d.UserNames {
		names = append(names, c.userName("list of user names", name))
	}
	c.that(len(names) > 0, "list of user names", "is missing")
	values := map[string]string{
		"Address":        c.address("address of the user names", d.Address),
		"UserNames":      strings.Join(names, "\n"),
		"SignInURL":      c.link("address of the sign-in page", d.SignInURL),
		"SupportContact": contact(d.SupportContact),
	}
	return template.Message{Kind: "usernames", Tag: tag, Values: values, Lines: map[string]string{"UserNames": "- "}, Count: len(names)}, c.err
}

// builtIn writes a letter that nobody can reword, unless its data has a fault.
func builtIn(l template.Message, err error) (Content, error) {
	if err != nil {
		return Content{}, err
	}
	return Templates{}.write(l)
}
