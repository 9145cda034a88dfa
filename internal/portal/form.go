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

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
)

// Fields of the form: their names, and the ids of their inputs.
const (
	fieldUserName   = "user-name"
	fieldGivenName  = "given-name"
	fieldFamilyName = "family-name"
	fieldPassword   = "password"
	fieldAgain      = "password-again"
)

const (
	// maxBody is the size of a form; the longest that can be taken is far below.
	maxBody = 16 << 10
	// maxName is the length of a DisplayText.
	maxName = 100
)

// form is what somebody typed.
type form struct {
	UserName, GivenName, FamilyName string
	password, again                 string
}

// userName is the user name that was meant: capitals and spaces around it are
// how telephones write.
func (f form) userName() string { return strings.ToLower(strings.TrimSpace(f.UserName)) }

// problem is something that has to be put right: in one field or, without
// one, in none of them.
type problem struct{ Field, Text string }

// Label is how the page calls the field.
func (p problem) Label() string { return labels[p.Field] }

var labels = map[string]string{
	fieldUserName:   "User name",
	fieldGivenName:  "Given name",
	fieldFamilyName: "Family name",
	fieldPassword:   "Password",
	fieldAgain:      "Password again",
}

// readForm reads a form, or gives the status and the message to answer with.
// Every field comes once: of two, different readers would take different ones.
func readForm(w http.ResponseWriter, r *http.Request) (form, int, message) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return form{}, http.StatusUnsupportedMediaType, unreadable
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		w.Header().Set("Connection", "close")
		return form{}, http.StatusRequestEntityTooLarge, tooMuch
	}
	if err != nil {
		return form{}, http.StatusBadRequest, unreadable
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return form{}, http.StatusBadRequest, unreadable
	}
	for name, all := range values {
		if len(all) != 1 || !utf8.ValidString(all[0]) || strings.ContainsAny(name, "[]") {
			return form{}, http.StatusBadRequest, unreadable
		}
	}
	return form{
		UserName:   values.Get(fieldUserName),
		GivenName:  values.Get(fieldGivenName),
		FamilyName: values.Get(fieldFamilyName),
		password:   values.Get(fieldPassword),
		again:      values.Get(fieldAgain),
	}, 0, message{}
}

// problems finds all that has to be put right before an account can be made,
// in the order of the fields. The portal adds whether the user name is taken.
func (f form) problems(seen sight) []problem {
	var found []problem
	add := func(field string, err error) {
		if err != nil {
			found = append(found, problem{field, sentence(err.Error())})
		}
	}
	add(fieldUserName, invitation.CheckUserName(f.userName()))
	add(fieldGivenName, checkName(f.GivenName))
	add(fieldFamilyName, checkName(f.FamilyName))
	weakness := account.CheckPassword(f.password, account.Person{
		UserName:     f.userName(),
		Email:        string(seen.Invitation.Spec.Email),
		GivenName:    f.GivenName,
		FamilyName:   f.FamilyName,
		Organization: []string{string(seen.Invitation.Spec.OrganizationRef.Name), organizationTitle(seen)},
	})
	add(fieldPassword, weakness)
	if weakness == nil && account.Normal(f.again) != account.Normal(f.password) {
		add(fieldAgain, errors.New("the two passwords differ: type the same password in both fields"))
	}
	return found
}

// cleanName is a name as it is stored.
func cleanName(name string) string { return strings.TrimSpace(norm.NFC.String(name)) }

func checkName(name string) error {
	switch name = cleanName(name); {
	case utf8.RuneCountInString(name) > maxName:
		return errors.New("this name is too long: 100 characters are the most")
	case strings.ContainsFunc(name, unprintable):
		return errors.New("write the name on one line, without control characters")
	}
	return nil
}

// unprintable are the characters that break a line or turn its direction.
func unprintable(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}
