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

	corev1 "k8s.io/api/core/v1"
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
	"github.com/usher-dev/usher/internal/withheld"
)

// Store reads from the API server what the pages show, and writes what people do on them.
// It keeps no state itself. All of its fields must be set, except that RecordResetRequests
// and Holders need only Reader, Live, Writer and Clock.
type Store struct {
	// Reader reads from a cache with the indexes of SetupIndexes.
	Reader client.Reader
	// Live reads past the cache. Every acceptance depends on a live read.
	Live client.Reader
	// Writer writes Accounts, Secrets and the answers to Invitations.
	Writer Writer
	// Keys returns the keys that the links of Invitations are checked with.
	Keys func(ctx context.Context) (invitation.Keyring, error)
	// SeedKeys returns the keys that seal the seeds of authenticator apps.
	SeedKeys func(ctx context.Context) (invitation.Keyring, error)
	// ResetKeys returns the keys that reset links are checked with.
	ResetKeys func(ctx context.Context) (invitation.Keyring, error)
	// Hasher hashes and verifies passwords.
	Hasher Hasher
	// Clock decides what has expired.
	Clock clock.PassiveClock
	// Random is the source of randomness for session tokens.
	Random io.Reader
	// Namespace holds the Secrets of Accounts. OwnNamespace is Usher's own, which holds
	// the records of withheld user names.
	Namespace, OwnNamespace string
}

// cacheLag is how far the cache may lag behind the mail that brought a link. cachePoll is
// how often Store asks the cache within that time.
const (
	cacheLag  = 500 * time.Millisecond
	cachePoll = 50 * time.Millisecond
)

// InspectCached returns the Invitation of a link from the cache, which is good enough for display.
// If the link does not match the cached Invitation, it reads the Invitation live.
func (s *Store) InspectCached(ctx context.Context, link invitation.Link) (LinkView, error) {
	inv, err := s.find(ctx, link)
	if err != nil {
		return LinkView{}, err
	}
	seen, err := s.viewOf(ctx, link, inv, s.Reader)
	if err != nil || inv == nil || seen.Status != invitation.LinkUnknown {
		return seen, err
	}
	return s.Inspect(ctx, link)
}

// Inspect returns the current Invitation of a link. A UID can only be looked up in the
// cache, but every read after that is live.
func (s *Store) Inspect(ctx context.Context, link invitation.Link) (LinkView, error) {
	cached, err := s.find(ctx, link)
	if err != nil || cached == nil {
		return LinkView{}, err
	}
	inv, err := get[accountsv1.Invitation](ctx, s.Live, client.ObjectKeyFromObject(cached))
	if err != nil {
		return LinkView{}, err
	}
	return s.viewOf(ctx, link, inv, s.Live)
}

// find returns the Invitation that a link claims to be for, or nil. A link can arrive
// before its Invitation is in the cache, so find waits up to cacheLag for a missing one.
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

// viewOf returns the view that a link gives of an Invitation, which may be nil. Unless the
// link is genuine, it reads nothing more and reveals nothing.
func (s *Store) viewOf(ctx context.Context, link invitation.Link, inv *accountsv1.Invitation, reader client.Reader) (LinkView, error) {
	if inv == nil {
		return LinkView{}, nil
	}
	keys, err := s.Keys(ctx)
	if err != nil {
		return LinkView{}, fmt.Errorf("read the link keys: %w", err)
	}
	seen := LinkView{Offer: invitation.Offer{Invitation: inv}, Link: link, Keys: keys}
	if seen.at(s.Clock.Now()).Status == invitation.LinkUnknown {
		return LinkView{}, nil
	}
	if err := s.complete(ctx, &seen.Offer, reader); err != nil {
		return LinkView{}, err
	}
	return seen.at(s.Clock.Now()), nil
}

// complete reads the other objects that decide about the offer.
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
	// Always from the cache, because a live read would list every Account. The result
	// only matters if the Invitation's own status was lost, and for that the cache is
	// never too stale.
	var holders accountsv1.AccountList
	if err := s.Reader.List(ctx, &holders, client.MatchingFields{IndexAccountMembership: name.String()}); err != nil {
		return fmt.Errorf("find the accounts that hold a membership: %w", err)
	}
	offer.Joined = slices.ContainsFunc(holders.Items, func(a accountsv1.Account) bool { return membership.IsHeldBy(&a, name, inv.Spec.Email) })
	return nil
}

// UserNameTaken reports whether the chosen part of a user name belongs to another person,
// could be mistaken for another person's name, or is withheld. An incomplete Account of
// this very Invitation does not count, unless it has exactly this name and the request
// cannot continue with it. Every read is from the cache, so the response time does not
// reveal why a name is taken.
func (s *Store) UserNameTaken(ctx context.Context, chosen string, seen LinkView, email accountsv1.EmailAddress) (bool, error) {
	name := username.Join(chosen, seen.Qualifier())
	var alike accountsv1.AccountList
	if err := s.Reader.List(ctx, &alike, client.MatchingFields{IndexAccountSkeleton: skeletonOf(name)}); err != nil {
		return false, fmt.Errorf("find user names that look alike: %w", err)
	}
	refused, err := s.isWithheld(ctx, s.Reader, name)
	if err != nil {
		return false, err
	}
	return refused || slices.ContainsFunc(alike.Items, func(a accountsv1.Account) bool {
		if a.Name == name {
			return !resumable(&a, seen.Invitation, email)
		}
		return !isIncompleteThrough(&a, seen.Invitation)
	}), nil
}

