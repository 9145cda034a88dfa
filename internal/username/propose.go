// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package username

import (
	"strconv"
	"strings"
)

// maxNumber ends the search for a name that is free.
const maxNumber = 10_000

// fallback is the name for somebody of whom nothing is known.
const fallback = "member"

// Propose makes up to n user names for a person, best first: from the name, or
// else from the address, or else from nothing. Each is the chosen part alone and
// passes CheckWith with the qualifier. None of them is taken, and fewer come
// back only if there are no more to be found.
//
// It asks taken about the chosen part alone, at most once for each name. Who
// answers knows the qualifier, and says yes also for a name that has the Skeleton
// of one that somebody has.
//
// Letters lose their marks, whatever the language: Müller becomes muller, since
// nothing tells a German name, which would be mueller, from a Turkish one. Other
// scripts are written in Latin letters. Where the letters alone do not say how a
// name is spoken, as in Chinese characters and in Arabic, the address goes first.
func Propose(given, family, email, qualifier string, taken func(name string) bool, n int) []string {
	if CheckWith(fallback, qualifier) != nil {
		return nil
	}
	room := maxLength - len(Join("", qualifier))
	var proposals []string
	asked := map[string]bool{}
	propose := func(name string) {
		if len(proposals) >= n || asked[name] {
			return
		}
		asked[name] = true
		if CheckWith(name, qualifier) == nil && !taken(name) {
			proposals = append(proposals, name)
		}
	}
	bases := possible(candidates(given, family, email), room)
	for _, base := range bases {
		propose(base)
	}
	for number := 2; len(proposals) < n && number < maxNumber; number++ {
		suffix := strconv.Itoa(number)
		propose(cut(bases[0], room-len(suffix)) + suffix)
	}
	return proposals
}

// possible are the names of a list that can be somebody's, cut to the room there
// is; at least one.
func possible(names []string, room int) []string {
	var bases []string
	for _, name := range names {
		if base := cut(name, room); Check(base) == nil {
			bases = append(bases, base)
		}
	}
	if len(bases) == 0 {
		return []string{fallback}
	}
	return bases
}

// candidates are the names to try before any gets a number. Some may be empty.
func candidates(givenName, familyName, email string) []string {
	given, family, address := label(givenName), label(familyName), emailLabel(email)
	var names []string
	switch {
	case given != "" && family != "":
		names = []string{given + "-" + family, given, given[:1] + family, family + "-" + given}
	case given+family != "":
		names = []string{given + family}
	}
	if uncertain(givenName + familyName) {
		return append([]string{address}, names...)
	}
	return append(names, address)
}

// emailLabel makes a label from the local part of an address, without the tag
// that some people write after a plus sign.
func emailLabel(email string) string {
	local, _, _ := strings.Cut(email, "@")
	local, _, _ = strings.Cut(local, "+")
	return label(local)
}

// cut shortens a label, which stays one.
func cut(name string, size int) string {
	return strings.TrimRight(name[:min(len(name), size)], "-")
}

// label writes a text in the characters of a DNS label, as far as it can be,
// with one dash for whatever stands between words. Nothing may be left.
func label(text string) string {
	return strings.Join(strings.FieldsFunc(latin(text), isDash), "-")
}
