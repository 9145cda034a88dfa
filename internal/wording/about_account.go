// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"errors"
	"fmt"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

// AccountMail writes a mail about an Account, in the language that was claimed.
func (w Writer) AccountMail(f account.Facts, d accountsv1.Delivery) (Content, error) {
	tag, userName, status := language.Tag(d.Language), username.Show(f.Account.Name), f.Account.Status
	resetURL, contact := w.page("reset"), account.SupportContact(f.Belongings)
	switch d.Purpose {
	case accountsv1.PurposeReset:
		return w.resetMail(f.Account, tag, contact)
	case accountsv1.PurposeLocked, accountsv1.PurposeCodesLocked:
		since, until := f.LockMailed(d)
		data := LockedData{UserName: userName, Time: since, LockedUntil: until, ResetURL: resetURL, SupportContact: contact}
		if d.Purpose == accountsv1.PurposeCodesLocked {
			return CodesLocked(tag, data)
		}
		return Locked(tag, data)
	case accountsv1.PurposeUnlocked:
		return Unlocked(tag, UnlockedData{UserName: userName, Time: account.EventTime(d), ResetURL: resetURL, SupportContact: contact})
	case accountsv1.PurposePasswordChanged:
		return PasswordChanged(tag, PasswordChangedData{
			UserName: userName, Time: status.PasswordTime.Time, ResetURL: resetURL, SupportContact: contact,
		})
	case accountsv1.PurposeSecondFactorChanged:
		return SecondFactorChanged(tag, SecondFactorChangedData{
			UserName: userName, Time: status.SecondFactorTime.Time, ResetURL: resetURL, SupportContact: contact,
		})
	case accountsv1.PurposeUserNames:
		return UserNames(tag, UserNamesData{
			Address: string(f.Account.Spec.Email), UserNames: f.UserNames, SignInURL: w.page("sign-in"), SupportContact: contact,
		})
	case accountsv1.PurposeCode:
		return w.emailCodeMail(f.Account, tag, contact)
	case accountsv1.PurposeInvitation, accountsv1.PurposeConfirmation, accountsv1.PurposeJoined, accountsv1.PurposeDeclined:
	}
	return Content{}, fmt.Errorf("an Account has no mail for the purpose %s", d.Purpose)
}

// resetMail writes the mail with the link of the newest request for a new password.
func (w Writer) resetMail(a *accountsv1.Account, tag language.Tag, contact string) (Content, error) {
	if len(a.Status.ResetTimes) == 0 {
		return Content{}, errors.New("the Account has no request for a new password")
	}
	keys, err := w.ResetKeys()
	if err != nil {
		return Content{}, err
	}
	requested := a.Status.ResetTimes[0].Time
	link, err := account.DeriveResetLink(keys, string(a.UID), requested)
	if err != nil {
		return Content{}, err
	}
	return Reset(tag, ResetData{
		UserName: username.Show(a.Name), Link: w.page("reset", link),
		ValidUntil: requested.Add(account.ResetValidity), SupportContact: contact,
	})
}

// emailCodeMail writes the mail with the code of the newest request to confirm the address.
func (w Writer) emailCodeMail(a *accountsv1.Account, tag language.Tag, contact string) (Content, error) {
	keys, err := w.ResetKeys()
	if err != nil {
		return Content{}, err
	}
	code, err := account.EmailCode(keys, a)
	if err != nil {
		return Content{}, err
	}
	return EmailCode(tag, EmailCodeData{
		UserName: username.Show(a.Name), Address: string(a.Spec.Email), Code: groups(code),
		Minutes: int(invitation.CodeValidity.Minutes()), SupportContact: contact,
	})
}