// isWithheld reports whether no new Account may have a user name, because an earlier
// Account had it or a binding names it. It reads both objects in any case.
func (s *Store) isWithheld(ctx context.Context, reader client.Reader, name string) (bool, error) {
	record, err := get[corev1.ConfigMap](ctx, reader, client.ObjectKey{Namespace: s.OwnNamespace, Name: withheld.RecordName(name)})
	if err != nil {
		return false, err
	}
	bound, err := get[corev1.ConfigMap](ctx, reader, client.ObjectKey{Namespace: s.OwnNamespace, Name: withheld.BoundListName})
	return record != nil || withheld.Lists(bound, name), err
}

// BegunUserName returns the chosen part of the user name of an incomplete Account of this
// Invitation that the request can continue with, or "". It is not withheld.
func (s *Store) BegunUserName(ctx context.Context, seen LinkView, email accountsv1.EmailAddress) (string, error) {
	var accounts accountsv1.AccountList
	if err := s.Reader.List(ctx, &accounts, client.MatchingFields{IndexAccountInvitation: string(seen.Invitation.UID)}); err != nil {
		return "", fmt.Errorf("find incomplete accounts: %w", err)
	}
	var names []string
	for _, a := range accounts.Items {
		chosen, qualifier, _ := strings.Cut(a.Name, ".")
		if !resumable(&a, seen.Invitation, email) || qualifier != seen.Qualifier() {
			continue
		}
		refused, err := s.isWithheld(ctx, s.Reader, a.Name)
		if err != nil {
			return "", err
		}
		if !refused {
			names = append(names, chosen)
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	return slices.Min(names), nil
}

// HasAccount reports whether an account with this address exists that could join the
// Organization: one that is neither incomplete nor being deleted, and that belongs to no
// other legal entity. An account whose address is not confirmed does not count, because it
// may belong to another person.
func (s *Store) HasAccount(ctx context.Context, seen LinkView, email accountsv1.EmailAddress) (bool, error) {
	accounts, err := s.accountsOf(ctx, string(email))
	if err != nil {
		return false, err
	}
	for i := range accounts {
		if !isUsableAccount(&accounts[i]) || !accounts[i].EmailVerified() {
			continue
		}
		belongings, err := s.belongings(ctx, &accounts[i])
		if err != nil || organization.MayJoin(seen.Organization, organizationsOf(belongings)) {
			return err == nil, err
		}
	}
	return false, nil
}

// MailsPerAddress is how many Accounts of one address get the mail that a form requests,
// the first ones of accountsOf. As many Accounts are read even if fewer have the address. So the
// response time does not reveal how many there are.
const MailsPerAddress = 5

// A name that no Account and no Secret can have.
const noAccountName = "-"

// isAddress reports whether a typed sign-in name is an address.
func isAddress(typed string) bool { return strings.Contains(typed, "@") }

// nameOf returns the name of the Account that a typed user name means, or noAccountName.
func nameOf(typed string) string {
	if name, ok := username.ParseSignIn(typed); ok {
		return name
	}
	return noAccountName
}

// accountsOf returns the Accounts of an address: those whose owners confirmed it come
// first, then the oldest. So Accounts that were created with the address of another person
// do not displace that person's Account.
func (s *Store) accountsOf(ctx context.Context, email string) ([]accountsv1.Account, error) {
	var accounts accountsv1.AccountList
	if err := s.Reader.List(ctx, &accounts, client.MatchingFields{IndexAccountAddress: address.Key(email)}); err != nil {
		return nil, fmt.Errorf("find the accounts of an address: %w", err)
	}
	slices.SortFunc(accounts.Items, func(a, b accountsv1.Account) int {
		return cmp.Or(verifiedFirst(a, b), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return accounts.Items, nil
}

func verifiedFirst(a, b accountsv1.Account) int {
	switch {
	case a.EmailVerified() == b.EmailVerified():
		return 0
	case a.EmailVerified():
		return -1
	}
	return 1
}

// isUsableAccount reports whether a person accepted with the Account and it is not being
// deleted.
func isUsableAccount(a *accountsv1.Account) bool {
	return !account.IsIncomplete(a) && a.DeletionTimestamp == nil
}

// resumable reports whether the holder of the Invitation's link may continue with the
// Account. It must be incomplete through this very Invitation, and for the same address,
// because the address cannot be changed.
func resumable(a *accountsv1.Account, inv *accountsv1.Invitation, email accountsv1.EmailAddress) bool {
	return isIncompleteThrough(a, inv) && a.DeletionTimestamp == nil && address.Same(string(a.Spec.Email), string(email))
}

func isIncompleteThrough(a *accountsv1.Account, inv *accountsv1.Invitation) bool {
	return isCreatedThrough(a, inv) && account.IsIncomplete(a)
}

func isCreatedThrough(a *accountsv1.Account, inv *accountsv1.Invitation) bool {
	return a.Spec.InvitationRef.UID == string(inv.UID)
}

// get reads one object. It returns nil if the object does not exist.
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

// Writer holds all write operations that the portal uses. It deletes nothing and patches
// nothing.
type Writer interface {
	Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error
	Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error
	Status() client.SubResourceWriter
}

// Hasher hashes and verifies passwords. It fails with account.ErrBusy if no slot is free.
type Hasher interface {
	Hash(ctx context.Context, password string) (string, error)
	// Verify calls stored for the hash once it has a slot. An empty hash, which belongs
	// to no account, takes as long as any other.
	Verify(ctx context.Context, password string, stored func() string) (bool, error)
}
