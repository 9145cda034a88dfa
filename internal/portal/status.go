// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// saveAcceptance writes that the Account took up the Invitation, and nothing
// else, on condition that nobody has changed the Invitation since it was read.
// It gives back the Invitation as it is afterwards.
func saveAcceptance(
	ctx context.Context, writer Writer, seen *accountsv1.Invitation, account *accountsv1.Account, now time.Time,
) (*accountsv1.Invitation, error) {
	inv := seen.DeepCopy()
	accepted := metav1.NewTime(now.Truncate(time.Second))
	inv.Status.Acceptance = accountsv1.Acceptance{
		AccountRef: accountsv1.AcceptedAccountReference{
			Name: accountsv1.AccountName(account.Name),
			UID:  string(account.UID),
		},
		AcceptedTime: &accepted,
	}
	return inv, writer.Status().Update(ctx, inv)
}
