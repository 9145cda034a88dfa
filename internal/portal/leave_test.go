// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// owners returns a list of owners in the form that the controller writes.
func owners(names ...accountsv1.CatalogueName) []accountsv1.OwnerStatus {
	var list []accountsv1.OwnerStatus
	for _, name := range names {
		list = append(list, accountsv1.OwnerStatus{Name: name, Role: "owner"})
	}
	return list
}

func TestAnOwnerLeavesWhereAnotherStays(t *testing.T) {
	grace := membershipOf("grace", "owner") // has the owner role, and counts once she is listed
	for name, tc := range map[string]struct {
		role   accountsv1.CatalogueName
		change func(*accountsv1.Organization)
		stays  bool
	}{
		"the only owner in the list": {role: "owner", stays: true, change: func(o *accountsv1.Organization) {
			o.Status.Owners = owners("ada")
		}},
		"the only owner in the list, now with another role": {role: "developer", stays: true, change: func(o *accountsv1.Organization) {
			o.Status.Owners = owners("ada")
		}},
		"one of two owners": {role: "owner", change: func(o *accountsv1.Organization) {
			o.Status.Owners = owners("ada", "grace")
		}},
		"an owner who is not in the list of others": {role: "owner", change: func(o *accountsv1.Organization) {
			o.Status.Owners = owners("grace")
		}},
		"the first owner, before there is a list": {role: "owner", stays: true, change: func(*accountsv1.Organization) {}},
		"not an owner, without a list":            {role: "developer", change: func(*accountsv1.Organization) {}},
		"not an owner, with a single owner": {role: "developer", change: func(o *accountsv1.Organization) {
			o.Status.Owners = owners("grace")
		}},
		"the only owner of an organization that is being deleted": {role: "owner", change: func(o *accountsv1.Organization) {
			now := metav1.NewTime(storetest.Start)
			o.DeletionTimestamp, o.Finalizers = &now, []string{accountsv1.Finalizer}
			o.Status.Owners = owners("ada")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := aResident(t, tc.role, []client.Object{membershipOf("bob", "developer"), grace.DeepCopy()})
			org := storetest.Acme()
			r.Must(r.Client.Delete(t.Context(), org))
			org.ResourceVersion = ""
			org.Spec.Roles = append(org.Spec.Roles, accountsv1.Role{Name: "owner", Standing: accountsv1.StandingOwner})
			tc.change(org)
			stored(t, r, org)
			if !tc.stays {
				expect(t, r.open("/account/leave?membership="+storetest.Home+"/ada"), 200, "Leave Acme Rocket Works?", "!You are the only owner")
				goesTo(t, r.send("/account/leave", "membership", storetest.Home+"/ada"), "/account?lang=en&done=left")
				return
			}
			expect(t, r.open("/account/leave?membership="+storetest.Home+"/ada"), 200, "You are the only owner", "!<form class")
			expect(t, r.send("/account/leave", "membership", storetest.Home+"/ada"), 409, "You are the only owner")
			if got := r.account().Status.Leaving; len(got) != 0 {
				t.Errorf("leaving: %v", got)
			}
		})
	}
}

// stored creates an Organization. If the object has a deletion time, it is
// deleted at once.
func stored(t *testing.T, r *resident, org *accountsv1.Organization) {
	t.Helper()
	going := org.DeletionTimestamp != nil
	org.DeletionTimestamp = nil
	r.Must(r.Client.Create(t.Context(), org))
	if going {
		r.Must(r.Client.Delete(t.Context(), org))
	}
}
