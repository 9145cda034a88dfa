// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package address

import (
	"fmt"
	"strings"

	"golang.org/x/net/idna"
)

// Rules define from which domains an Organization accepts addresses. Each entry is a
// domain, in U-labels or A-labels and any case, and covers its subdomains: example.com
// covers mail.example.com, and not badexample.com.
//
// An unreadable entry never opens a hole. In Allowed it covers nothing. In Denied it
// denies every address, because it is unknown which ones it was meant for. CheckDomain
// finds such entries beforehand.
type Rules struct {
	// Allowed are the only domains that are accepted. Empty means all.
	Allowed []string
	// Denied are domains that are not accepted, even if Allowed covers them.
	Denied []string
}

// Check returns why an address is not accepted, as a sentence for the owner of the
// address, or nil. An address that CheckSyntax refuses is not accepted.
func (r Rules) Check(email string) error {
	_, domain, err := split(email)
	if err != nil {
		return err
	}
	for _, rule := range r.Denied {
		denied, ok := asciiDomain(rule)
		switch {
		case !ok:
			return fmt.Errorf("no address is accepted here, because the denied domain %q cannot be read: ask the organization to correct it", rule)
		case covers(denied, domain):
			return fmt.Errorf("addresses at %s are not accepted here: give another address", readable(domain))
		}
	}
	return r.checkAllowed(domain)
}

func (r Rules) checkAllowed(domain string) error {
	if len(r.Allowed) == 0 {
		return nil
	}
	var names []string
	for _, rule := range r.Allowed {
		allowed, ok := asciiDomain(rule)
		if !ok {
			continue
		}
		if covers(allowed, domain) {
			return nil
		}
		names = append(names, readable(allowed))
	}
	switch len(names) {
	case 0:
		return fmt.Errorf("no address is accepted here, because the allowed domain %q cannot be read: ask the organization to correct it", r.Allowed[0])
	case 1:
		return fmt.Errorf("only addresses at %s or its subdomains are accepted here", names[0])
	}
	return fmt.Errorf("only addresses at %s or their subdomains are accepted here", strings.Join(names, ", "))
}

// CheckDomain returns why an entry of Rules cannot be read, as a sentence for the author
// of the entry, or nil.
func CheckDomain(rule string) error {
	if _, ok := asciiDomain(rule); !ok {
		return fmt.Errorf("%q is not a complete domain: write it alone, as in example.com, which covers mail.example.com too", rule)
	}
	return nil
}

// covers reports whether a rule covers a domain. Both are in ASCII.
func covers(rule, domain string) bool {
	return domain == rule || strings.HasSuffix(domain, "."+rule)
}

// readable returns a domain as people write it.
func readable(domain string) string {
	if text, err := idna.Display.ToUnicode(domain); err == nil {
		return text
	}
	return domain
}
