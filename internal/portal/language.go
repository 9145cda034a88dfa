// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/issuer/usercode"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

// paramLanguage is the query parameter that requests a language by its tag.
const paramLanguage = "lang"

// languageOf returns the language to answer in: the requested language, else the
// language of the invitation, else the browser's preference.
func languageOf(r *http.Request, seen store.LinkView) language.Tag {
	if asked := language.Tag(r.URL.Query().Get(paramLanguage)); slices.Contains(language.All(), asked) {
		return asked
	}
	if inv := seen.Invitation; inv != nil {
		wanted := cmp.Or(inv.Status.Attempt.Language, inv.Spec.Language)
		if seen.Organization != nil {
			wanted = cmp.Or(wanted, seen.Organization.Spec.Language)
		}
		if tag, known := language.Parse(string(wanted)); known {
			return tag
		}
	}
	return language.Match(r.Header.Get("Accept-Language"))
}

// choice is a language that the page is available in.
type choice struct {
	language.Tag
	// Address is relative to the address of the page.
	Address string
	Current bool
}

// sealedForm is the form of a sealed request of a client.
var sealedForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// choices returns the links that show the page in another language. They keep a
// proposed user name, the Organization that the person comes from, the code of a device
// and the sign-out of a client, and drop all other query parameters.
func choices(r *http.Request, current language.Tag, now time.Time) []choice {
	var all []choice
	for _, tag := range language.All() {
		query := url.Values{paramLanguage: {tag.String()}}
		if wanted := r.URL.Query().Get(fieldUserName); username.Check(wanted) == nil {
			query.Set(fieldUserName, wanted)
		}
		if from := r.URL.Query().Get(paramOrganization); store.CanBeAccountName(from) {
			query.Set(paramOrganization, from)
		}
		if code, good := usercode.Parse(r.URL.Query().Get(fieldCode), now); good {
			query.Set(fieldCode, code.String())
		}
		if sealed := r.URL.Query().Get(issuer.ParamSignOut); sealedForm.MatchString(sealed) {
			query.Set(issuer.ParamSignOut, sealed)
		}
		all = append(all, choice{Tag: tag, Address: "?" + query.Encode(), Current: tag == current})
	}
	return all
}

// part is a piece of a sentence.
type part struct {
	Text   string
	Strong bool
}

// emphasize splits a sentence into parts, so that the page can emphasize the
// values that it fills in. namesAndValues alternates names and values. The
// sentence is built with marks in place of the values, so a value cannot be
// mistaken for a mark.
func emphasize(lang language.Tag, id string, namesAndValues ...string) []part {
	const mark = "\x00"
	marked, values := map[string]string{}, map[string]string{}
	for pair := range slices.Chunk(namesAndValues, 2) {
		marked[pair[0]], values[pair[0]] = mark+pair[0]+mark, pair[1]
	}
	var parts []part
	for i, text := range strings.Split(lang.Text(id, marked), mark) {
		if i%2 == 0 {
			parts = append(parts, part{Text: text})
		} else {
			parts = append(parts, part{Text: values[text], Strong: true})
		}
	}
	return parts
}
