// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/username"
)

// Indexes of the cache that the portal reads from.
const (
	// IndexInvitationUID finds the Invitation that a link is for.
	IndexInvitationUID = "metadata.uid"
	// IndexAccountUID finds the Account that a reset link is for.
	IndexAccountUID = "metadata.uid"
	// IndexAccountInvitation finds the Accounts that were created through an Invitation,
	// by its UID.
	IndexAccountInvitation = "spec.invitationRef.uid"
	// IndexAccountAddress finds the Accounts of an address, by its address.Key.
	IndexAccountAddress = "spec.email.key"
	// IndexAccountSkeleton finds the Accounts whose user names look like a given name.
	// The key is the username.Skeleton of the chosen part, a dot, and the qualifier.
	IndexAccountSkeleton = "metadata.name.skeleton"
	// IndexAccountMembership finds the Accounts that hold a Membership, by its
	// "namespace/name".
	IndexAccountMembership = "metadata.annotations.memberships"
	// IndexAccountDevice finds the Accounts that approved a sign-in on another device, by
	// the hash of its code.
	IndexAccountDevice = "status.deviceApprovals.codeHash"
)

// SetupIndexes registers the indexes that Store.Reader must have. Call it once, before
// the cache starts.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range []struct {
		obj     client.Object
		field   string
		extract client.IndexerFunc
	}{
		{&accountsv1.Invitation{}, IndexInvitationUID, ownUID},
		{&accountsv1.Account{}, IndexAccountUID, ownUID},
		{&accountsv1.Account{}, IndexAccountInvitation, accountInvitation},
		{&accountsv1.Account{}, IndexAccountAddress, accountAddress},
		{&accountsv1.Account{}, IndexAccountSkeleton, accountSkeleton},
		{&accountsv1.Account{}, IndexAccountMembership, accountMemberships},
		{&accountsv1.Account{}, IndexAccountDevice, accountDevices},
	} {
		if err := indexer.IndexField(ctx, index.obj, index.field, index.extract); err != nil {
			return fmt.Errorf("index %T by %s: %w", index.obj, index.field, err)
		}
	}
	return nil
}

// OnlyWithheldNames restricts the cache to the ConfigMaps that withhold user names.
func OnlyWithheldNames(namespace string) cache.ByObject {
	return cache.ByObject{
		Namespaces: map[string]cache.Config{namespace: {}},
		Label:      labels.SelectorFromSet(labels.Set{accountsv1.WithheldLabel: "true"}),
		Transform:  cache.TransformStripManagedFields(),
	}
}

func ownUID(obj client.Object) []string { return []string{string(obj.GetUID())} }

func accountInvitation(obj client.Object) []string {
	account, ok := obj.(*accountsv1.Account)
	if !ok {
		return nil
	}
	return []string{account.Spec.InvitationRef.UID}
}

func accountAddress(obj client.Object) []string {
	account, ok := obj.(*accountsv1.Account)
	if !ok {
		return nil
	}
	return []string{address.Key(string(account.Spec.Email))}
}

func accountSkeleton(obj client.Object) []string { return []string{skeletonOf(obj.GetName())} }

// skeletonOf returns the same text for Accounts whose names look alike. Qualifiers are
// set by cluster admins, so two qualifiers that differ at all count as different.
func skeletonOf(name string) string {
	chosen, qualifier, _ := strings.Cut(name, ".")
	return username.Skeleton(chosen) + "." + qualifier
}

func accountDevices(obj client.Object) []string {
	account, ok := obj.(*accountsv1.Account)
	if !ok {
		return nil
	}
	var hashes []string
	for _, approved := range account.Status.DeviceApprovals {
		hashes = append(hashes, approved.CodeHash)
	}
	return hashes
}

func accountMemberships(obj client.Object) []string {
	var keys []string
	for _, name := range membership.ParseRecord(obj.GetAnnotations()[accountsv1.MembershipsAnnotation]) {
		keys = append(keys, name.String())
	}
	return keys
}
