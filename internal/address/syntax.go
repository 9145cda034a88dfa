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

// CheckSyntax tells why a text cannot be a mail address, in a sentence to the
// person who typed it that does not repeat the address, or returns nil. An
// address is what RFC 5321 section 4.1.2 and, beyond ASCII, RFC 6531 and RFC
// 6532 make of it, with these limits:
//
//   - no quoted local part, no address literal, and at least two labels in the
//     domain;
//   - beyond ASCII only letters, marks and numbers that can be seen: no spaces,
//     control characters, characters of no width, private characters, or marks
//     that turn the order of letters round; also no emoji;
//   - no letter or digit in the local part that is another way to write a to z
//     or 0 to 9 (ａ, ﬁ, ſ): some servers hold the two to be one mailbox, others
//     do not;
//   - a domain that can be looked up (IDNA 2008); its labels may mix scripts,
//     and nobody checks what they look like;
//   - 64 octets in the local part and 254 in all, with the domain as it was
//     written and with it in ASCII.
//
// All that it takes the API takes as an EmailAddress.
func CheckSyntax(email string) error {
	_, _, err := split(email)
	return err
}

// split gives the local part as it was written and the domain in ASCII.
func split(email string) (local, domain string, err error) {
	switch {
	case email == "":
		return "", "", errors.New("give a mail address, such as jane.doe@example.com")
	case len(email) > maxAddress:
		return "", "", errTooLong
	case !utf8.ValidString(email) || strings.ContainsFunc(email, unseen):
		return "", "", errors.New("the address holds a space or a character that cannot be seen: type it again")
	case strings.Count(email, "@") != 1:
		return "", "", errors.New("a mail address has exactly one @, as in jane.doe@example.com")
	}
	local, text, _ := strings.Cut(email, "@")
	if err := checkLocal(local); err != nil {
		return "", "", err
	}
	domain, ok := asciiDomain(text)
	if !ok {
		return "", "", errors.New("what follows the @ is not a complete domain: write it as in jane.doe@example.com")
	}
	if len(local)+len("@")+len(domain) > maxAddress {
		return "", "", errTooLong
	}
	return local, domain, nil
}

var errTooLong = fmt.Errorf("a mail address has %d bytes at the most: give a shorter one", maxAddress)

// unseen tells whether a character takes no part in what people see: spaces,
// controls and whatever Unicode has no picture for (Default_Ignorable_Code_Point).
func unseen(r rune) bool {
	return r == ' ' || !unicode.IsPrint(r) ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// checkLocal checks a local part: a Dot-string of RFC 5321, section 4.1.2.
func checkLocal(local string) error {
	switch {
	case local == "":
		return errors.New("something is missing before the @: write the whole address, as in jane.doe@example.com")
	case len(local) > maxLocal:
		return fmt.Errorf("the part before the @ has %d bytes at the most: give a shorter address", maxLocal)
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" {
			return errors.New("the part before the @ neither starts nor ends with a dot, and no two dots follow each other: correct it, as in jane.doe@example.com")
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
			return fmt.Errorf("the character %c cannot stand before the @: take it away", r)
		case unicode.IsMark(r) && !isWord(previous):
			return errors.New("an accent before the @ belongs to no letter: type the address again")
		case imitates(r):
			return fmt.Errorf("the character %c is another way to write a plain letter or digit: write the plain one", r)
		}
		previous = r
	}
	return nil
}

// isAtext follows RFC 5322, section 3.2.3.
func isAtext(r rune) bool {
	return isWord(r) || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

func isWord(r rune) bool { return unicode.In(r, unicode.L, unicode.M, unicode.N) }

// imitates tells whether a character beyond ASCII is ASCII under NFKC, at least
// in part.
func imitates(r rune) bool {
	return r >= utf8.RuneSelf &&
		strings.ContainsFunc(norm.NFKC.String(string(r)), func(r rune) bool { return r < utf8.RuneSelf })
}

// asciiDomain gives a domain in A-labels and lower case, if it is one that a
// mail server can have: of two labels or more, the last of which starts with a
// letter and has two characters at least.
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
	// Lookup says nothing about empty labels and lengths.
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

// notInDomain refuses what IDNA would map to a dot or to nothing as well: a
// domain looks like what it is.
func notInDomain(r rune) bool { return !isWord(r) && r != '-' && r != '.' || unseen(r) }
