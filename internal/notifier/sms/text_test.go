// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/usher-dev/usher/internal/notifier/sms"
)

func TestSegments(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"no text":                          {"", 0},
		"one letter":                       {"a", 1},
		"160 letters":                      {strings.Repeat("a", 160), 1},
		"161 letters":                      {strings.Repeat("a", 161), 2},
		"306 letters fill two segments":    {strings.Repeat("a", 306), 2},
		"307 letters":                      {strings.Repeat("a", 307), 3},
		"1530 letters":                     {strings.Repeat("a", 1530), 10},
		"1531 letters":                     {strings.Repeat("a", 1531), 11},
		"accents of the GSM alphabet":      {strings.Repeat("èéùìòàÄÖÑÜäöñüßÇØ", 9) + "ΔΦΓΛΩΠΨ", 1},
		"line breaks":                      {strings.Repeat("\n", 160), 1},
		"80 brackets take two places each": {strings.Repeat("[", 80), 1},
		"81 brackets":                      {strings.Repeat("[", 81), 2},
		"a euro sign is not split":         {strings.Repeat("a", 152) + "€" + strings.Repeat("a", 152), 3},
		"70 letters of another alphabet":   {strings.Repeat("д", 70), 1},
		"71 letters of another alphabet":   {strings.Repeat("д", 71), 2},
		"134 letters of another alphabet":  {strings.Repeat("д", 134), 2},
		"135 letters of another alphabet":  {strings.Repeat("д", 135), 3},
		"one letter outside the GSM alphabet makes all others longer": {strings.Repeat("a", 70) + "ç", 2},
		"35 emojis take two places each":                              {strings.Repeat("🎉", 35), 1},
		"36 emojis":                                                   {strings.Repeat("🎉", 36), 2},
		"an emoji is not split":                                       {strings.Repeat("д", 66) + "🎉" + strings.Repeat("д", 66), 3},
	} {
		if got := sms.Segments(c.text); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

func FuzzSegments(f *testing.F) {
	f.Add("Jane, Acme invites you: https://usher.example.org/i#c2VjcmV0")
	f.Add("Привет 🎉 \xff")
	f.Fuzz(func(t *testing.T, text string) {
		n, letters := sms.Segments(text), utf8.RuneCountInString(text)
		if n < (letters+159)/160 || n > (2*letters+65)/66 {
			t.Errorf("%d segments for %d letters", n, letters)
		}
	})
}
