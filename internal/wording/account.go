// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"strings"
	"time"

	"github.com/usher-dev/usher/internal/wording/language"
	"github.com/usher-dev/usher/internal/wording/template"
)

// The mails about an Account speak for the portal. An Account can belong to many organizations, so none
// of them can reword these mails.

// ResetData is the data of the mail with the link for a new password. The request can come from the
// person, from an administrator or from a stranger.
type ResetData struct {
	// UserName is the name that the person signs in with, such as jane or jane/acme. It is required.
	UserName string
	// Link is the absolute http(s) URL of the page to choose the password on. It is a secret.
	Link string
	// ValidUntil is when the link stops working. It is written in UTC, cut to the minute.
	ValidUntil time.Time
	// SupportContact is the contact for help, such as a mail address or a telephone number. It can be
	// empty, and it is never an error. If it looks like a web address, it gets a space inside.
	SupportContact string
}

// Reset writes the mail with the link for a new password. It returns an *input.InvalidError if a value
// is missing, or if a user name contains a line break or a web address.
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

// LockedData is the data of the mail about a lock.
type LockedData struct {
	// UserName is the name that the person signs in with, such as jane or jane/acme. It is required.
	UserName string
	// Time is when the last password or code was entered. It is written in UTC, cut to the minute.
	Time time.Time
	// LockedUntil is when a password or a code works again. It is written in UTC, up to the next full
	// minute. It is zero if the lock was ended.
	LockedUntil time.Time
	// ResetURL is the absolute http(s) URL of the page to request a new password on. It is required.
	ResetURL string
	// SupportContact is as in ResetData.
	SupportContact string
}

// Locked writes the mail about passwords that locked an Account. It returns the errors of Reset.
func Locked(tag language.Tag, d LockedData) (Content, error) { return builtIn(d.letter(tag, "locked")) }

// CodesLocked writes the mail about codes that locked the second factor of an Account. It returns the
// errors of Reset.
func CodesLocked(tag language.Tag, d LockedData) (Content, error) {
	return builtIn(d.letter(tag, "codeslocked"))
}

func (d LockedData) letter(tag language.Tag, kind string) (template.Message, error) {
	var c checks
	until := d.LockedUntil
	if minute := until.Truncate(time.Minute); until.After(minute) {
		// A person who returns at the minute in the mail must not find the Account locked.
		until = minute.Add(time.Minute)
	}
	values := map[string]string{
		"UserName":       c.userName("user name", d.UserName),
		"Time":           c.date(tag, "time of the lock", d.Time),
		"ResetURL":       c.link("address of the reset page", d.ResetURL),
		"SupportContact": contact(d.SupportContact),
	}
	if !until.IsZero() {
		values["LockedUntil"] = c.date(tag, "end of the lock", until)
	}
	return template.Message{Kind: kind, Tag: tag, Values: values}, c.err
}

// UnlockedData is the data of the mail about an Account that an administrator unlocked.
type UnlockedData struct {
	// UserName is the name that the person signs in with, such as jane or jane/acme. It is required.
	UserName string
	// Time is when the Account was unlocked. It is written in UTC, cut to the minute.
	Time time.Time
	// ResetURL is the absolute http(s) URL of the page to request a new password on. It is required.
	ResetURL string
	// SupportContact is as in ResetData.
	SupportContact string
}

// Unlocked writes the mail about an unlocked Account. It returns the errors of Reset.
func Unlocked(tag language.Tag, d UnlockedData) (Content, error) {
	return builtIn(change(d).letter(tag, "unlocked"))
}

// PasswordChangedData is the data of the mail about a changed password.
type PasswordChangedData struct {
	// UserName is the name that the person signs in with, such as jane or jane/acme. It is required.
	UserName string
	// Time is when the password was changed. It is written in UTC, cut to the minute.
	Time time.Time
	// ResetURL is the absolute http(s) URL of the page to request a new password on. It is required.
	ResetURL string
	// SupportContact is as in ResetData.
	SupportContact string
}

