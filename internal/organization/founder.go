// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// founders returns the Memberships to create for the first owners, and the record to
// write afterwards. Each is created only once, because an admin who deletes one does so
// on purpose.
func (f Facts) founders() (found []accountsv1.Membership, record string) {
	org := f.Organization
	if f.HomeTaken != "" || f.Namespace != nil && f.Namespace.DeletionTimestamp != nil {
		return nil, ""
	}
	made := strings.FieldsFunc(org.Annotations[accountsv1.FoundersAnnotation], func(r rune) bool { return r == ',' })
	for _, founder := range org.Spec.Founders {
		if slices.Contains(made, string(founder.Name)) || !org.IsOwnerRole(founder.Role) {
			continue
		}
		found = append(found, accountsv1.Membership{
			ObjectMeta: metav1.ObjectMeta{Namespace: string(org.Spec.Namespace), Name: string(founder.Name)},
			Spec: accountsv1.MembershipSpec{
				OrganizationRef: accountsv1.OrganizationReference{Name: accountsv1.CatalogueName(org.Name)},
				Email:           founder.Email,
				GivenName:       founder.GivenName,
				FamilyName:      founder.FamilyName,
				Role:            founder.Role,
			},
		})
		made = append(made, string(founder.Name))
	}
	if len(found) == 0 {
		return nil, ""
	}
	slices.Sort(made)
	return found, strings.Join(made, ",")
}

// foundersWithoutRole returns the founders whose role does not exist or is not an owner's role.
func (f Facts) foundersWithoutRole() []string {
	var names []string
	for _, founder := range f.Organization.Spec.Founders {
		if !f.Organization.IsOwnerRole(founder.Role) {
			names = append(names, string(founder.Name))
		}
	}
	return names
}
