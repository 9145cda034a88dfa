// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/mail"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

// accountMessage makes the mail of a delivery. It goes to the address of the
// Account and to no other, whatever the delivery says. Its Message-ID, its Date
// and its language are as they were claimed, however often it is made.
func (p *Post) accountMessage(ctx context.Context, f account.Facts, name string) (mail.Message, error) {
	d := delivery.Find(f.Account.Status.Deliveries, name)
	if d == nil {
		return mail.Message{}, fmt.Errorf("the Account has no delivery %s", name)
	}
	content, err := p.accountContent(ctx, f, *d)
	if err != nil {
		return mail.Message{}, err
	}
	to := netmail.Address{Address: string(f.Account.Spec.Email)}
	return mail.Message{ID: d.MessageID, Date: d.ClaimTime.Time, From: p.From, To: to, Content: content}, nil
}

// accountContent writes what such a mail says.
func (p *Post) accountContent(ctx context.Context, f account.Facts, d accountsv1.Delivery) (mail.Content, error) {
	tag, userName, status := language.Tag(d.Language), username.Show(f.Account.Name), f.Account.Status
	resetURL, contact := p.page("reset"), account.SupportContact(f.Belongings)
	switch d.Purpose {
	case accountsv1.PurposeReset:
		return p.resetMail(ctx, f.Account, tag, contact)
	case accountsv1.PurposeLocked:
		until := account.LockOf(status.SignIn, account.LimitsOf(f.Belongings)).Until
		return mail.Locked(tag, mail.LockedData{UserName: userName, LockedUntil: until, ResetURL: resetURL, SupportContact: contact})
	case accountsv1.PurposePasswordChanged:
		return mail.PasswordChanged(tag, mail.PasswordChangedData{
			UserName: userName, Time: status.PasswordTime.Time, ResetURL: resetURL, SupportContact: contact,
		})
	case accountsv1.PurposeSecondFactorChanged:
		return mail.SecondFactorChanged(tag, mail.SecondFactorChangedData{
			UserName: userName, Time: status.SecondFactorTime.Time, ResetURL: resetURL, SupportContact: contact,
		})
	case accountsv1.PurposeUserNames:
		return mail.UserNames(tag, mail.UserNamesData{
			Address: string(f.Account.Spec.Email), UserNames: f.UserNames, SignInURL: p.page("sign-in"), SupportContact: contact,
		})
	default:
		return mail.Content{}, fmt.Errorf("an Account is not mailed for the purpose %s", d.Purpose)
	}
}

// resetMail brings the link of the newest request for a new password.
func (p *Post) resetMail(ctx context.Context, a *accountsv1.Account, tag language.Tag, contact string) (mail.Content, error) {
	if len(a.Status.ResetTimes) == 0 {
		return mail.Content{}, errors.New("nobody has asked for a new password")
	}
	keys, err := p.Keys(ctx)
	if err != nil {
		return mail.Content{}, err
	}
	requested := a.Status.ResetTimes[0].Time
	link, err := account.DeriveResetLink(keys, string(a.UID), requested)
	if err != nil {
		return mail.Content{}, err
	}
	return mail.Reset(tag, mail.ResetData{
		UserName: username.Show(a.Name), Link: p.page("reset", link),
		ValidUntil: requested.Add(account.ResetValidity), SupportContact: contact,
	})
}

// page is the URL of a page of the portal.
func (p *Post) page(path ...string) string { return p.PortalURL.JoinPath(path...).String() }
