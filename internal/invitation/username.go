// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxUserName is the length of a DNS label.
const maxUserName = 63

// maxUserNameNumber ends the search for a name that is free.
const maxUserNameNumber = 10_000

// CheckUserName tells why a text cannot be a user name, in a sentence to the
// person who typed it, or returns nil. It says yes to exactly what the API
// server takes as the name of an Account.
func CheckUserName(name string) error {
	switch {
	case name == "":
		return errors.New("choose a user name, such as jane-doe")
	case utf8.RuneCountInString(name) > maxUserName:
		return fmt.Errorf("a user name has %d characters at the most: shorten it", maxUserName)
	case strings.ContainsFunc(name, func(r rune) bool { return !inUserName(r) }):
		return errors.New("use only the letters a to z in lower case, digits and dashes, such as jane-doe")
	case name[0] == '-' || name[len(name)-1] == '-':
		return errors.New("a user name starts and ends with a letter or a digit: take the dash away")
	}
	return nil
}

func inUserName(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' }

// ProposeUserNames makes up to n user names for a person, best first: from the
// name, or else from the address, or else from nothing. None of them is taken,
// and fewer come back only if there are no more to be found.
func ProposeUserNames(given, family, email string, taken func(name string) bool, n int) []string {
	bases := userNameBases(label(given), label(family), emailLabel(email))
	var proposals []string
	propose := func(name string) {
		if len(proposals) < n && !slices.Contains(proposals, name) && !taken(name) {
			proposals = append(proposals, name)
		}
	}
	for _, base := range bases {
		propose(base)
	}
	for number := 2; len(proposals) < n && number < maxUserNameNumber; number++ {
		suffix := strconv.Itoa(number)
		propose(cut(bases[0], maxUserName-len(suffix)) + suffix)
	}
	return proposals
}

// userNameBases are the names to try before any gets a number; at least one.
func userNameBases(given, family, address string) []string {
	var bases []string
	switch {
	case given != "" && family != "":
		bases = []string{given + "-" + family, given, given[:1] + family, family + "-" + given, address}
	case given+family != "":
		bases = []string{given + family, address}
	case address != "":
		bases = []string{address}
	default:
		bases = []string{"member"}
	}
	for i, base := range bases {
		bases[i] = cut(base, maxUserName)
	}
	return slices.DeleteFunc(bases, func(base string) bool { return base == "" })
}

// emailLabel makes a label from the local part of an address, without the tag
// that some people write after a plus sign.
func emailLabel(email string) string {
	local, _, _ := strings.Cut(email, "@")
	local, _, _ = strings.Cut(local, "+")
	return label(local)
}

// label writes a text in the characters of a DNS label, as far as it can be:
// letters without their marks, and one dash for whatever stands between words.
// A text in another script leaves nothing.
func label(text string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(unlike.Replace(strings.ToLower(text))) {
		switch r = unicode.ToLower(r); {
		case inUserName(r) && r != '-':
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r), r == '\'', r == '’', r == '`', r == 'ʼ':
			// A mark belongs to the letter before it; O'Neil is one word.
		default:
			b.WriteByte('-')
		}
	}
	words := strings.FieldsFunc(b.String(), func(r rune) bool { return r == '-' })
	return strings.Join(words, "-")
}

// unlike replaces the Latin letters that Unicode does not take apart.
var unlike = strings.NewReplacer(
	"ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "ł", "l", "đ", "d", "ð", "d",
	"þ", "th", "ħ", "h", "ı", "i", "ŧ", "t", "ŋ", "n", "ə", "e",
)

func cut(name string, size int) string {
	return strings.TrimRight(name[:min(len(name), size)], "-")
}
