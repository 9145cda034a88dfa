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

// Fields of the forms. Each value is the name of a field and the id of its input.
// No two forms on a page share a field name.
const (
	// Create an account.
	fieldChoice     = "address-choice"
	fieldCode       = "code"
	fieldUserName   = "user-name"
	fieldGivenName  = "given-name"
	fieldFamilyName = "family-name"
	fieldPassword   = "password"
	fieldAgain      = "password-again"
	// Confirm another address.
	fieldEmail = "email"
	// Sign in.
	fieldSignInName     = "sign-in-name"
	fieldSignInPassword = "sign-in-password"
	// Decline.
	fieldReason  = "reason"
	fieldDecline = "decline"
)

// Values of fields that people do not type.
const (
	// choiceOther selects the other address. Any other value selects the invited
	// address.
	choiceOther = "other"
	ticked      = "yes"
)

const (
	// maxBody is the maximum size of a form in bytes. The longest valid form is far
	// below it.
	maxBody = 16 << 10
	// maxName is the maximum length of a DisplayText.
	maxName = 100
	// maxReason is the maximum length of a reason for declining, in characters.
	maxReason = 500
)

// form holds what a person typed into one of the forms.
type form struct {
	UserName, GivenName, FamilyName string
	Email, SignInName, Reason       string
	password, again, signInPassword string
	choice, code, signInCode        string
	// appCode and passkey set up the second factor of a new account.
	appCode, passkey string
	declines         bool
	// fresh means that the form that creates an account was not sent, so it gets its
	// initial values.
	fresh bool
}

// UsesOther reports whether the new account gets the other address.
func (f form) UsesOther() bool { return f.choice == choiceOther }

// filledIn returns the form with the names from the Invitation, or else from its
// Membership.
func (f form) filledIn(seen store.LinkView) form {
	f.GivenName, f.FamilyName = string(seen.Invitation.Spec.GivenName), string(seen.Invitation.Spec.FamilyName)
	if f.GivenName == "" && f.FamilyName == "" && seen.Membership != nil {
		f.GivenName, f.FamilyName = string(seen.Membership.Spec.GivenName), string(seen.Membership.Spec.FamilyName)
	}
	return f
}

// otherAddress returns the typed address without surrounding spaces.
func (f form) otherAddress() string { return strings.TrimSpace(f.Email) }

// userName returns the typed user name in lower case and without surrounding
// spaces, because phones add capitals and spaces.
func (f form) userName() string { return strings.ToLower(strings.TrimSpace(f.UserName)) }

// problem is something that the person has to correct. Without a Field it
// concerns no single field.
type problem struct{ Field, Text string }

// textOf returns the text of a field's problem, or "".
func textOf(problems []problem, field string) string {
	for _, p := range problems {
		if p.Field == field {
			return p.Text
		}
	}
	return ""
}

// Label returns the id of the field's label.
func (p problem) Label() string { return "portal.field." + p.Field }

// readValues reads the fields of a form, or returns the status and the message to
// answer with. It refuses a form that repeats a field, because different parsers
// would use different values.
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

// readForm reads one of the forms with readValues.
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

// problems returns everything that must be corrected before an account with that
// address can be created, in the order of the fields. It does not check whether
// the user name is taken, nor the address and the second factor: the portal adds
// those problems.
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

// signInProblems returns a problem for each empty field of the sign-in form.
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

// declineProblems returns what must be corrected before the invitation can be
// declined.
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

// cleanReason returns a reason in the stored form: lines of plain text.
func cleanReason(reason string) string {
	lines := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\t", " ").Replace(norm.NFC.String(reason))
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && unprintable(r) {
			return -1
		}
		return r
	}, lines))
}

// cleanName returns a name in the stored form.
func cleanName(name string) string { return strings.TrimSpace(norm.NFC.String(name)) }

// userNameProblem returns the text that says why a user name is refused, or "".
func userNameProblem(lang language.Tag, name, qualifier string) string {
	err := username.CheckWith(name, qualifier)
	if err == nil {
		return ""
	}
	refusal := &username.Refusal{Reason: username.ReasonCharacters}
	errors.As(err, &refusal)
	return lang.Text("portal.problem.user-name-"+string(refusal.Reason), refusal)
}

// nameProblem returns the text that says what is wrong with a given or family
// name, or "".
func nameProblem(lang language.Tag, name string) string {
	switch name = cleanName(name); {
	case utf8.RuneCountInString(name) > maxName:
		return lang.Text("portal.problem.name-long", map[string]int{"Most": maxName})
	case strings.ContainsFunc(name, unprintable):
		return lang.Text("portal.problem.name-control", nil)
	}
	return ""
}

// passwordProblem returns the text that says why a password is refused, or "".
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

// unprintable reports whether r breaks a line, changes the text direction or is
// invisible. The API server refuses the same characters.
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
