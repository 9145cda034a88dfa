// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms

import (
	"errors"
	"regexp"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// maxWritten is the longest notation of a number that is parsed, in bytes.
const maxWritten = 40

// e164 is the format of ITU-T recommendation E.164: up to 15 digits that begin with the country code.
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)

// CheckNumber returns an error unless s is a possible telephone number in the one format that Usher
// stores: "+" and up to 15 digits (E.164), such as "+393331234567". The error is one sentence that says
// what to write and does not repeat s.
func CheckNumber(s string) error {
	normal, err := Normal(s)
	if err == nil && normal != s {
		err = errors.New("the number must be written as + and digits only, such as +393331234567")
	}
	return err
}

// Normal parses a number as people write it, such as "+39 333 123 4567" or "+44 (0)20 7946 0958", and
// returns it in the format of CheckNumber. Its errors have the same form as CheckNumber's.
func Normal(s string) (string, error) {
	const example = "write it with + and the country code, such as +39 333 123 4567"
	if len(s) > maxWritten {
		return "", errors.New("the number is too long: " + example)
	}
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -./()\u00a0\u202f", r) {
			return -1
		}
		return r
	}, s)
	switch {
	case strings.TrimSpace(s) == "":
		return "", errors.New("the number is missing: " + example)
	case !strings.HasPrefix(digits, "+"):
		return "", errors.New("the number has no country code: " + example)
	case strings.Trim(digits[1:], "0123456789") != "":
		return "", errors.New("the number contains characters other than digits: " + example)
	}
	number, err := readNumber(digits)
	if err != nil {
		return "", errors.New(err.Error() + ": " + example)
	}
	return number, nil
}

func readNumber(digits string) (string, error) {
	number, err := phonenumbers.Parse(digits, "")
	switch {
	case errors.Is(err, phonenumbers.ErrInvalidCountryCode):
		return "", errors.New("the number begins with a country code that does not exist")
	case errors.Is(err, phonenumbers.ErrNumTooLong):
		return "", errors.New("the number has too many digits")
	case err != nil:
		return "", errors.New("the number has too few digits")
	}
	switch phonenumbers.IsPossibleNumberWithReason(number) {
	case phonenumbers.IS_POSSIBLE:
	case phonenumbers.TOO_LONG:
		return "", errors.New("the number has too many digits for its country")
	case phonenumbers.INVALID_LENGTH:
		return "", errors.New("the number has too few or too many digits for its country")
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY, phonenumbers.INVALID_COUNTRY_CODE:
		return "", errors.New("the number has too few digits for its country")
	}
	if !phonenumbers.IsValidNumber(number) {
		return "", errors.New("no such number exists in its country")
	}
	if kind := phonenumbers.GetNumberType(number); kind == phonenumbers.PREMIUM_RATE || kind == phonenumbers.SHARED_COST {
		// Otherwise a user with the right to invite could earn money with every message.
		return "", errors.New("the number is a premium-rate number, which reaches no person")
	}
	normal := phonenumbers.Format(number, phonenumbers.E164)
	if !e164.MatchString(normal) {
		// Some countries have such numbers on paper, but networks do not carry them.
		return "", errors.New("the number has more than 15 digits")
	}
	return normal, nil
}
