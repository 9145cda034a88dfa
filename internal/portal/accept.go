// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/username"
)

// secretTries bounds how often a Secret is written again after somebody changed it.
const secretTries = 5

// errContended says that others were faster every time.
var errContended = errors.New("other requests kept changing the same objects")

// person is what somebody chose on the page.
type person struct {
	// userName is the chosen part alone.
	userName, givenName, familyName string
	// email is the address of the account: the invited one, or another that
	// is known to be the person's.
	email accountsv1.EmailAddress
	// credentials are the hash of their password, and their second factor if
	// they have set one up.
	credentials account.Credentials
}

// outcome is how an answer to an invitation ended.
type outcome int

const (
	// goOn: not ended yet.
	goOn outcome = iota
	// done: this request did what it was sent for.
	done
	// found: it was done already when somebody looked again after a failure.
	found
	// notOpen: the link cannot be used (any more); the standing says why.
	notOpen
	// nameTaken: somebody else has the user name.
	nameTaken
	// namesRefused: the API server does not take what was typed as names.
	namesRefused
	// addressRefused: the invitation cannot be accepted with that address.
	addressRefused
	// companyRefused: the account is for another company.
	companyRefused
	// factorMissing: there is no second factor, and the Organization wants one.
	factorMissing
	// guessesSpent: no code can be tried with this link any more.
	guessesSpent
	// codesSpent: no code can be asked for with this link any more.
	codesSpent
)

// acceptance is one request's way through the steps of the package comment.
type acceptance struct {
	*store
	link   invitation.Link
	person person

	seen     sight
	account  *accountsv1.Account
	recorded bool
}

// accept makes the person's account, if the link is open and the name is free.
// An error means that nobody knows: it may have been done or not, and to try
// again is right.
func (s *store) accept(ctx context.Context, link invitation.Link, p person) (sight, outcome, error) {
	// It goes on when the browser has gone, and it must end: see the package comment.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), account.AcceptanceTimeout)
	defer cancel()
	a := &acceptance{store: s, link: link, person: p}
	for _, step := range []func(context.Context) (outcome, error){a.name, a.offer, a.enrol, a.record, a.settle} {
		if o, err := step(ctx); err != nil || o != goOn {
			return a.seen, o, err
		}
	}
	return a.seen, done, nil
}

// made is the person with the Account that they are making.
func (a *acceptance) made() *member {
	return &member{account: a.account, credentials: a.person.credentials}
}

// look sees the Invitation anew and says whether the link is open still.
func (a *acceptance) look(ctx context.Context) (outcome, error) {
	seen, err := a.inspect(ctx, a.link)
	if err != nil {
		return goOn, err
	}
	a.seen = seen
	if seen.standing != invitation.Open {
		return notOpen, nil
	}
	return goOn, nil
}

// name gets the Account of the chosen user name: a new one, or the half-made
// one of this very link.
func (a *acceptance) name(ctx context.Context) (outcome, error) {
	if o, err := a.look(ctx); err != nil || o != goOn {
		return o, err
	}
	inv := a.seen.Invitation
	name := username.Join(a.person.userName, a.seen.qualifier())
	made := &accountsv1.Account{
		// The finalizer is there from the start: the credentials go with the Account.
		ObjectMeta: metav1.ObjectMeta{Name: name, Finalizers: []string{accountsv1.Finalizer}},
		Spec: accountsv1.AccountSpec{
			Email:      a.person.email,
			GivenName:  accountsv1.DisplayText(a.person.givenName),
			FamilyName: accountsv1.DisplayText(a.person.familyName),
			InvitationRef: accountsv1.InvitationReference{
				Namespace: accountsv1.NamespaceName(inv.Namespace),
				Name:      accountsv1.CatalogueName(inv.Name),
				UID:       string(inv.UID),
			},
		},
	}
	a.account = made
	if o := a.seen.refuses(a.made()); o != goOn {
		return o, nil
	}
	err := a.writer.Create(ctx, made)
	switch {
	case err == nil:
		return goOn, nil
	case apierrors.IsInvalid(err):
		return namesRefused, nil
	case !apierrors.IsAlreadyExists(err):
		return goOn, fmt.Errorf("create the account: %w", err)
	}
	existing, err := get[accountsv1.Account](ctx, a.live, client.ObjectKeyFromObject(made))
	switch {
	case err != nil:
		return goOn, err
	case existing == nil:
		return goOn, errContended
	case madeThrough(existing, inv) && !account.HalfMade(existing):
		// Taken up between the look and now.
		a.seen.standing = invitation.Used
		return notOpen, nil
	case !resumable(existing, inv, a.person.email):
		return nameTaken, nil
	}
	a.account = existing
	return goOn, nil
}

