// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/username"
)

// secretTries bounds how often a Secret is written again after a conflict.
const secretTries = 5

// ErrContended means that other requests won every conflict.
var ErrContended = errors.New("other requests kept changing the same objects")

// Registration holds what a person entered on the page.
type Registration struct {
	// UserName is the chosen part alone.
	UserName, GivenName, FamilyName string
	// Email is the address of the account: the invited one, or another one that is known
	// to belong to the person.
	Email accountsv1.EmailAddress
	// Confirmed is the request for the code that the person confirmed Email with. The zero
	// value means that Email is the invited address.
	Confirmed accountsv1.OtherAddress
	// Credentials hold the hash of the password, and the second factor if the person set
	// one up.
	Credentials account.Credentials
}

// Outcome is how an answer to an invitation ended.
type Outcome int

const (
	// Continue means that it has not ended yet.
	Continue Outcome = iota
	// Done means that this request achieved what it was sent for.
	Done
	// Found means that a read after a failure found the change already made.
	Found
	// NotOpen means that the link cannot be used, or no longer. The LinkStatus has the
	// reason.
	NotOpen
	// NameTaken means that another person has the user name, or that it is withheld.
	NameTaken
	// NamesRefused means that the API server rejected what was typed as names.
	NamesRefused
	// AddressRefused means that the invitation cannot be accepted with that address.
	AddressRefused
	// AddressUnverified means that the address of the account would fit, but that it is not
	// confirmed.
	AddressUnverified
	// LegalEntityRefused means that the account belongs to another legal entity.
	LegalEntityRefused
	// FactorMissing means that the Organization requires a second factor and there is
	// none.
	FactorMissing
	// GuessesSpent means that no more codes can be tried with this link.
	GuessesSpent
	// CodesSpent means that no more codes can be requested with this link.
	CodesSpent
	// CodeSuperseded means that another code was requested after one was entered.
	CodeSuperseded
)

// acceptance takes one request through the steps in the package comment.
type acceptance struct {
	*Store
	link   invitation.Link
	person Registration

	seen     LinkView
	account  *accountsv1.Account
	recorded bool
}

// Accept creates the person's account, if the link is open and the name is free. After an
// error the account may exist or not, and the person should try again.
func (s *Store) Accept(ctx context.Context, link invitation.Link, p Registration) (LinkView, Outcome, error) {
	// The request continues after the browser disconnects. But it must end in time: see
	// the race in the package comment.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), account.AcceptanceTimeout)
	defer cancel()
	a := &acceptance{Store: s, link: link, person: p}
	for _, step := range []func(context.Context) (Outcome, error){a.name, a.checkName, a.seal, a.offer, a.enrol, a.record, a.finalize} {
		if o, err := step(ctx); err != nil || o != Continue {
			return a.seen, o, err
		}
	}
	return a.seen, Done, nil
}

// made returns the person as a Member with the Account that they are creating.
func (a *acceptance) made() *Member {
	return &Member{Account: a.account, Credentials: a.person.Credentials}
}

// refuses returns why the person cannot accept, from the Invitation as it is now. The
// request for a code must be the one whose code was entered: the code of another one may
// have gone elsewhere.
func (a *acceptance) refuses(seen LinkView) Outcome {
	if confirmed := a.person.Confirmed; confirmed.Given() && !equality.Semantic.DeepEqual(confirmed, seen.Invitation.Status.OtherAddress) {
		return CodeSuperseded
	}
	return seen.Refuses(a.made())
}

// checkLink reads the Invitation again and returns NotOpen unless the link is still open.
func (a *acceptance) checkLink(ctx context.Context) (Outcome, error) {
	seen, err := a.Inspect(ctx, a.link)
	if err != nil {
		return Continue, err
	}
	a.seen = seen
	if seen.Status != invitation.LinkOpen {
		return NotOpen, nil
	}
	return Continue, nil
}

