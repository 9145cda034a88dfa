// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"

	"github.com/usher-dev/usher/internal/invitation"
)

// What is said to people who cannot be shown a form.
var (
	unknownLink = message{"We do not know this link", []string{
		"Mail programs sometimes cut long links in two. Copy the whole link from the mail and paste it into the address bar.",
		"If you got more than one mail, use the link in the newest: it replaces the ones before.",
		"If that does not help, ask whoever invited you for a new invitation.",
	}}
	nothingHere = message{"There is nothing here", []string{
		"To make your account, open the link in your invitation mail.",
	}}
	tooManyRequests = message{"One moment, please", []string{
		"Too many requests came from your network in a short time. Wait a minute, then load this page again. Nothing is lost.",
	}}
	wrongMethod = message{"That does not work here", []string{
		"To make your account, open the link in your invitation mail in a browser.",
	}}
	crossOrigin = message{"This form came from somewhere else", []string{
		"To protect you, forms are only taken from our own pages. Open the link in your invitation mail and fill in the form there.",
		"If that is what you did, your browser is too old to tell where a form comes from: use a newer one.",
	}}
	tooMuch = message{"That was too much", []string{
		"The form holds more than we can take. Open the link in your invitation mail again and shorten what you type.",
	}}
	unreadable = message{"We could not read the form", []string{
		"Open the link in your invitation mail in a browser and fill in the form there.",
	}}
	unavailable = message{"We cannot show this page right now", []string{
		"Something behind this page does not answer. Your invitation is not affected: load the page again in a minute.",
	}}
	broken = message{"Something went wrong", []string{
		"This is our fault. Open the link in your invitation mail again; if the page then says that the invitation has been used, your account is ready.",
	}}
)

// standingMessage is what the holder of a link reads when it is not open.
func standingMessage(seen sight) (int, message) {
	switch seen.standing {
	case invitation.Used:
		return http.StatusGone, message{"This invitation has been used", []string{
			"If that was you, your account at " + organizationTitle(seen) + " is ready: use the user name and the password that you chose. There is nothing left to do here.",
			"If it was not you, tell " + inviter(seen) + " now.",
		}}
	case invitation.Expired:
		return http.StatusGone, message{"This invitation has expired", []string{
			"It could be used until " + writtenOut(seen.Invitation.Status.ExpirationTime.Time) + ".",
			"Ask " + inviter(seen) + " to invite you again. You will get a new mail with a new link.",
		}}
	case invitation.Withdrawn:
		return http.StatusGone, message{"This invitation has been withdrawn", []string{
			organizationTitle(seen) + " has taken it back, or what it was for is gone.",
			"If that surprises you, ask " + inviter(seen) + ".",
		}}
	default:
		return http.StatusNotFound, unknownLink
	}
}

func organizationTitle(seen sight) string {
	if seen.Organization == nil {
		return string(seen.Invitation.Spec.OrganizationRef.Name)
	}
	return string(seen.Organization.Title())
}

// inviter is who invites: a person, or else the Organization.
func inviter(seen sight) string {
	if by := seen.Invitation.Spec.InvitedBy; by != "" {
		return string(by)
	}
	return organizationTitle(seen)
}
