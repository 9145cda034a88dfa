// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// Acme returns an Organization with the roles developer and guest.
func Acme() *accountsv1.Organization {
	return &accountsv1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: "acme"},
		Spec: accountsv1.OrganizationSpec{
			DisplayName: "Acme Rocket Works", Namespace: Home,
			Resources: []accountsv1.Resource{
				{Name: "staging", DisplayName: "Staging", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{"staging"}}},
				{Name: "production", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{"production"}}},
			},
			Permissions: []accountsv1.Permission{
				{Name: "deploy", DisplayName: "Deploy applications", ClusterRole: "edit"},
				{Name: "watch", DisplayName: "See what runs", ClusterRole: "view"},
			},
			Roles: []accountsv1.Role{
				{Name: "developer", DisplayName: "Developer", Grants: []accountsv1.Grant{
					{Permission: "deploy", Resources: []accountsv1.CatalogueName{"staging"}},
					{Permission: "watch", Resources: []accountsv1.CatalogueName{"staging", "production"}},
				}},
				{Name: "guest"},
			},
		},
	}
}

// Jane returns Jane's Invitation, which was mailed an hour before Start and is valid
// until a day after it.
func Jane() *accountsv1.Invitation {
	claimed, expires := metav1.NewTime(Start.Add(-time.Hour)), metav1.NewTime(Start.Add(24*time.Hour))
	return &accountsv1.Invitation{
		ObjectMeta: metav1.ObjectMeta{Namespace: Home, Name: "jane", UID: JaneUID},
		Spec: accountsv1.InvitationSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: "acme"},
			Email:           "jane.doe@example.com", GivenName: "Jane", FamilyName: "Doe", InvitedBy: "Mara Voss",
			Role: "developer",
		},
		Status: accountsv1.InvitationStatus{
			ExpirationTime: &expires,
			Attempt: accountsv1.Attempt{
				Number: 1, KeyID: 1, ClaimTime: &claimed,
				Organization: "Acme Rocket Works", Role: "Developer", Language: "en", Sender: "Acme <accounts@acme.example>",
			},
			Deliveries: []accountsv1.Delivery{{
				Name: "email", Purpose: accountsv1.PurposeInvitation, Medium: accountsv1.MediumEmail, Recipient: "jane.doe@example.com",
				MessageID: "m", ClaimTime: &claimed, Tries: 1, TryTime: &claimed, Result: accountsv1.DeliverySent, SentTime: &claimed,
			}},
		},
	}
}

// MadeFor returns an Account with that name, created through the Invitation with that
// UID.
func MadeFor(invitationUID, name string) *accountsv1.Account {
	return &accountsv1.Account{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-of-" + name)},
		Spec: accountsv1.AccountSpec{
			Email:         "jane.doe@example.com",
			InvitationRef: accountsv1.InvitationReference{Namespace: Home, Name: "jane", UID: invitationUID},
		},
	}
}
