// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"net/url"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
)

// Writer composes the messages about Invitations and Accounts from facts. The text depends only on the
// object, its claim and the keys, so that the same delivery always has the same text.
type Writer struct {
	// PortalURL is the base URL of links.
	PortalURL *url.URL
	// Keys returns the keyring that the links and codes of Invitations are made with. It is called only
	// for messages that need it.
	Keys func() (invitation.Keyring, error)
	// ResetKeys returns the keyring that links for a new password and codes of Accounts are made with. It
	// is called only for messages that need it.
	ResetKeys func() (invitation.Keyring, error)
}

// LinkURL returns the URL of an invitation's link.
func LinkURL(portal *url.URL, link string) string {
	return portal.JoinPath("invitation", link).String()
}

// page returns the URL of a page of the portal.
func (w Writer) page(path ...string) string { return w.PortalURL.JoinPath(path...).String() }

// Link returns the URL of the current attempt's link.
func (w Writer) Link(inv *accountsv1.Invitation) (string, error) {
	keys, err := w.Keys()
	if err != nil {
		return "", err
	}
	link, err := keys.DeriveLink(string(inv.UID), inv.Status.Attempt)
	if err != nil {
		return "", err
	}
	return LinkURL(w.PortalURL, link), nil
}
