// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
)

// sight is an Invitation as the holder of a link sees it at one moment.
type sight struct {
	invitation.Offer
	standing invitation.Standing
	keys     invitation.Keyring
}

// store is what the pages know, and how an acceptance is kept.
type store struct {
	reader    client.Reader
	live      client.Reader
	writer    Writer
	keys      func(ctx context.Context) (invitation.Keyring, error)
	clock     clock.PassiveClock
	namespace string
}

// cacheLag is how far the cache may be behind the mail that brought a link, and
// cachePoll how often it is asked within that time.
const (
	cacheLag  = 500 * time.Millisecond
	cachePoll = 50 * time.Millisecond
)

// look finds the Invitation of a link in the cache: good enough for showing,
// unless the cache does not know the link.
func (s *store) look(ctx context.Context, link invitation.Link) (sight, error) {
	inv, err := s.find(ctx, link)
	if err != nil {
		return sight{}, err
	}
	seen, err := s.see(ctx, link, inv, s.reader)
	if err != nil || inv == nil || seen.standing != invitation.Unknown {
		return seen, err
	}
	return s.inspect(ctx, link)
}

// inspect finds the Invitation of a link as it is now. A UID can only be looked
// up in the cache; from there on every read is live.
func (s *store) inspect(ctx context.Context, link invitation.Link) (sight, error) {
	cached, err := s.find(ctx, link)
	if err != nil || cached == nil {
		return sight{}, err
	}
	inv, err := get[accountsv1.Invitation](ctx, s.live, client.ObjectKeyFromObject(cached))
	if err != nil {
		return sight{}, err
	}
	return s.see(ctx, link, inv, s.live)
}

// find gives the Invitation that a link claims to be for, or nil. A link can be
// here before its Invitation is in the cache, so one that is not there is
// waited for, a little.
func (s *store) find(ctx context.Context, link invitation.Link) (*accountsv1.Invitation, error) {
	var found accountsv1.InvitationList
	err := wait.PollUntilContextTimeout(ctx, cachePoll, cacheLag, true, func(ctx context.Context) (bool, error) {
		err := s.reader.List(ctx, &found, client.MatchingFields{IndexInvitationUID: link.UID()})
		return len(found.Items) == 1, err
	})
	switch {
	case wait.Interrupted(err) && ctx.Err() == nil:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("find an invitation by its UID: %w", err)
	}
	return &found.Items[0], nil
}

// see tells how a link stands to an Invitation, nil if there is none. Unless
// the link is genuine for it, nothing further is read and nothing is told.
func (s *store) see(ctx context.Context, link invitation.Link, inv *accountsv1.Invitation, reader client.Reader) (sight, error) {
	if inv == nil {
		return sight{}, nil
	}
	keys, err := s.keys(ctx)
	if err != nil {
		return sight{}, fmt.Errorf("read the link keys: %w", err)
	}
	seen := sight{Offer: invitation.Offer{Invitation: inv}, keys: keys}
	if seen.Check(link, keys, s.clock.Now()) == invitation.Unknown {
		return sight{}, nil
	}
	if err := s.complete(ctx, &seen.Offer, reader); err != nil {
		return sight{}, err
	}
	seen.standing = seen.Check(link, keys, s.clock.Now())
	return seen, nil
}

// complete reads what else decides about the offer.
func (s *store) complete(ctx context.Context, offer *invitation.Offer, reader client.Reader) error {
	var err error
	inv := offer.Invitation
	offer.Organization, err = get[accountsv1.Organization](ctx, reader, client.ObjectKey{Name: string(inv.Spec.OrganizationRef.Name)})
	if err != nil {
		return err
	}
	name := client.ObjectKeyFromObject(inv)
	offer.Membership, err = get[accountsv1.Membership](ctx, reader, name)
	if err != nil {
		return err
	}
	// From the cache always: a live read would be of every Account there is.
	// It only matters where the Invitation's own status was lost, and for
	// that a cache is never too old.
	var holders accountsv1.AccountList
	if err := s.reader.List(ctx, &holders, client.MatchingFields{IndexAccountMembership: name.String()}); err != nil {
		return fmt.Errorf("find who took up a membership: %w", err)
	}
	offer.TakenUp = slices.ContainsFunc(holders.Items, func(a accountsv1.Account) bool { return a.Spec.Email == inv.Spec.Email })
	return nil
}

// taken tells whether a user name belongs to somebody, other than a half-made
// Account of this very Invitation.
func (s *store) taken(ctx context.Context, name string, inv *accountsv1.Invitation) (bool, error) {
	holder, err := get[accountsv1.Account](ctx, s.reader, client.ObjectKey{Name: name})
	if err != nil || holder == nil {
		return false, err
	}
	return !resumable(holder, inv), nil
}

// begun gives the user name of a half-made Account of this Invitation, or "".
func (s *store) begun(ctx context.Context, inv *accountsv1.Invitation) (string, error) {
	var accounts accountsv1.AccountList
	if err := s.reader.List(ctx, &accounts, client.MatchingFields{IndexAccountInvitation: string(inv.UID)}); err != nil {
		return "", fmt.Errorf("find half-made accounts: %w", err)
	}
	halfMade := slices.DeleteFunc(accounts.Items, func(a accountsv1.Account) bool { return !resumable(&a, inv) })
	if len(halfMade) == 0 {
		return "", nil
	}
	first := slices.MinFunc(halfMade, func(a, b accountsv1.Account) int { return cmp.Compare(a.Name, b.Name) })
	return first.Name, nil
}

// resumable tells whether whoever holds the Invitation's link may go on with
// the Account: it is half-made, and through this very Invitation.
func resumable(a *accountsv1.Account, inv *accountsv1.Invitation) bool {
	return madeThrough(a, inv) && account.HalfMade(a) && a.DeletionTimestamp == nil
}

func madeThrough(a *accountsv1.Account, inv *accountsv1.Invitation) bool {
	return a.Spec.InvitationRef.UID == string(inv.UID)
}

// get reads one object, or gives nil where there is none.
func get[T any, P interface {
	*T
	client.Object
}](ctx context.Context, reader client.Reader, key client.ObjectKey) (P, error) {
	obj := P(new(T))
	switch err := reader.Get(ctx, key, obj); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get a %T: %w", *obj, err)
	}
	return obj, nil
}
