// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package username

import (
	"strings"
	"unicode"

	"github.com/mozillazg/go-unidecode"
	"golang.org/x/text/unicode/norm"
)

// latin writes a text with the letters a to z and digits. Everything that is neither a
// letter nor a number becomes a dash.
func latin(text string) string {
	plain := written.Replace(withoutMarks(strings.ToLower(norm.NFKC.String(text))))
	var b strings.Builder
	for _, r := range plain {
		switch {
		case !notInName(r):
			b.WriteRune(r)
		case r == '\'', r == '’', r == '`':
			// O'Neil is one word.
		case unicode.In(r, unicode.L, unicode.M, unicode.N):
			// Some syllables come with spaces, some letters with signs and capitals.
			b.WriteString(strings.Map(onlyLetters, unidecode.Unidecode(string(r))))
		default:
			b.WriteByte('-')
		}
	}
	return b.String()
}

// withoutMarks removes the marks from Latin and Greek letters. In other scripts they are
// letters of their own (й) or vowels (ि).
func withoutMarks(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Inherited, r):
			// A joiner, or a mark that has no combined character with the letter before
			// it.
		case unicode.In(r, unicode.Latin, unicode.Greek):
			for _, part := range norm.NFD.String(string(r)) {
				if !unicode.IsMark(part) {
					b.WriteRune(part)
				}
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func onlyLetters(r rune) rune {
	if r = unicode.ToLower(r); r == '-' || notInName(r) {
		return -1
	}
	return r
}

// written replaces letters that Unicode does not decompose, or that unidecode does not
// spell as in a passport. These are Latin letters, the ё as in ICAO Doc 9303, and modern
// Greek after ISO 843. Greek includes two-letter sequences that depend on nothing else.
var written = strings.NewReplacer(
	"ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "ł", "l", "đ", "d", "ð", "d",
	"þ", "th", "ħ", "h", "ı", "i", "ŧ", "t", "ŋ", "n", "ə", "e",
	"ё", "е",
	"ου", "ou", "αυ", "av", "ευ", "ev", "γγ", "ng",
	"η", "i", "υ", "y", "β", "v", "φ", "f", "χ", "ch",
)

// uncertain reports whether a text holds letters that alone do not show how a name is
// spoken, and so how its owner writes it in Latin letters. Such letters are characters
// that each language reads in its own way, letters without vowels, and vowels that are
// not written where they are spoken.
func uncertain(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsLetter(r) && !unicode.In(r, unicode.Common, unicode.Latin, unicode.Greek, unicode.Cyrillic,
			unicode.Armenian, unicode.Georgian, unicode.Hangul, unicode.Hiragana, unicode.Katakana)
	})
}
