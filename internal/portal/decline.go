// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"

	"github.com/usher-dev/usher/internal/portal/store"
)

// declinePage is the page on which the invited person declines.
type declinePage struct {
	offerView
	Path     string
	Form     form
	Problems []problem
	// MaxReason is the maximum length of a reason, in characters.
	MaxReason int
}

// Problem returns the text of a field's problem, or "".
func (d declinePage) Problem(field string) string { return textOf(d.Problems, field) }

// showDecline answers a GET. It changes nothing.
func (p *portal) showDecline(v visit) {
	if seen, open := p.findOpenLink(v, p.store.InspectCached); open {
		p.showDeclineForm(v, http.StatusOK, seen, form{})
	}
}

func (p *portal) showDeclineForm(v visit, status int, seen store.LinkView, f form, problems ...problem) {
	lang := languageOf(v.r, seen)
	page := declinePage{offerView: viewOf(seen), Path: v.path, Form: f, Problems: problems, MaxReason: maxReason}
	title := lang.Text("portal.decline.title", page)
	if len(problems) > 0 {
		title = lang.Text("portal.invitation.check", map[string]string{"Title": title})
	}
	p.render(v.w, v.r, lang, status, pageDecline, title, page)
}

var declining = task{"decline an invitation", "portal.problem.decline-not-finished"}

// decline answers the form that declines. Mail scanners send forms, too, so it
// changes nothing without the checkbox that a person ticks.
func (p *portal) decline(v visit) {
	seen, f, open := p.receive(v)
	if !open {
		return
	}
	lang := languageOf(v.r, seen)
	if problems := f.declineProblems(lang); len(problems) > 0 {
		p.showDeclineForm(v, http.StatusUnprocessableEntity, seen, f, problems...)
		return
	}
	now, result, err := p.store.Save(v.r.Context(), seen, store.Declined(cleanReason(f.Reason)))
	switch {
	case err != nil:
		p.logFailure(v, declining, err)
		setRetryAfter(v.w, retryLater)
		p.showDeclineForm(v, http.StatusServiceUnavailable, seen, f, problem{Text: lang.Text(declining.text, nil)})
	case result == store.NotOpen:
		p.showClosed(v, now)
	default:
		p.message(v.w, v.r, lang, http.StatusOK, message{
			"decline-done", []string{"told", "again"}, map[string]string{"Organization": organizationTitle(now), "Inviter": inviter(now)},
		})
	}
}
