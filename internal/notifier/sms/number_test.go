// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/usher-dev/usher/internal/notifier/sms"
)

func TestNormal(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"+393331234567":             "+393331234567",
		"+39 333 123 4567":          "+393331234567",
		"  +39 333/123-4567 ":       "+393331234567",
		"+39\u00a0333\u00a01234567": "+393331234567",
		"+39 06 6982":               "+39066982", // the zero stays in Italy
		"+44 (0)20 7946 0958":       "+442079460958",
		"+1 (202) 555-0123":         "+12025550123",
		"+49 1512 3456789":          "+4915123456789",
		"+41 79 123 45 67":          "+41791234567",
		"+881 6 12345678":           "+881612345678", // a satellite phone
	} {
		got, err := sms.Normal(s)
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", s, got, err, want)
		}
		if err := sms.CheckNumber(want); err != nil {
			t.Errorf("%q is refused: %v", want, err)
		}
	}
}

func TestNumberThatCannotBe(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"":                                 "the number is missing: write it with + and the country code, such as +39 333 123 4567",
		" ":                                "is missing",
		"+":                                "too few digits",
		"+3":                               "too few digits",
		"333 123 4567":                     "has no country code",
		"0039 333 123 4567":                "has no country code",
		"jane.doe@example.com":             "has no country code",
		"tel:+393331234567":                "has no country code",
		"+393331234567;ext=5":              "characters other than digits",
		"+1 800 FLOWERS":                   "characters other than digits",
		"+39 333 123 4567 / +39 333 12345": "characters other than digits",
		"+39333123456\x00":                 "characters other than digits",
		"+39333123456\n7":                  "characters other than digits",
		"+٣٩٣٣٣١٢٣٤٥٦٧":                    "characters other than digits",
		"＋393331234567":                    "has no country code",
		"+000 123 456":                     "a country code that does not exist",
		"+999 123 456":                     "a country code that does not exist",
		"+39 333 12":                       "too few digits",
		"+376 312 3456":                    "too few or too many digits",
		"+39 333 123 4567 8901":            "too many digits",
		"+393331234567890123456":           "too many digits",
		"+49 2173 9610 2901 956":           "more than 15 digits",
		"+1 202 155 0123":                  "no such number exists",
		"+41 99 999 99 99":                 "no such number exists",
		"+1 900 555 0123":                  "is a premium-rate number",
		"+39 " + strings.Repeat("3", 40):   "the number is too long",
		strings.Repeat("+", 1<<20):         "the number is too long",
	} {
		_, err := sms.Normal(s)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "such as +39 333 123 4567") {
			t.Errorf("%.60q: got %v, want it to say %q and what to write", s, err, want)
		}
		if sms.CheckNumber(s) == nil {
			t.Errorf("%.60q is accepted", s)
		}
	}
}

func TestOnlyTheStrictFormIsStored(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"+39 333 123 4567", " +393331234567", "+393331234567 ", "+39(333)1234567", "+4402079460958"} {
		if _, err := sms.Normal(s); err != nil {
			t.Errorf("%q cannot be parsed: %v", s, err)
		}
		if err := sms.CheckNumber(s); err == nil || !strings.Contains(err.Error(), "must be written as + and digits only, such as +393331234567") {
			t.Errorf("%q: got %v", s, err)
		}
	}
}

func FuzzCheckNumber(f *testing.F) {
	for _, s := range []string{"+393331234567", "+44 (0)20 7946 0958", "+54 9 11 2345 6789", "+52 1 55 1234 5678", "+55 0 15 11 96123-4567", "+7 8 912", "00", "+1"} {
		f.Add(s)
	}
	strict := regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)
	f.Fuzz(func(t *testing.T, s string) {
		if sms.CheckNumber(s) == nil && !strict.MatchString(s) {
			t.Errorf("%q is accepted but is not E.164", s)
		}
		normal, err := sms.Normal(s)
		if err != nil {
			if strings.ContainsAny(strings.ReplaceAll(err.Error(), "+39 333 123 4567", ""), "0123456789") {
				t.Errorf("the error repeats %q: %v", s, err)
			}
			return
		}
		if err := sms.CheckNumber(normal); err != nil {
			t.Errorf("%q became %q, which is refused: %v", s, normal, err)
		}
	})
}
