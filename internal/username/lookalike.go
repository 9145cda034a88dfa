// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package username

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Skeleton returns the same text for user names that look alike. The result is not a name
// itself and not for display. It is the skeleton of UTS #39 section 4, for names of a to
// z, 0 to 9 and dashes.
//
// For these characters, Unicode's confusables.txt (17.0.0) lists 0 and O, 1 and l, I and
// l, m and rn. Skeleton adapts and extends this list:
//
//   - Names are in lower case, so the first pair is 0 and o here.
//   - People also write capitals, so i and l are alike.
//   - The pairs w and vv, d and cl are added, because they are usual in forged names.
//   - Dashes are added too, because readers do not count them.
//
// Digits such as 5 and 2 are not in that file as s and z, and do not look like lower-case
// letters. Only Reserved reads them as letters.
func Skeleton(name string) string {
	return strings.Join(strings.FieldsFunc(skeleton.Replace(name), isDash), "-")
}

// Each character is replaced on its own, so the order of the pairs does not matter.
var skeleton = strings.NewReplacer(
	"0", "o", "1", "l", "i", "l", "m", "rn", "w", "vv", "d", "cl",
)

func isDash(r rune) bool { return r == '-' }

// looksLike returns the letter from a to z that a letter beyond ASCII can be mistaken
// for, or "". The letters are those of confusables.txt that are on keyboards, and all
// that are only another form of a letter (NFKC).
func looksLike(r rune) string {
	if latin, ok := latinLike[r]; ok {
		return latin
	}
	if plain := norm.NFKC.String(string(r)); len(plain) == 1 {
		return plain
	}
	return ""
}

var latinLike = map[rune]string{
	// Cyrillic
	'а': "a", 'с': "c", 'ԁ': "d", 'е': "e", 'һ': "h", 'і': "i", 'ј': "j", 'о': "o",
	'р': "p", 'ԛ': "q", 'ѕ': "s", 'ѵ': "v", 'ԝ': "w", 'х': "x", 'у': "y",
	// Greek
	'α': "a", 'ι': "i", 'ν': "v", 'ο': "o", 'ρ': "p", 'υ': "u",
	// Armenian
	'հ': "h", 'ո': "n", 'օ': "o", 'ս': "u",
}
