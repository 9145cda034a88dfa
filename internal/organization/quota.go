// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization

import accountsv1 "github.com/usher-dev/usher/api/v1alpha1"

const (
	// leastQuota lets a small Organization invite all of its people at once, and again.
	leastQuota = 100
	// openQuota applies to Organizations without a limit on seats.
	openQuota = 1000
)

// InvitationsPerDay returns how many invitations Usher sends for an Organization within a day.
func InvitationsPerDay(org *accountsv1.Organization) int {
	switch {
	case org.Spec.InvitationsPerDay != 0:
		return int(org.Spec.InvitationsPerDay)
	case org.Spec.Seats != 0:
		return max(leastQuota, 2*int(org.Spec.Seats))
	}
	return openQuota
}