// PasswordChanged writes the mail about a changed password. It returns the errors of Reset.
func PasswordChanged(tag language.Tag, d PasswordChangedData) (Content, error) {
	return builtIn(change(d).letter(tag, "password"))
}

// SecondFactorChangedData is the data of the mail about an added or removed second factor.
type SecondFactorChangedData struct {
	// UserName is the name that the person signs in with, such as jane or jane/acme. It is required.
	UserName string
	// Time is when the second factor was added or removed. It is written in UTC, cut to the minute.
	Time time.Time
	// ResetURL is the absolute http(s) URL of the page to request a new password on. It is required.
	ResetURL string
	// SupportContact is as in ResetData.
	SupportContact string
}

// SecondFactorChanged writes the mail about an added or removed second factor. It returns the errors of
// Reset.
func SecondFactorChanged(tag language.Tag, d SecondFactorChangedData) (Content, error) {
	return builtIn(change(d).letter(tag, "factor"))
}

// change is the data of a mail about a change.
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

// UserNamesData is the data of the mail with forgotten user names.
type UserNamesData struct {
	// Address is the mail address of the Accounts. It is required.
	Address string
	// UserNames are the names that the person signs in with, such as jane and jane/acme: one or more,
	// in the order of the list.
	UserNames []string
	// SignInURL is the absolute http(s) URL of the sign-in page. It is required.
	SignInURL string
	// SupportContact is as in ResetData.
	SupportContact string
}

// UserNames writes the mail with the user names of an address. It returns the errors of Reset.
func UserNames(tag language.Tag, d UserNamesData) (Content, error) { return builtIn(d.letter(tag)) }

func (d UserNamesData) letter(tag language.Tag) (template.Message, error) {
	var c checks
	var names []string
	for _, name := range d.UserNames {
		names = append(names, c.userName("list of user names", name))
	}
	c.require(len(names) > 0, "list of user names", "is missing")
	values := map[string]string{
		"Address":        c.address("address of the user names", d.Address),
		"UserNames":      strings.Join(names, "\n"),
		"SignInURL":      c.link("address of the sign-in page", d.SignInURL),
		"SupportContact": contact(d.SupportContact),
	}
	return template.Message{Kind: "usernames", Tag: tag, Values: values, Lines: map[string]string{"UserNames": "- "}, Count: len(names)}, c.err
}

// EmailCodeData is the data of the mail with a code that confirms the address of an Account. The
// recipient can be a stranger to the Account, because its address is what a manifest says.
type EmailCodeData struct {
	// UserName is the name that the person signs in with, such as jane or jane/acme. It is required.
	UserName string
	// Address is the mail address of the Account. It is required.
	Address string
	// Code is the text that the person types, such as "1234 5678". It is a secret.
	Code string
	// Minutes is how long the code is valid: 1 or more.
	Minutes int
	// SupportContact is as in ResetData.
	SupportContact string
}

// EmailCode writes the mail with a code that confirms the address of an Account. It returns the errors
// of Reset, and one if the code is not letters and digits in groups.
func EmailCode(tag language.Tag, d EmailCodeData) (Content, error) { return builtIn(d.letter(tag)) }

func (d EmailCodeData) letter(tag language.Tag) (template.Message, error) {
	var c checks
	values := map[string]string{
		"UserName":       c.userName("user name", d.UserName),
		"Address":        c.address("address of the account", d.Address),
		"Code":           c.code(d.Code),
		"Minutes":        c.minutes(d.Minutes),
		"SupportContact": contact(d.SupportContact),
	}
	return template.Message{Kind: "emailcode", Tag: tag, Values: values, Count: d.Minutes}, c.err
}

// builtIn writes a letter that organizations cannot reword, or returns the error of its data.
func builtIn(l template.Message, err error) (Content, error) {
	if err != nil {
		return Content{}, err
	}
	return Templates{}.write(l)
}
