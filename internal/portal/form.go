// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

// Fields of the forms: their names, and the ids of their inputs. No two forms
// of a page have a field of the same name.
const (
	// To make an account.
	fieldChoice     = "address-choice"
	fieldCode       = "code"
	fieldUserName   = "user-name"
	fieldGivenName  = "given-name"
	fieldFamilyName = "family-name"
	fieldPassword   = "password"
	fieldAgain      = "password-again"
	// To give another address.
	fieldEmail = "email"
	// To sign in.
	fieldSignInName     = "sign-in-name"
	fieldSignInPassword = "sign-in-password"
	// To decline.
	fieldReason  = "reason"
	fieldDecline = "decline"
)

// Values of fields that people do not type.
const (
	// choiceOther stands for the other address, and anything else for the invited one.
	choiceOther = "other"
	ticked      = "yes"
)

const (
	// maxBody is the size of a form; the longest that can be taken is far below.
	maxBody = 16 << 10
	// maxName is the length of a DisplayText.
	maxName = 100
	// maxReason is how long a reason for declining may be, in characters.
	maxReason = 500
)

// form is what somebody typed into one of the forms.
type form struct {
	UserName, GivenName, FamilyName string
	Email, SignInName, Reason       string
	password, again, signInPassword string
	choice, code, signInCode        string
	// appCode and passkey are the second factor of a new account.
	appCode, passkey string
	declines         bool
	// fresh: the form that makes an account was not sent, so that it is filled
	// in as at the beginning.
	fresh bool
}

// UsesOther tells whether the account is to have the other address.
func (f form) UsesOther() bool { return f.choice == choiceOther }

// filledIn is the form with what the invitation knows about the person.
func (f form) filledIn(seen store.LinkView) form {
	f.GivenName, f.FamilyName = string(seen.Invitation.Spec.GivenName), string(seen.Invitation.Spec.FamilyName)
	if f.GivenName == "" && f.FamilyName == "" && seen.Membership != nil {
		f.GivenName, f.FamilyName = string(seen.Membership.Spec.GivenName), string(seen.Membership.Spec.FamilyName)
	}
	return f
}

// otherAddress is the address that was meant.
func (f form) otherAddress() string { return strings.TrimSpace(f.Email) }

// userName is the user name that was meant: capitals and spaces around it are
// how telephones write.
func (f form) userName() string { return strings.ToLower(strings.TrimSpace(f.UserName)) }

// problem is something that has to be put right: in one field or, without
// one, in none of them.
type problem struct{ Field, Text string }

// textOf is the text of a field's problem, or empty.
func textOf(problems []problem, field string) string {
	for _, p := range problems {
		if p.Field == field {
			return p.Text
		}
	}
	return ""
}

// Label is the id of what the page calls the field.
func (p problem) Label() string { return "portal.field." + p.Field }

// readValues reads the fields of a form, or gives the status and the message to
// answer with. Every field comes once: of two, different readers would take
// different ones.
func readValues(w http.ResponseWriter, r *http.Request) (url.Values, int, message) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return nil, http.StatusUnsupportedMediaType, unreadable
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		w.Header().Set("Connection", "close")
		return nil, http.StatusRequestEntityTooLarge, tooMuch
	}
	if err != nil {
		return nil, http.StatusBadRequest, unreadable
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, http.StatusBadRequest, unreadable
	}
	for name, all := range values {
		if len(all) != 1 || !utf8.ValidString(all[0]) || strings.ContainsAny(name, "[]") {
			return nil, http.StatusBadRequest, unreadable
		}
	}
	return values, 0, message{}
}

// readForm reads one of the forms, as readValues does.
func readForm(w http.ResponseWriter, r *http.Request) (form, int, message) {
	values, status, refusal := readValues(w, r)
	if status != 0 {
		return form{}, status, refusal
	}
	return form{
		UserName:       values.Get(fieldUserName),
		GivenName:      values.Get(fieldGivenName),
		FamilyName:     values.Get(fieldFamilyName),
		Email:          values.Get(fieldEmail),
		SignInName:     values.Get(fieldSignInName),
		Reason:         values.Get(fieldReason),
		password:       values.Get(fieldPassword),
		again:          values.Get(fieldAgain),
		signInPassword: values.Get(fieldSignInPassword),
		choice:         values.Get(fieldChoice),
		code:           strings.TrimSpace(values.Get(fieldCode)),
		signInCode:     strings.TrimSpace(values.Get(fieldSignInCode)),
		appCode:        strings.TrimSpace(values.Get(fieldAppCode)),
		passkey:        values.Get(fieldPasskeyAnswer),
		declines:       values.Get(fieldDecline) == ticked,
	}, 0, message{}
}

