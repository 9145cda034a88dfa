// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package username

import (
	"strconv"
	"strings"
)

// maxNumber ends the search for a free name.
const maxNumber = 10_000

// fallback is the name for a person about whom nothing is known.
const fallback = "member"

// Propose returns up to n user names for a person, best first. They are built from the
// name, or else from the address, or else from nothing. Each is the chosen part alone and
// passes CheckWith with the qualifier. None of them is taken. Propose returns fewer than
// n only if it finds no more.
//
// It calls taken with the chosen part alone, at most once for each name. taken knows the
// qualifier. It must also return true for a name that has the Skeleton of an existing
// one.
//
// Letters lose their marks in every language. Müller becomes muller, because nothing
// distinguishes a German name, which would be mueller, from a Turkish one. Other scripts
// are written in Latin letters. If the letters alone do not show how a name is spoken, as
// in Chinese characters and in Arabic, the address comes first.
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

// possible returns the names of a list that are allowed, truncated to the available
// length. It returns at least one.
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

// candidates returns the names to try before any gets a number. Some may be empty.
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

// emailLabel makes a label from the local part of an address, without the tag that some
// people write after a plus sign.
func emailLabel(email string) string {
	local, _, _ := strings.Cut(email, "@")
	local, _, _ = strings.Cut(local, "+")
	return label(local)
}

// cut truncates a label so that the result is still a label.
func cut(name string, size int) string {
	return strings.TrimRight(name[:min(len(name), size)], "-")
}

// label writes a text in the characters of a DNS label, as far as possible, with one dash
// between words. The result may be empty.
func label(text string) string {
	return strings.Join(strings.FieldsFunc(latin(text), isDash), "-")
}
