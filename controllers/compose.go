// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"fmt"
	netmail "net/mail"
	"strings"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/mail"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

// message makes the mail of a delivery. Who it is from, its Message-ID, its
// Date, and what it calls the Organization and the role are as they were
// claimed, however often it is made.
func (p *Post) message(ctx context.Context, f invitation.Facts, d accountsv1.Delivery) (mail.Message, error) {
	content, err := p.content(ctx, f, d)
	if err != nil {
		return mail.Message{}, err
	}
	sender, err := netmail.ParseAddress(senderOf(f.Invitation, d))
	if err != nil {
		return mail.Message{}, fmt.Errorf("the sender that was claimed cannot be read: %w", err)
	}
	to := netmail.Address{Address: d.Recipient}
	if d.Purpose == accountsv1.PurposeInvitation || d.Purpose == accountsv1.PurposeConfirmation {
		to.Name = nameOf(f.Invitation)
	}
	return mail.Message{ID: d.MessageID, Date: d.ClaimTime.Time, From: *sender, To: to, Content: content}, nil
}

// content writes what a mail says, in the Organization's own words if it has any.
func (p *Post) content(ctx context.Context, f invitation.Facts, d accountsv1.Delivery) (mail.Content, error) {
	inv, tag := f.Invitation, tagOf(f.Invitation, d)
	attempt := inv.Status.Attempt
	templates, _, err := p.Settings.templates(ctx, inv.Namespace)
	if err != nil {
		return mail.Content{}, err
	}
	switch d.Purpose {
	case accountsv1.PurposeConfirmation:
		return templates.Confirmation(tag, p.confirmation(f, d))
	case accountsv1.PurposeJoined:
		return templates.Joined(tag, joined(inv))
	case accountsv1.PurposeDeclined:
		return templates.Declined(tag, mail.DeclinedData{
			Organization: string(attempt.Organization), Role: string(attempt.Role), Name: nameOf(inv),
			Address: string(inv.Spec.Email), Reason: inv.Status.Decline.Reason,
		})
	case accountsv1.PurposeCode:
		keys, err := p.Keys(ctx)
		if err != nil {
			return mail.Content{}, err
		}
		code, err := keys.Code(inv)
		if err != nil {
			return mail.Content{}, err
		}
		return templates.Code(tag, mail.CodeData{
			Organization: string(attempt.Organization), Code: code[:len(code)/2] + " " + code[len(code)/2:],
			Minutes: int(invitation.CodeValidity.Minutes()),
		})
	default:
		data, err := p.invitation(ctx, inv)
		if err != nil {
			return mail.Content{}, err
		}
		return templates.Invitation(tag, data)
	}
}

// invitation is what an invitation says, from the Invitation's spec and its
// claim alone.
func (p *Post) invitation(ctx context.Context, inv *accountsv1.Invitation) (mail.InvitationData, error) {
	link, err := p.link(ctx, inv)
	return mail.InvitationData{
		Organization: string(inv.Status.Attempt.Organization),
		Role:         string(inv.Status.Attempt.Role),
		InvitedBy:    string(inv.Spec.InvitedBy),
		Name:         nameOf(inv),
		Link:         link,
		ValidUntil:   inv.Status.ExpirationTime.Time,
		Message:      inv.Spec.Message,
	}, err
}

// link is the URL of the current attempt's link.
func (p *Post) link(ctx context.Context, inv *accountsv1.Invitation) (string, error) {
	keys, err := p.Keys(ctx)
	if err != nil {
		return "", err
	}
	link, err := keys.DeriveLink(string(inv.UID), inv.Status.Attempt)
	if err != nil {
		return "", err
	}
	return LinkURL(p.PortalURL, link), nil
}

func (p *Post) confirmation(f invitation.Facts, d accountsv1.Delivery) mail.ConfirmationData {
	inv, contact := f.Invitation, ""
	if f.Organization != nil {
		contact = string(f.Organization.Spec.SupportContact)
	}
	return mail.ConfirmationData{
		SupportContact: contact,
		Organization:   string(inv.Status.Attempt.Organization),
		Role:           string(inv.Status.Attempt.Role),
		Name:           nameOf(inv),
		UserName:       userName(inv),
		Address:        d.Recipient,
		KubernetesUser: accountsv1.AccountUserPrefix + string(inv.Status.Acceptance.AccountRef.Name),
		Permissions:    d.Permissions,
		PortalURL:      p.PortalURL.String(),
		SignInURL:      p.page("sign-in"),
	}
}

// permissionLines are what whoever accepts can do, as people read it.
func permissionLines(o invitation.Offer) []string {
	var lines []string
	for _, a := range membership.Abilities(o) {
		lines = append(lines, shorten(a.Permission+": "+a.Places()))
	}
	return lines
}

// shortText is the invitation as a short message.
func (p *Post) shortText(ctx context.Context, f invitation.Facts, d accountsv1.Delivery) (string, error) {
	data, err := p.invitation(ctx, f.Invitation)
	if err != nil {
		return "", err
	}
	return mail.InvitationSMS(tagOf(f.Invitation, d), data)
}

// chatText tells a chat who has joined.
func chatText(f invitation.Facts, d accountsv1.Delivery) (string, error) {
	return mail.JoinedChat(tagOf(f.Invitation, d), joined(f.Invitation))
}

func joined(inv *accountsv1.Invitation) mail.JoinedData {
	return mail.JoinedData{
		Organization: string(inv.Status.Attempt.Organization), Role: string(inv.Status.Attempt.Role),
		Name: nameOf(inv), Address: string(inv.Spec.Email), UserName: userName(inv),
	}
}

func userName(inv *accountsv1.Invitation) string {
	return username.Show(string(inv.Status.Acceptance.AccountRef.Name))
}

func nameOf(inv *accountsv1.Invitation) string {
	return strings.TrimSpace(string(inv.Spec.GivenName) + " " + string(inv.Spec.FamilyName))
}

func tagOf(inv *accountsv1.Invitation, d accountsv1.Delivery) language.Tag {
	return language.Tag(cmp.Or(d.Language, inv.Status.Attempt.Language))
}
