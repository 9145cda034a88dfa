// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package username

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Skeleton is the same for user names that look alike; it is no name itself and
// not for people to read. It is that of UTS #39 section 4, for names of a to z,
// 0 to 9 and dashes.
//
// What Unicode's confusables.txt (17.0.0) has for these characters is 0 and O, 1
// and l, I and l, m and rn. Since names are in lower case, the first is 0 and o
// here, and as people write capitals too, i and l are alike. To these come w and
// vv, d and cl, the usual pairs of letters in forged names, and dashes, which
// nobody counts. Digits such as 5 and 2 are not in that file as s and z, and do
// not look like small ones: only Reserved takes them for letters.
func Skeleton(name string) string {
	return strings.Join(strings.FieldsFunc(skeleton.Replace(name), isDash), "-")
}

// Each character is replaced by itself, so that no order of pairs matters.
var skeleton = strings.NewReplacer(
	"0", "o", "1", "l", "i", "l", "m", "rn", "w", "vv", "d", "cl",
)

func isDash(r rune) bool { return r == '-' }

// looksLike gives the letter from a to z that a letter beyond ASCII can be taken
// for, or nothing. The letters are those of confusables.txt that are on
// keyboards, and all that are only another form of a letter (NFKC).
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