// name gets the Account of the chosen user name: a new one, or the incomplete one of this
// very link.
func (a *acceptance) name(ctx context.Context) (Outcome, error) {
	if o, err := a.checkLink(ctx); err != nil || o != Continue {
		return o, err
	}
	inv := a.seen.Invitation
	name := username.Join(a.person.UserName, a.seen.Qualifier())
	made := &accountsv1.Account{
		// Set the finalizer from the start, so the credentials are deleted with the
		// Account.
		ObjectMeta: metav1.ObjectMeta{Name: name, Finalizers: []string{accountsv1.Finalizer}},
		Spec: accountsv1.AccountSpec{
			Email:      a.person.Email,
			GivenName:  accountsv1.DisplayText(a.person.GivenName),
			FamilyName: accountsv1.DisplayText(a.person.FamilyName),
			InvitationRef: accountsv1.InvitationReference{
				Namespace: accountsv1.NamespaceName(inv.Namespace),
				Name:      accountsv1.CatalogueName(inv.Name),
				UID:       string(inv.UID),
			},
		},
	}
	a.account = made
	if o := a.refuses(a.seen); o != Continue {
		return o, nil
	}
	err := a.Writer.Create(ctx, made)
	switch {
	case err == nil:
		return Continue, nil
	case apierrors.IsInvalid(err):
		return NamesRefused, nil
	case !apierrors.IsAlreadyExists(err):
		return Continue, fmt.Errorf("create the account: %w", err)
	}
	existing, err := get[accountsv1.Account](ctx, a.Live, client.ObjectKeyFromObject(made))
	switch {
	case err != nil:
		return Continue, err
	case existing == nil:
		return Continue, ErrContended
	case isCreatedThrough(existing, inv) && !account.IsIncomplete(existing):
		// Another request accepted between the check of the link and now.
		a.seen.Status = invitation.LinkUsed
		return NotOpen, nil
	case !resumable(existing, inv, a.person.Email):
		return NameTaken, nil
	}
	a.account = existing
	return Continue, nil
}

// checkName returns NameTaken if no new Account may have the name. It comes after the
// Account was created: the record of an earlier Account of that name was written before
// that Account was removed, so this read finds it.
func (a *acceptance) checkName(ctx context.Context) (Outcome, error) {
	if refused, err := a.isWithheld(ctx, a.Live, a.account.Name); err != nil || !refused {
		return Continue, err
	}
	return NameTaken, nil
}

// seal seals the seed of the person's app once, because owns compares sealed seeds.
func (a *acceptance) seal(ctx context.Context) (_ Outcome, err error) {
	app := &a.person.Credentials.TOTP
	app.Secret, err = a.sealSeed(ctx, app.Secret, a.account.Name)
	return Continue, err
}

// offer writes this request's credentials into the Secret of the Account.
func (a *acceptance) offer(ctx context.Context) (Outcome, error) {
	for range secretTries {
		// Read the Secret before checking the link. If the credentials became final before
		// the check, the link is used. If they become final after the read, the write fails.
		secret, err := a.secret(ctx)
		if err != nil {
			return Continue, err
		}
		if o, err := a.checkLink(ctx); err != nil || o != Continue {
			return o, err
		}
		if o := a.refuses(a.seen); o != Continue {
			return o, nil
		}
		if a.isFinal(secret) {
			// The Account accepted before, and the Invitation's status was lost since.
			a.seen.Status = invitation.LinkUsed
			return NotOpen, nil
		}
		err = a.write(ctx, secret, "")
		if err == nil {
			return Continue, nil
		}
		if !isConflict(err) {
			return Continue, fmt.Errorf("write the account's secret: %w", err)
		}
	}
	return Continue, ErrContended
}

