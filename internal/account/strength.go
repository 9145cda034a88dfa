// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"strings"
	"unicode"

	"github.com/ccojocar/zxcvbn-go"
	"github.com/ccojocar/zxcvbn-go/match"
	"github.com/ccojocar/zxcvbn-go/matching"
	"golang.org/x/text/unicode/norm"
)

const (
	// enoughScore is the lowest score, of 0 to 4, that is not weak. It means more than
	// 10 billion guesses.
	enoughScore = 3
	// ratedLength is how much of a password is rated. The time for the estimate grows
	// faster than its input, and characters beyond this length cannot make a password
	// weaker.
	ratedLength = 100
)

// Strength is how hard a password is to guess.
type Strength struct {
	// Score goes from 0 (guessed immediately) to 4 (practically impossible to guess).
	Score int
	// Weakness is what makes a weak password weak. It is empty if the password is not
	// weak.
	Weakness Weakness
}

// Weak reports whether the password should be refused.
func (s Strength) Weak() bool { return s.Score < enoughScore }

// Rate estimates how hard a password is to guess for an attacker who knows common
// passwords, words, keyboards and dates, and this person.
func Rate(password string, about Person) Strength {
	// Cut twice, because one written character can expand to eighteen.
	rated := firstRunes(singleBytes(firstRunes(Normal(password), ratedLength)), ratedLength)
	block := repeatedBlock(rated)
	// Trying every combination of look-alike characters costs more than everything else
	// and grows exponentially. Replace them first instead.
	words := about.words()
	strength := rate(block, words)
	if plain := lookAlikes.Replace(block); plain != block {
		if s := rate(plain, words); s.Score < strength.Score {
			strength = s
		}
	}
	if strength.Weak() && len(block) < len(rated) {
		strength.Weakness = WeakRepeated
	}
	return strength
}

func rate(text string, words []string) Strength {
	estimate := zxcvbn.PasswordStrength(text, words, matching.FilterL33tMatcher)
	strength := Strength{Score: estimate.Score}
	if strength.Weak() {
		strength.Weakness = weakness(estimate.MatchSequence)
	}
	return strength
}

// weakness returns the kind of pattern that covers most of a weak password.
func weakness(patterns []match.Match) Weakness {
	covered := map[string]int{}
	for _, m := range patterns {
		kind := m.Pattern
		if m.DictionaryName == "user_inputs" {
			kind = m.DictionaryName
		}
		covered[kind] += m.J - m.I + 1
	}
	most, found := 0, WeakSimple
	for _, w := range weaknesses {
		if covered[w.kind] > most {
			most, found = covered[w.kind], w.weakness
		}
	}
	return found
}

var weaknesses = []struct {
	kind     string
	weakness Weakness
}{
	{"user_inputs", WeakPersonal},
	{"dictionary", WeakCommon},
	{"spatial", WeakKeyboard},
	{"sequence", WeakSequence},
	{"repeat", WeakSame},
	{"date", WeakDate},
}

var lookAlikes = strings.NewReplacer(
	"4", "a", "@", "a", "8", "b", "(", "c", "3", "e", "6", "g", "1", "i", "!", "i",
	"|", "l", "0", "o", "$", "s", "5", "s", "7", "t", "+", "t", "2", "z",
)

// singleBytes returns the text with one ASCII character for each letter, because the
// estimate confuses characters and bytes. Letters of other scripts become letters from a
// to z. Neighbours in their alphabet stay neighbours, and repetitions stay repetitions.
func singleBytes(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < unicode.MaxASCII:
			return r
		case unicode.Is(unicode.Mn, r):
			return -1
		}
		return 'a' + r%26
	}, norm.NFKD.String(text))
}

// repeatedBlock returns the shortest text that gives the whole when it is repeated.
func repeatedBlock(text string) string {
	for size := 1; size <= len(text)/2; size++ {
		block := text[:size]
		if strings.Repeat(block, len(text)/size+1)[:len(text)] == text {
			return block
		}
	}
	return text
}

func firstRunes(text string, n int) string {
	for i := range text {
		if n--; n < 0 {
			return text[:i]
		}
	}
	return text
}
