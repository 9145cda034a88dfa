// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/membership"
)

// Indexes of the cache that the portal reads from.
const (
	// IndexInvitationUID finds the Invitation that a link is for.
	IndexInvitationUID = "metadata.uid"
	// IndexAccountInvitation finds the Accounts that were made through an
	// Invitation, by its UID.
	IndexAccountInvitation = "spec.invitationRef.uid"
	// IndexAccountMembership finds the Accounts that took up a Membership, by
	// its "namespace/name".
	IndexAccountMembership = "metadata.annotations.memberships"
)

// SetupIndexes registers the indexes that Config.Reader must have. Call it
// once, before the cache starts.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range []struct {
		obj     client.Object
		field   string
		extract client.IndexerFunc
	}{
		{&accountsv1.Invitation{}, IndexInvitationUID, invitationUID},
		{&accountsv1.Account{}, IndexAccountInvitation, accountInvitation},
		{&accountsv1.Account{}, IndexAccountMembership, accountMemberships},
	} {
		if err := indexer.IndexField(ctx, index.obj, index.field, index.extract); err != nil {
			return fmt.Errorf("index %T by %s: %w", index.obj, index.field, err)
		}
	}
	return nil
}

func invitationUID(obj client.Object) []string {
	return []string{string(obj.GetUID())}
}

func accountInvitation(obj client.Object) []string {
	account, ok := obj.(*accountsv1.Account)
	if !ok {
		return nil
	}
	return []string{account.Spec.InvitationRef.UID}
}

func accountMemberships(obj client.Object) []string {
	var keys []string
	for _, name := range membership.ParseRecord(obj.GetAnnotations()[accountsv1.MembershipsAnnotation]) {
		keys = append(keys, name.String())
	}
	return keys
}
