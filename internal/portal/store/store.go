// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/organization"
	"github.com/usher-dev/usher/internal/username"
)

// Store reads from the API server what the pages show, and writes there what people
// do on them. It keeps nothing itself. All of its fields must be set.
type Store struct {
	// Reader reads from a cache with the indexes of SetupIndexes.
	Reader client.Reader
	// Live reads past the cache. Nothing is accepted without it.
	Live client.Reader
	// Writer writes Accounts, Secrets and the answers to Invitations.
	Writer Writer
	// Keys gives the keys that links are checked with.
	Keys func(ctx context.Context) (invitation.Keyring, error)
	// Hasher verifies passwords.
	Hasher Hasher
	// Clock tells what has expired.
	Clock clock.PassiveClock
	// Random is what the tokens of sessions are made of.
	Random io.Reader
	// Namespace is Usher's own, where the Secrets of Accounts are kept.
	Namespace string
}

// cacheLag is how far the cache may be behind the mail that brought a link, and
// cachePoll how often it is asked within that time.
const (
	cacheLag  = 500 * time.Millisecond
	cachePoll = 50 * time.Millisecond
)

// Look finds the Invitation of a link in the cache: good enough for showing,
// unless the cache does not know the link.
func (s *Store) Look(ctx context.Context, link invitation.Link) (LinkView, error) {
	inv, err := s.find(ctx, link)
	if err != nil {
		return LinkView{}, err
	}
	seen, err := s.see(ctx, link, inv, s.Reader)
	if err != nil || inv == nil || seen.Standing != invitation.Unknown {
		return seen, err
	}
	return s.Inspect(ctx, link)
}

// Inspect finds the Invitation of a link as it is now. A UID can only be looked
// up in the cache; from there on every read is live.
func (s *Store) Inspect(ctx context.Context, link invitation.Link) (LinkView, error) {
	cached, err := s.find(ctx, link)
	if err != nil || cached == nil {
		return LinkView{}, err
	}
	inv, err := get[accountsv1.Invitation](ctx, s.Live, client.ObjectKeyFromObject(cached))
	if err != nil {
		return LinkView{}, err
	}
	return s.see(ctx, link, inv, s.Live)
}

