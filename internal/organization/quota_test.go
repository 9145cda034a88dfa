// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization

import (
	"testing"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

func TestInvitationsPerDay(t *testing.T) {
	for name, c := range map[string]struct {
		spec accountsv1.OrganizationSpec
		want int
	}{
		"declared":                 {accountsv1.OrganizationSpec{InvitationsPerDay: 3, Seats: 5000}, 3},
		"few seats":                {accountsv1.OrganizationSpec{Seats: 1}, 100},
		"many seats":               {accountsv1.OrganizationSpec{Seats: 5000}, 10000},
		"no limit on the seats":    {accountsv1.OrganizationSpec{}, 1000},
		"declared, without a seat": {accountsv1.OrganizationSpec{InvitationsPerDay: 100000}, 100000},
	} {
		if got := InvitationsPerDay(&accountsv1.Organization{Spec: c.spec}); got != c.want {
			t.Errorf("%s: %d, not %d", name, got, c.want)
		}
	}
}
