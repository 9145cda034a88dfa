// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package address

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Lengths in octets.
const (
	maxLocal   = 64  // RFC 5321, section 4.5.3.1.1
	maxAddress = 254 // RFC 5321, section 4.5.3.1.3, less the angle brackets
	maxDomain  = 253 // RFC 1035, section 2.3.4, less the root
	maxLabel   = 63  // RFC 1035, section 2.3.4
)

// CheckSyntax returns why a text cannot be a mail address, or nil. The error is a
// sentence for the person who typed the address, and does not repeat the address. An
// address follows RFC 5321 section 4.1.2 and, beyond ASCII, RFC 6531 and RFC 6532, with
// these limits:
//
//   - No quoted local part, no address literal, and at least two labels in the domain.
//   - Beyond ASCII, only visible letters, marks and numbers. There must be no spaces,
//     control characters, zero-width characters, private characters, or marks that
//     reverse the order of letters. Emoji are not allowed either.
//   - No letter or digit in the local part that is another way to write a to z or 0 to 9
//     (ａ, ﬁ, ſ). Some servers treat the two as one mailbox, others do not.
//   - A domain that can be looked up (IDNA 2008). Its labels may mix scripts, and nothing
//     checks what they look like.
//   - 64 octets in the local part and 254 in total, both with the domain as it was
//     written and with the domain in ASCII.
//
// The API accepts everything that CheckSyntax accepts as an EmailAddress.
func CheckSyntax(email string) error {
	_, _, err := split(email)
	return err
}

// split returns the local part as it was written and the domain in ASCII.
func split(email string) (local, domain string, err error) {
	switch {
	case email == "":
		return "", "", errors.New("give a mail address, such as jane.doe@example.com")
	case len(email) > maxAddress:
		return "", "", errTooLong
	case !utf8.ValidString(email) || strings.ContainsFunc(email, unseen):
		return "", "", errors.New("the address contains a space or an invisible character: type it again")
	case strings.Count(email, "@") != 1:
		return "", "", errors.New("a mail address has exactly one @, as in jane.doe@example.com")
	}
	local, text, _ := strings.Cut(email, "@")
	if err := checkLocal(local); err != nil {
		return "", "", err
	}
	domain, ok := asciiDomain(text)
	if !ok {
		return "", "", errors.New("the part after the @ is not a complete domain: write it as in jane.doe@example.com")
	}
	if len(local)+len("@")+len(domain) > maxAddress {
		return "", "", errTooLong
	}
	return local, domain, nil
}

var errTooLong = fmt.Errorf("a mail address has at most %d bytes: give a shorter one", maxAddress)

// unseen reports whether a character is invisible: a space, a control character, or one
// that Unicode has no glyph for (Default_Ignorable_Code_Point).
func unseen(r rune) bool {
	return r == ' ' || !unicode.IsPrint(r) ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// checkLocal checks a local part: a Dot-string of RFC 5321, section 4.1.2.
func checkLocal(local string) error {
	switch {
	case local == "":
		return errors.New("the part before the @ is missing: write the whole address, as in jane.doe@example.com")
	case len(local) > maxLocal:
		return fmt.Errorf("the part before the @ has at most %d bytes: give a shorter address", maxLocal)
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" {
			return errors.New("the part before the @ must not start or end with a dot or have two dots in a row: correct it, as in jane.doe@example.com")
		}
		if err := checkAtom(atom); err != nil {
			return err
		}
	}
	return nil
}

func checkAtom(atom string) error {
	previous := ' '
	for _, r := range atom {
		switch {
		case r < utf8.RuneSelf && !isAtext(r), r >= utf8.RuneSelf && !isWord(r):
			return fmt.Errorf("the character %c is not allowed before the @: remove it", r)
		case unicode.IsMark(r) && !isWord(previous):
			return errors.New("an accent before the @ has no letter: type the address again")
		case imitates(r):
			return fmt.Errorf("the character %c is another way to write a plain letter or digit: write the plain one", r)
		}
		previous = r
	}
	return nil
}

// isAtext reports whether a character is an atext of RFC 5322, section 3.2.3.
func isAtext(r rune) bool {
	return isWord(r) || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

func isWord(r rune) bool { return unicode.In(r, unicode.L, unicode.M, unicode.N) }

// imitates reports whether a character beyond ASCII becomes ASCII under NFKC, at least in
// part.
func imitates(r rune) bool {
	return r >= utf8.RuneSelf &&
		strings.ContainsFunc(norm.NFKC.String(string(r)), func(r rune) bool { return r < utf8.RuneSelf })
}

// asciiDomain returns a domain in A-labels and lower case. ok reports whether a mail
// server can have the domain. It must have two or more labels, and the last one must
// start with a letter and have at least two characters.
func asciiDomain(text string) (domain string, ok bool) {
	if len(text) > maxDomain || !utf8.ValidString(text) || strings.ContainsFunc(text, notInDomain) {
		return "", false
	}
	top := []rune(text[strings.LastIndexByte(text, '.')+1:])
	if len(top) < 2 || !unicode.IsLetter(top[0]) {
		return "", false
	}
	for label := range strings.SplitSeq(text, ".") {
		// The ASCII form can be shorter than what the API counts.
		if utf8.RuneCountInString(label) > maxLabel {
			return "", false
		}
	}
	// Lookup does not check for empty labels and lengths.
	domain, err := idna.Lookup.ToASCII(text)
	if err != nil || len(domain) > maxDomain || !strings.Contains(domain, ".") {
		return "", false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > maxLabel {
			return "", false
		}
	}
	return domain, true
}

// notInDomain reports whether a character cannot be in a domain. It also refuses
// characters that IDNA would map to a dot or to nothing. So a domain is what it looks
// like.
func notInDomain(r rune) bool { return !isWord(r) && r != '-' && r != '.' || unseen(r) }