// problems finds all that has to be put right before an account of that address
// can be made, in the order of the fields. The portal adds whether the user name
// is taken, and what is the matter with the address and with the second factor.
func (f form) problems(lang language.Tag, seen store.LinkView, email accountsv1.EmailAddress) []problem {
	var found []problem
	add := func(field, text string) {
		if text != "" {
			found = append(found, problem{field, text})
		}
	}
	add(fieldUserName, userNameProblem(lang, f.userName(), seen.Qualifier()))
	add(fieldGivenName, nameProblem(lang, f.GivenName))
	add(fieldFamilyName, nameProblem(lang, f.FamilyName))
	weakness := account.CheckPassword(f.password, account.Person{
		UserName:     f.userName(),
		Email:        string(email),
		GivenName:    f.GivenName,
		FamilyName:   f.FamilyName,
		Organization: []string{string(seen.Invitation.Spec.OrganizationRef.Name), organizationTitle(seen)},
	}, seen.FactorRequired())
	add(fieldPassword, passwordProblem(lang, f.password, weakness, seen.FactorRequired()))
	if weakness == "" && account.Normal(f.again) != account.Normal(f.password) {
		add(fieldAgain, lang.Text("portal.problem.passwords-differ", nil))
	}
	return found
}

// signInProblems finds what is missing before somebody can sign in.
func (f form) signInProblems(lang language.Tag) []problem {
	var found []problem
	if strings.TrimSpace(f.SignInName) == "" {
		found = append(found, problem{fieldSignInName, lang.Text("portal.problem.sign-in-name-empty", nil)})
	}
	if f.signInPassword == "" {
		found = append(found, problem{fieldSignInPassword, lang.Text("portal.problem.sign-in-password-empty", nil)})
	}
	return found
}

// declineProblems finds what has to be put right before somebody has declined.
func (f form) declineProblems(lang language.Tag) []problem {
	var found []problem
	if utf8.RuneCountInString(cleanReason(f.Reason)) > maxReason {
		found = append(found, problem{fieldReason, lang.Text("portal.problem.reason-long", map[string]int{"Most": maxReason})})
	}
	if !f.declines {
		found = append(found, problem{fieldDecline, lang.Text("portal.problem.decline-unticked", nil)})
	}
	return found
}

// cleanReason is a reason as it is stored: lines of plain text.
func cleanReason(reason string) string {
	lines := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\t", " ").Replace(norm.NFC.String(reason))
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && unprintable(r) {
			return -1
		}
		return r
	}, lines))
}

// cleanName is a name as it is stored.
func cleanName(name string) string { return strings.TrimSpace(norm.NFC.String(name)) }

// userNameProblem is why a user name cannot be taken, in words, or empty.
func userNameProblem(lang language.Tag, name, qualifier string) string {
	err := username.CheckWith(name, qualifier)
	if err == nil {
		return ""
	}
	refusal := &username.Refusal{Reason: username.ReasonCharacters}
	errors.As(err, &refusal)
	return lang.Text("portal.problem.user-name-"+string(refusal.Reason), refusal)
}

// nameProblem is what is wrong with a given or family name, or empty.
func nameProblem(lang language.Tag, name string) string {
	switch name = cleanName(name); {
	case utf8.RuneCountInString(name) > maxName:
		return lang.Text("portal.problem.name-long", map[string]int{"Most": maxName})
	case strings.ContainsFunc(name, unprintable):
		return lang.Text("portal.problem.name-control", nil)
	}
	return ""
}

// passwordProblem is why a password cannot be taken, in words, or empty.
func passwordProblem(lang language.Tag, password string, weakness account.Weakness, secondFactor bool) string {
	if weakness == "" {
		return ""
	}
	length, least := account.PasswordLength(password), account.LeastLength(secondFactor)
	return lang.Text("portal.problem.password-"+string(weakness), map[string]int{
		"Length": length, "Missing": least - length,
		"Least": least, "Most": account.MaxPasswordLength,
	})
}

// unprintable are the characters that break a line, turn its direction or
// cannot be seen. The API server refuses the same.
func unprintable(r rune) bool { return unicode.In(r, unicode.Cc, unseen) }

var unseen = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x00ad, 0x00ad, 1},
		{0x115f, 0x1160, 1},
		{0x200b, 0x200b, 1},
		{0x2028, 0x202e, 1},
		{0x2060, 0x206f, 1},
		{0x2800, 0x2800, 1},
		{0x3164, 0x3164, 1},
		{0xfeff, 0xfeff, 1},
		{0xffa0, 0xffa0, 1},
		{0xfff9, 0xfffb, 1},
	},
	R32: []unicode.Range32{{0xe0000, 0xe007f, 1}},
}
