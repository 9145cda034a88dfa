// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package username

import (
	"slices"
	"strings"
)

// Reserved reports whether a user name in lower case could be mistaken for the system,
// for its operators, or for no person at all. Such a name cannot be chosen.
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

// The lists follow one principle. A word is in reservedWords or families if that word alone
// makes a reader trust the author of a change or the sender of a message. A word is in
// literals if a program or a reader would not take it for a name. Words that only sound
// important are not listed, because they are people's names too.
//
// The reservedWords are in the languages that Usher supports, without diacritics, as in
// user names. They count in every spelling that looks like them: with digits for letters,
// with dashes anywhere, with a number after them, with fillers around them, and several
// together.
var reservedWords = spellings(`
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

// Families are words that belong to the system together with any text after a dash:
// kube-proxy, usher-portal, and what Kubernetes itself calls system:.
var families = []string{letters("kube"), letters("kubernetes"), letters("usher"), letters("system")}

// Fillers do not change what a name claims to be: it-support is support. The same is true
// for numbers.
var fillers = strings.Fields(`
	the our your my it team staff desk group office center centre service services account user main official
`)

// Literals count only as they are written here, because names that look like them belong
// to people: ali, mali, seif. Some of them are words that YAML does not read as text.
var literals = strings.Fields(`
	all anyone anybody everyone everybody someone somebody none other others guest guests public
	user users group groups team staff me self myself it default unknown undefined null true false yes no on off
	api www ftp mail email smtp imap dns localhost k8s login logout signin signout signup account accounts
	invitation invitations authenticated
`)

// spellings returns words by the letters that they are read as.
func spellings(list string) map[string]bool {
	words := map[string]bool{}
	for word := range strings.FieldsSeq(list) {
		words[letters(word)] = true
	}
	return words
}

func isNumber(word string) bool { return strings.Trim(word, "0123456789") == "" }

// isKeeper reports whether a word is in reservedWords, with or without a number after it.
// The last digits may stand in for letters: r00t, roo7.
func isKeeper(word string) bool {
	for {
		if reservedWords[letters(word)] {
			return true
		}
		if word == "" || word[len(word)-1] < '0' || word[len(word)-1] > '9' {
			return false
		}
		word = word[:len(word)-1]
	}
}

// letters returns what a word is read as: its Skeleton, after digits that are written for
// letters were replaced.
func letters(word string) string { return Skeleton(digits.Replace(word)) }

var digits = strings.NewReplacer("3", "e", "4", "a", "5", "s", "7", "t", "8", "b")