// enrol records in the status of the Account that there is a second factor, if the
// Organization requires one. So a person who accepts has one, and no later failure
// changes that.
func (a *acceptance) enrol(ctx context.Context) (Outcome, error) {
	if !a.seen.FactorRequired() || !a.person.Credentials.HasSecondFactor() {
		return Continue, nil // record refuses a request without one
	}
	var failure error
	for range secretTries {
		if a.account.Status.TwoFactor == accountsv1.TwoFactorEnrolled || !account.IsIncomplete(a.account) {
			return Continue, nil
		}
		if failure != nil && !isConflict(failure) {
			break
		}
		written := a.account.DeepCopy()
		written.Status.TwoFactor = accountsv1.TwoFactorEnrolled
		if failure = a.saveAccount(ctx, written); failure == nil {
			a.account = written
			return Continue, nil
		}
		now, err := get[accountsv1.Account](ctx, a.Live, client.ObjectKeyFromObject(a.account))
		switch {
		case err != nil:
			return Continue, err
		case now == nil || now.UID != a.account.UID:
			return Continue, ErrContended
		}
		a.account = now
	}
	return Continue, fmt.Errorf("write the account's status: %w", failure)
}

// record writes the acceptance into the Invitation's status. It continues if the
// acceptance is already there: another request of the same link recorded the same
// Account, or this request did and lost the answer.
func (a *acceptance) record(ctx context.Context) (Outcome, error) {
	accepted := AcceptedBy(a.made())
	accepted.obstacle = a.refuses
	seen, o, err := a.Save(ctx, a.seen, accepted)
	if err != nil {
		return Continue, err
	}
	a.seen, a.recorded = seen, o == Done
	if o == Done || o == Found {
		return Continue, nil
	}
	return o, nil
}

// finalize makes the credentials final. They must be those of this request. Otherwise this
// request has lost.
func (a *acceptance) finalize(ctx context.Context) (Outcome, error) {
	var failure error
	for range secretTries {
		var secret *corev1.Secret
		if secret, failure = a.secret(ctx); failure != nil {
			continue
		}
		own := a.owns(secret) && a.seen.Refuses(a.made()) != FactorMissing
		settled := a.isFinal(secret)
		if settled && own {
			return Continue, nil
		}
		if settled || !a.recorded && !own {
			a.seen.Status = invitation.LinkUsed
			return NotOpen, nil
		}
		if failure = a.write(ctx, secret, string(a.seen.Invitation.UID)); failure == nil {
			return Continue, nil
		}
	}
	return Continue, fmt.Errorf("finalize the account's secret: %w", failure)
}

// secret reads the Secret of the Account. It returns nil if there is none.
func (a *acceptance) secret(ctx context.Context) (*corev1.Secret, error) {
	key := client.ObjectKey{Namespace: a.Namespace, Name: account.SecretName(a.account.Name)}
	return get[corev1.Secret](ctx, a.Live, key)
}

// write writes this request's credentials into the Secret, on condition that the Secret
// is unchanged since it was read, or still does not exist.
func (a *acceptance) write(ctx context.Context, read *corev1.Secret, settled string) error {
	own := a.person.Credentials
	own.FinalInvitation = settled
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: account.SecretName(a.account.Name)}}
	if read != nil {
		secret = read.DeepCopy()
	}
	if err := a.writeTo(ctx, &own, secret, a.account); err != nil {
		return err
	}
	if read == nil {
		return a.Writer.Create(ctx, secret)
	}
	return a.Writer.Update(ctx, secret)
}

// owns reports whether the Secret holds this request's credentials.
func (a *acceptance) owns(secret *corev1.Secret) bool {
	own := &corev1.Secret{}
	if !a.belongs(secret) || a.person.Credentials.WriteTo(own, a.account) != nil {
		return false
	}
	stored := maps.Clone(secret.Data)
	delete(stored, account.FinalInvitationKey)
	return maps.EqualFunc(own.Data, stored, bytes.Equal)
}

// belongs reports whether the Secret belongs to this Account. An earlier Account of the
// same name may have left one behind.
func (a *acceptance) belongs(secret *corev1.Secret) bool {
	return secret != nil && string(secret.Data[account.UIDKey]) == string(a.account.UID)
}

func (a *acceptance) isFinal(secret *corev1.Secret) bool {
	return a.belongs(secret) && len(secret.Data[account.FinalInvitationKey]) > 0
}

// isConflict reports whether a write failed because the object changed after it was
// read.
func isConflict(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err)
}