// find gives the Invitation that a link claims to be for, or nil. A link can be
// here before its Invitation is in the cache, so one that is not there is
// waited for, a little.
func (s *Store) find(ctx context.Context, link invitation.Link) (*accountsv1.Invitation, error) {
	var found accountsv1.InvitationList
	err := wait.PollUntilContextTimeout(ctx, cachePoll, cacheLag, true, func(ctx context.Context) (bool, error) {
		err := s.Reader.List(ctx, &found, client.MatchingFields{IndexInvitationUID: link.UID()})
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
func (s *Store) see(ctx context.Context, link invitation.Link, inv *accountsv1.Invitation, reader client.Reader) (LinkView, error) {
	if inv == nil {
		return LinkView{}, nil
	}
	keys, err := s.Keys(ctx)
	if err != nil {
		return LinkView{}, fmt.Errorf("read the link keys: %w", err)
	}
	seen := LinkView{Offer: invitation.Offer{Invitation: inv}, Link: link, Keys: keys}
	if seen.at(s.Clock.Now()).Standing == invitation.Unknown {
		return LinkView{}, nil
	}
	if err := s.complete(ctx, &seen.Offer, reader); err != nil {
		return LinkView{}, err
	}
	return seen.at(s.Clock.Now()), nil
}

// complete reads what else decides about the offer.
func (s *Store) complete(ctx context.Context, offer *invitation.Offer, reader client.Reader) error {
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
	if err := s.Reader.List(ctx, &holders, client.MatchingFields{IndexAccountMembership: name.String()}); err != nil {
		return fmt.Errorf("find who took up a membership: %w", err)
	}
	offer.TakenUp = slices.ContainsFunc(holders.Items, func(a accountsv1.Account) bool { return membership.Holds(&a, name, inv.Spec.Email) })
	return nil
}

// UserNameTaken tells whether the chosen part of a user name belongs to somebody, or is
// one that could be mistaken for somebody's. Half-made Accounts of this very
// Invitation are nobody's, as long as this one can be gone on with.
func (s *Store) UserNameTaken(ctx context.Context, chosen string, seen LinkView, email accountsv1.EmailAddress) (bool, error) {
	name := username.Join(chosen, seen.Qualifier())
	var alike accountsv1.AccountList
	if err := s.Reader.List(ctx, &alike, client.MatchingFields{IndexAccountSkeleton: skeletonOf(name)}); err != nil {
		return false, fmt.Errorf("find user names that look alike: %w", err)
	}
	return slices.ContainsFunc(alike.Items, func(a accountsv1.Account) bool {
		if a.Name == name {
			return !resumable(&a, seen.Invitation, email)
		}
		return !halfMadeThrough(&a, seen.Invitation)
	}), nil
}

// BegunUserName gives the chosen part of the user name of a half-made Account of this
// Invitation that can be gone on with, or "".
func (s *Store) BegunUserName(ctx context.Context, seen LinkView, email accountsv1.EmailAddress) (string, error) {
	var accounts accountsv1.AccountList
	if err := s.Reader.List(ctx, &accounts, client.MatchingFields{IndexAccountInvitation: string(seen.Invitation.UID)}); err != nil {
		return "", fmt.Errorf("find half-made accounts: %w", err)
	}
	var names []string
	for _, a := range accounts.Items {
		chosen, qualifier, _ := strings.Cut(a.Name, ".")
		if resumable(&a, seen.Invitation, email) && qualifier == seen.Qualifier() {
			names = append(names, chosen)
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	return slices.Min(names), nil
}

// HasAccount tells whether somebody signs in with an address whose account could
// join the Organization: one that is neither half-made nor going, and belongs to
// no other company.
func (s *Store) HasAccount(ctx context.Context, seen LinkView, email accountsv1.EmailAddress) (bool, error) {
	accounts, err := s.accountsOf(ctx, string(email))
	if err != nil {
		return false, err
	}
	for i := range accounts {
		if !settledAccount(&accounts[i]) {
			continue
		}
		belongings, err := s.belongings(ctx, &accounts[i])
		if err != nil || organization.MayJoin(seen.Organization, organizationsOf(belongings)) {
			return err == nil, err
		}
	}
	return false, nil
}

// HashesPerAddress is how many passwords are looked at where somebody signs in
// with an address, whoever has it: an answer does not tell by its time how many
// accounts there are. Of more accounts with one address the oldest count.
const HashesPerAddress = 5

// nobody is a name that no Account and no Secret can have.
const nobody = "-"

// meant are the names of the Accounts that a user name or an address may mean,
// filled up with nobody.
func (s *Store) meant(ctx context.Context, typed string) ([]string, error) {
	if !strings.Contains(typed, "@") {
		if name, ok := username.ParseSignIn(typed); ok {
			return []string{name}, nil
		}
		return []string{nobody}, nil
	}
	accounts, err := s.accountsOf(ctx, typed)
	if err != nil {
		return nil, err
	}
	names := slices.Repeat([]string{nobody}, HashesPerAddress)
	for i := range min(len(accounts), HashesPerAddress) {
		names[i] = accounts[i].Name
	}
	return names, nil
}

// accountsOf are the Accounts of an address, the oldest first.
func (s *Store) accountsOf(ctx context.Context, email string) ([]accountsv1.Account, error) {
	var accounts accountsv1.AccountList
	if err := s.Reader.List(ctx, &accounts, client.MatchingFields{IndexAccountAddress: address.Key(email)}); err != nil {
		return nil, fmt.Errorf("find the accounts of an address: %w", err)
	}
	slices.SortFunc(accounts.Items, func(a, b accountsv1.Account) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return accounts.Items, nil
}

// settledAccount tells whether an Account is somebody's, and stays.
func settledAccount(a *accountsv1.Account) bool {
	return !account.HalfMade(a) && a.DeletionTimestamp == nil
}

// resumable tells whether whoever holds the Invitation's link may go on with
// the Account: it is half-made, through this very Invitation, and for the same
// address, which cannot be changed.
func resumable(a *accountsv1.Account, inv *accountsv1.Invitation, email accountsv1.EmailAddress) bool {
	return halfMadeThrough(a, inv) && a.DeletionTimestamp == nil && address.Same(string(a.Spec.Email), string(email))
}

func halfMadeThrough(a *accountsv1.Account, inv *accountsv1.Invitation) bool {
	return madeThrough(a, inv) && account.HalfMade(a)
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

// Writer is all the writing that the portal ever does. It deletes nothing and
// patches nothing.
type Writer interface {
	Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error
	Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error
	Status() client.SubResourceWriter
}

// Hasher hashes and verifies passwords. It fails with account.ErrBusy when it
// has no room.
type Hasher interface {
	Hash(ctx context.Context, password string) (string, error)
	// Verify asks for the hash once there is room. It takes as long for an empty
	// one, which is nobody's, as for another.
	Verify(ctx context.Context, password string, stored func() string) (bool, error)
}
