// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package username

import (
	"slices"
	"strings"
)

// Reserved tells whether a user name in lower case would pass for the system,
// for those who run it, or for no person at all. Nobody gets such a name.
//
// A name that merely contains such a word is fine, such as adminah or rooth.
func Reserved(name string) bool {
	if slices.Contains(literals, name) {
		return true
	}
	words := strings.FieldsFunc(name, isDash)
	if isKeeper(strings.Join(words, "")) {
		return true
	}
	words = slices.DeleteFunc(words, func(word string) bool { return slices.Contains(fillers, word) })
	if isKeeper(strings.Join(words, "")) {
		return true
	}
	words = slices.DeleteFunc(words, isNumber)
	return len(words) > 0 && (slices.Contains(families, letters(words[0])) ||
		!slices.ContainsFunc(words, func(word string) bool { return !isKeeper(word) }))
}

// The lists have one principle: a word is on them if somebody who reads it as
// the author of a change, or the sender of a message, would trust it for that
// word alone (keepers, families), or if a program or a reader would take it for
// something other than a name (literals). Words that only sound important are
// not on them: people bear them as names.
//
// Keepers are in the languages that Usher speaks, without marks, as user names
// are. They count in every spelling that looks like them: with digits for
// letters, with dashes anywhere, with a number after them, with fillers around
// them, and several together.
var keepers = spellings(`
	admin admins administrator administrators administration sysadm sysadmin sysop superadmin superuser
	root system operator moderator owner owners founder kubeadmin clusteradmin clusteroperator
	support helpdesk servicedesk security privacy billing verification
	postmaster hostmaster webmaster mailmaster abuse noc csirt noreply donotreply mailerdaemon daemon
	usher kube kubernetes kubelet kubectl apiserver etcd serviceaccount controller controlplane
	nobody anonymous unauthenticated
	amministratore amministratrice amministratori amministrazione sistema proprietario proprietaria assistenza supporto sicurezza
	administrateur administratrice administrateurs systeme proprietaire assistance securite
	administratorin administratoren verwaltung verwalter verwalterin inhaber inhaberin eigentuemer eigentuemerin
	eigentumer eigentumerin betreiber sicherheit kundendienst
	administrador administradora administradores administracion propietario propietaria soporte seguridad
	administracao suporte seguranca
`)

// Families are words that belong to the system with whatever follows after a
// dash: kube-proxy, usher-portal, and what Kubernetes itself calls system:.
var families = []string{letters("kube"), letters("kubernetes"), letters("usher"), letters("system")}

// Fillers change nothing about who a name claims to be: it-support is support.
// So do numbers.
var fillers = strings.Fields(`
	the our your my it team staff desk group office center centre service services account user main official
`)

// Literals count only as they are written here, because names that look like
// them are people's: ali, mali, seif. Some are what YAML takes for something
// other than text.
var literals = strings.Fields(`
	all anyone anybody everyone everybody someone somebody none other others guest guests public
	user users group groups team staff me self myself it default unknown undefined null true false yes no on off
	api www ftp mail email smtp imap dns localhost k8s login logout signin signout signup account accounts
	invitation invitations authenticated
`)

// spellings are words by the letters that they are read as.
func spellings(list string) map[string]bool {
	words := map[string]bool{}
	for word := range strings.FieldsSeq(list) {
		words[letters(word)] = true
	}
	return words
}

func isNumber(word string) bool { return strings.Trim(word, "0123456789") == "" }

// isKeeper tells whether a word is a keeper, also with a number after it. The
// last digits may be letters: r00t, roo7.
func isKeeper(word string) bool {
	for {
		if keepers[letters(word)] {
			return true
		}
		if word == "" || word[len(word)-1] < '0' || word[len(word)-1] > '9' {
			return false
		}
		word = word[:len(word)-1]
	}
}

// letters is what a word is read as: its Skeleton, with the digits that are
// written for letters besides.
func letters(word string) string { return Skeleton(digits.Replace(word)) }

var digits = strings.NewReplacer("3", "e", "4", "a", "5", "s", "7", "t", "8", "b")
