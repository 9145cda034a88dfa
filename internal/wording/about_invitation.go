// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"cmp"
	"fmt"
	"strings"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/sanitize"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

// Mail writes a mail about an Invitation. It uses the Organization's own wording if there is one.
func (w Writer) Mail(templates Templates, f invitation.Facts, d accountsv1.Delivery) (Content, error) {
	inv, tag := f.Invitation, tagOf(f.Invitation, d)
	attempt := inv.Status.Attempt
	switch d.Purpose {
	case accountsv1.PurposeConfirmation:
		return templates.Confirmation(tag, w.confirmation(f, d))
	case accountsv1.PurposeJoined:
		return templates.Joined(tag, joined(inv))
	case accountsv1.PurposeDeclined:
		return templates.Declined(tag, DeclinedData{
			Organization: string(attempt.Organization), Role: string(attempt.Role), Name: NameOf(inv),
			Address: string(inv.Spec.Email), Reason: inv.Status.Decline.Reason,
		})
	case accountsv1.PurposeCode:
		keys, err := w.Keys()
		if err != nil {
			return Content{}, err
		}
		code, err := keys.Code(inv)
		if err != nil {
			return Content{}, err
		}
		return templates.Code(tag, CodeData{
			Organization: string(attempt.Organization), Code: groups(code),
			Minutes: int(invitation.CodeValidity.Minutes()),
		})
	case accountsv1.PurposeInvitation:
		data, err := w.invitation(inv)
		if err != nil {
			return Content{}, err
		}
		return templates.Invitation(tag, data)
	case accountsv1.PurposeReset, accountsv1.PurposeLocked, accountsv1.PurposeCodesLocked, accountsv1.PurposeUnlocked,
		accountsv1.PurposePasswordChanged, accountsv1.PurposeSecondFactorChanged, accountsv1.PurposeUserNames:
	}
	return Content{}, fmt.Errorf("an Invitation has no mail for the purpose %s", d.Purpose)
}

// invitation returns the data of an invitation. It depends only on the Invitation's spec and its claim.
func (w Writer) invitation(inv *accountsv1.Invitation) (InvitationData, error) {
	link, err := w.Link(inv)
	return InvitationData{
		Organization: string(inv.Status.Attempt.Organization),
		Role:         string(inv.Status.Attempt.Role),
		InvitedBy:    string(inv.Spec.InvitedBy),
		Name:         NameOf(inv),
		Link:         link,
		ValidUntil:   inv.Status.ExpirationTime.Time,
		Message:      inv.Spec.Message,
	}, err
}

func (w Writer) confirmation(f invitation.Facts, d accountsv1.Delivery) ConfirmationData {
	inv, contact := f.Invitation, ""
	if f.Organization != nil {
		contact = string(f.Organization.Spec.SupportContact)
	}
	return ConfirmationData{
		SupportContact: contact,
		Organization:   string(inv.Status.Attempt.Organization),
		Role:           string(inv.Status.Attempt.Role),
		Name:           NameOf(inv),
		UserName:       userName(inv),
		Address:        d.Recipient,
		KubernetesUser: accountsv1.AccountUserPrefix + string(inv.Status.Acceptance.AccountRef.Name),
		Permissions:    d.Permissions,
		PortalURL:      w.PortalURL.String(),
		SignInURL:      w.page("sign-in"),
	}
}

// SMS writes the invitation as a short message.
func (w Writer) SMS(f invitation.Facts, d accountsv1.Delivery) (string, error) {
	data, err := w.invitation(f.Invitation)
	if err != nil {
		return "", err
	}
	return InvitationSMS(tagOf(f.Invitation, d), data)
}

// Chat writes the line that announces a new member in a chat.
func Chat(f invitation.Facts, d accountsv1.Delivery) (string, error) {
	return JoinedChat(tagOf(f.Invitation, d), joined(f.Invitation))
}

// PermissionLines returns what a person can do after accepting, one line for each permission.
func PermissionLines(o invitation.Offer) []string {
	const longest = 250
	var lines []string
	for _, a := range membership.Abilities(o) {
		lines = append(lines, sanitize.Shorten(a.Permission+": "+a.Places(), longest))
	}
	return lines
}

func joined(inv *accountsv1.Invitation) JoinedData {
	return JoinedData{
		Organization: string(inv.Status.Attempt.Organization), Role: string(inv.Status.Attempt.Role),
		Name: NameOf(inv), Address: string(inv.Spec.Email), UserName: userName(inv),
	}
}

func userName(inv *accountsv1.Invitation) string {
	return username.Show(string(inv.Status.Acceptance.AccountRef.Name))
}

// NameOf returns the name of the invited person. It is empty if the name is not known.
func NameOf(inv *accountsv1.Invitation) string {
	return strings.TrimSpace(string(inv.Spec.GivenName) + " " + string(inv.Spec.FamilyName))
}

func tagOf(inv *accountsv1.Invitation, d accountsv1.Delivery) language.Tag {
	return language.Tag(cmp.Or(d.Language, inv.Status.Attempt.Language))
}
