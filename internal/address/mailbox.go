// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package address

import (
	"regexp"
	"strings"
)

// provider describes how a mail provider finds the mailbox of an address.
type provider struct {
	// domain under which Mailbox returns the mailboxes of several domains. Without it, each domain has
	// its own mailboxes.
	domain string
	// ignored are the characters of a local part that make no difference.
	ignored string
	// subdomains reports that tag@name.example.com is name@example.com.
	subdomains bool
}

// providers are the public providers whose rules are known, by domain. All of them, and the national
// ones, ignore a tag after a plus sign. Sources, read in November 2026:
//
//   - Gmail: support.google.com/mail/answer/7436150 (dots) and 22370 (tags). googlemail.com is the same.
//   - Microsoft: learn.microsoft.com/exchange/recipients-in-exchange-online/plus-addressing-in-exchange-online.
//     Outlook.com does the same.
//   - Fastmail: fastmail.help/hc/articles/360060591053 (tags and subdomains).
//   - iCloud: support.apple.com/guide/icloud (tags). me.com and mac.com are older names of icloud.com.
//   - Proton: proton.me/support/addresses-and-aliases (tags). It gives no two people names that differ
//     only in dots, dashes and underscores.
var providers = map[string]provider{
	"gmail.com":      {domain: "gmail.com", ignored: "."},
	"googlemail.com": {domain: "gmail.com", ignored: "."},
	"msn.com":        {},
	"icloud.com":     {domain: "icloud.com"},
	"me.com":         {domain: "icloud.com"},
	"mac.com":        {domain: "icloud.com"},
	"proton.me":      {domain: "proton.me", ignored: ".-_"},
	"protonmail.com": {domain: "proton.me", ignored: ".-_"},
	"protonmail.ch":  {domain: "proton.me", ignored: ".-_"},
	"pm.me":          {domain: "proton.me", ignored: ".-_"},
}

// national are the providers with domains for many countries, by the first label of these domains. A few
// such domains belong to others, who can use plus signs as they like. This only makes limits stricter.
var national = map[string]provider{
	"outlook":  {},
	"hotmail":  {},
	"live":     {},
	"fastmail": {subdomains: true},
}

// nationalSuffix matches what follows the first label: com, de, co.uk, com.br.
var nationalSuffix = regexp.MustCompile(`^(com|net|org|(com?\.)?[a-z]{2})$`)

// Mailbox returns the same text for the addresses of one mailbox, as far as the rules of its provider
// are known, and Key otherwise. It is for limits on mail alone, where a mistake makes a person wait. It
// must never decide whether two addresses are one person's.
func Mailbox(email string) string {
	key := Key(email)
	local, domain, found := strings.Cut(key, "@")
	if !found || Domain(email) == "" {
		return key
	}
	known, isKnown := providerOf(domain)
	if !isKnown {
		local, domain, _ = strings.Cut(domain, ".")
		if known, isKnown = providerOf(domain); !isKnown || !known.subdomains {
			return key
		}
	}
	name, _, _ := strings.Cut(local, "+")
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(known.ignored, r) {
			return -1
		}
		return r
	}, name)
	if name == "" { // no such mailbox
		return key
	}
	if known.domain != "" {
		domain = known.domain
	}
	return name + "@" + domain
}

func providerOf(domain string) (provider, bool) {
	if known, found := providers[domain]; found {
		return known, true
	}
	label, suffix, _ := strings.Cut(domain, ".")
	known, found := national[label]
	return known, found && nationalSuffix.MatchString(suffix)
}
