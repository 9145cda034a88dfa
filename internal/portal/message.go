// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"

	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/wording/language"
)

// message is a page without a form. It tells the reader what is wrong and what to
// do next. Its sentences are in the catalogue.
type message struct {
	// page is the common part of the ids of its sentences: portal.<page>.title is the
	// title.
	page string
	// lines are the last parts of the other ids, in the order of the page.
	lines []string
	// data fills in the placeholders of the sentences.
	data any
}

// Messages for requests that get no form.
var (
	unknownLink     = message{page: "unknown-link", lines: []string{"copy", "newest", "ask"}}
	nothingHere     = message{page: "nothing-here", lines: []string{"open"}}
	tooManyRequests = message{page: "too-many-requests", lines: []string{"wait"}}
	wrongMethod     = message{page: "wrong-method", lines: []string{"open"}}
	crossOrigin     = message{page: "cross-origin", lines: []string{"open", "old"}}
	tooMuch         = message{page: "too-much", lines: []string{"open"}}
	unreadable      = message{page: "unreadable", lines: []string{"open"}}
	unavailable     = message{page: "unavailable", lines: []string{"wait"}}
	requestGone     = message{page: "request-gone", lines: []string{"again"}}
	signInFirst     = message{page: "sign-in-first", lines: []string{"open"}}
	noAccess        = message{page: "no-access", lines: []string{"ask"}}
	broken          = message{page: "broken", lines: []string{"open"}}
)

// linkStatusMessage returns the status and the message for a client whose link is
// not open.
func linkStatusMessage(lang language.Tag, seen store.LinkView) (int, message) {
	if seen.Status == invitation.LinkUnknown {
		return http.StatusNotFound, unknownLink
	}
	data := map[string]string{"Organization": organizationTitle(seen), "Inviter": inviter(seen)}
	switch seen.Status {
	case invitation.LinkUsed:
		return http.StatusGone, message{"used", []string{"you", "other"}, data}
	case invitation.LinkDeclined:
		return http.StatusGone, message{"declined", []string{"you", "ask"}, data}
	case invitation.LinkExpired:
		lines := []string{"ask"}
		if expires := seen.Invitation.Status.ExpirationTime; expires != nil {
			data["Until"], lines = lang.Date(expires.Time), []string{"until", "ask"}
		}
		return http.StatusGone, message{"expired", lines, data}
	case invitation.LinkSuperseded:
		return http.StatusGone, message{"superseded", []string{"newest", "ask"}, data}
	case invitation.LinkSeatless:
		return http.StatusConflict, message{"full", []string{"wait", "ask"}, data}
	case invitation.LinkWithdrawn:
		return http.StatusGone, message{"withdrawn", []string{"why", "ask"}, data}
	case invitation.LinkUnknown, invitation.LinkOpen: // callers do not ask about an open link
	}
	return http.StatusNotFound, unknownLink
}

func organizationTitle(seen store.LinkView) string {
	if seen.Organization == nil {
		return string(seen.Invitation.Spec.OrganizationRef.Name)
	}
	return string(seen.Organization.Title())
}

// inviter returns the name of the inviting person, or else of the Organization.
func inviter(seen store.LinkView) string {
	if by := seen.Invitation.Spec.InvitedBy; by != "" {
		return string(by)
	}
	return organizationTitle(seen)
}