// offer puts the own credentials into the Secret of the Account.
func (a *acceptance) offer(ctx context.Context) (outcome, error) {
	for range secretTries {
		// The Secret is read before the look: what was settled before that
		// look makes the link used, and what is settled after the read makes
		// the write fail.
		secret, err := a.secret(ctx)
		if err != nil {
			return goOn, err
		}
		if o, err := a.look(ctx); err != nil || o != goOn {
			return o, err
		}
		if o := a.seen.refuses(a.made()); o != goOn {
			return o, nil
		}
		if a.settled(secret) {
			// Accepted once, and the Invitation's status was lost since.
			a.seen.standing = invitation.Used
			return notOpen, nil
		}
		err = a.write(ctx, secret, "")
		if err == nil {
			return goOn, nil
		}
		if !changedMeanwhile(err) {
			return goOn, fmt.Errorf("write the account's secret: %w", err)
		}
	}
	return goOn, errContended
}

// enrol says in the status of the Account that there is a second factor, where the
// Organization wants one: whoever accepts has one, whatever happens afterwards.
func (a *acceptance) enrol(ctx context.Context) (outcome, error) {
	if !a.seen.factorRequired() || !a.person.credentials.HasSecondFactor() {
		return goOn, nil // record refuses whoever lacks it
	}
	var failure error
	for range secretTries {
		if a.account.Status.TwoFactor == accountsv1.TwoFactorEnrolled || !account.HalfMade(a.account) {
			return goOn, nil
		}
		if failure != nil && !changedMeanwhile(failure) {
			break
		}
		written := a.account.DeepCopy()
		written.Status.TwoFactor = accountsv1.TwoFactorEnrolled
		if failure = a.saveAccount(ctx, written); failure == nil {
			a.account = written
			return goOn, nil
		}
		now, err := get[accountsv1.Account](ctx, a.live, client.ObjectKeyFromObject(a.account))
		switch {
		case err != nil:
			return goOn, err
		case now == nil || now.UID != a.account.UID:
			return goOn, errContended
		}
		a.account = now
	}
	return goOn, fmt.Errorf("write the account's status: %w", failure)
}

// record writes the acceptance into the Invitation's status. It is found there
// if another request of the same link recorded the same Account, or if this one
// did and was not told.
func (a *acceptance) record(ctx context.Context) (outcome, error) {
	seen, o, err := a.save(ctx, a.seen, acceptedBy(a.made()))
	if err != nil {
		return goOn, err
	}
	a.seen, a.recorded = seen, o == done
	if o == done || o == found {
		return goOn, nil
	}
	return o, nil
}

// settle makes the credentials final: the own ones, or else this request has lost.
func (a *acceptance) settle(ctx context.Context) (outcome, error) {
	var failure error
	for range secretTries {
		var secret *corev1.Secret
		if secret, failure = a.secret(ctx); failure != nil {
			continue
		}
		own := a.owns(secret) && a.seen.refuses(a.made()) != factorMissing
		settled := a.settled(secret)
		if settled && own {
			return goOn, nil
		}
		if settled || !a.recorded && !own {
			a.seen.standing = invitation.Used
			return notOpen, nil
		}
		if failure = a.write(ctx, secret, string(a.seen.Invitation.UID)); failure == nil {
			return goOn, nil
		}
	}
	return goOn, fmt.Errorf("settle the account's secret: %w", failure)
}

// secret reads the Secret of the Account, or gives nil.
func (a *acceptance) secret(ctx context.Context) (*corev1.Secret, error) {
	key := client.ObjectKey{Namespace: a.namespace, Name: account.SecretName(a.account.Name)}
	return get[corev1.Secret](ctx, a.live, key)
}

// write puts the own credentials into the Secret, on condition that it is as it was
// read, or that there is still none.
func (a *acceptance) write(ctx context.Context, read *corev1.Secret, settled string) error {
	own := a.person.credentials
	own.Settled = settled
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: account.SecretName(a.account.Name)}}
	if read != nil {
		secret = read.DeepCopy()
	}
	if err := own.WriteTo(secret, a.account); err != nil {
		return err
	}
	if read == nil {
		return a.writer.Create(ctx, secret)
	}
	return a.writer.Update(ctx, secret)
}

// owns tells whether the Secret holds the own credentials.
func (a *acceptance) owns(secret *corev1.Secret) bool {
	own := &corev1.Secret{}
	if !a.belongs(secret) || a.person.credentials.WriteTo(own, a.account) != nil {
		return false
	}
	stored := maps.Clone(secret.Data)
	delete(stored, account.SettledKey)
	return maps.EqualFunc(own.Data, stored, bytes.Equal)
}

// belongs tells whether the Secret is of this Account, and not what an earlier
// one of the same name has left behind.
func (a *acceptance) belongs(secret *corev1.Secret) bool {
	return secret != nil && string(secret.Data[account.UIDKey]) == string(a.account.UID)
}

func (a *acceptance) settled(secret *corev1.Secret) bool {
	return a.belongs(secret) && len(secret.Data[account.SettledKey]) > 0
}

// changedMeanwhile tells whether a write failed because the object was not as
// it had been read.
func changedMeanwhile(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err)
}
