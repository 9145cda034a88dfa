// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
)

// mostFounders is the maximum number of names in the record of the founders.
const mostFounders = 256

// recordedFounders returns the founders whose Memberships were created, sorted. The record is in an
// annotation and in the status, because a PUT drops annotations and a restore can lose the status. The
// record has every name that either of them has.
func recordedFounders(org *accountsv1.Organization) []accountsv1.CatalogueName {
	record := slices.Clone(org.Status.Founders)
	for name := range strings.SplitSeq(org.Annotations[accountsv1.FoundersAnnotation], ",") {
		if name != "" && len(name) <= 63 { // as in the status; admins can write the annotation
			record = append(record, accountsv1.CatalogueName(name))
		}
	}
	slices.Sort(record)
	record = slices.Compact(record)
	for i := len(record) - 1; i >= 0 && len(record) > mostFounders; i-- {
		if !slices.ContainsFunc(org.Spec.Founders, func(f accountsv1.Founder) bool { return f.Name == record[i] }) {
			record = slices.Delete(record, i, i+1)
		}
	}
	return record
}

// RecordFounders adds founders to the record in the annotation. It also adds those that only the status
// has. It reports whether the annotation changed.
func RecordFounders(org *accountsv1.Organization, created []accountsv1.CatalogueName) (changed bool) {
	whole := *org
	whole.Status.Founders = slices.Concat(org.Status.Founders, created)
	names := recordedFounders(&whole)
	if len(names) == 0 {
		return false
	}
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(name)
	}
	record := strings.Join(texts, ",")
	if org.Annotations[accountsv1.FoundersAnnotation] == record {
		return false
	}
	if org.Annotations == nil {
		org.Annotations = map[string]string{}
	}
	org.Annotations[accountsv1.FoundersAnnotation] = record
	return true
}

// UnrecordedFounders returns the founders whose Memberships were not created yet, and whose role is an
// owner's role.
func UnrecordedFounders(org *accountsv1.Organization) []accountsv1.Founder {
	recorded := recordedFounders(org)
	return slices.DeleteFunc(slices.Clone(org.Spec.Founders), func(founder accountsv1.Founder) bool {
		return slices.Contains(recorded, founder.Name) || !org.IsOwnerRole(founder.Role)
	})
}

// founders returns the Memberships to create for the first owners, and the existing Memberships that
// only have to be recorded. Each founder is created only once, because an admin who deletes one does so
// on purpose.
func (f Facts) founders() (missing []accountsv1.Membership, found []accountsv1.CatalogueName) {
	org := f.Organization
	if f.HomeTaken != "" || f.Namespace != nil && f.Namespace.DeletionTimestamp != nil {
		return nil, nil
	}
	for _, founder := range UnrecordedFounders(org) {
		switch m := f.named(founder); {
		case m == nil:
			missing = append(missing, accountsv1.Membership{
				ObjectMeta: metav1.ObjectMeta{Namespace: string(org.Spec.Namespace), Name: string(founder.Name)},
				Spec: accountsv1.MembershipSpec{
					OrganizationRef: accountsv1.OrganizationReference{Name: accountsv1.CatalogueName(org.Name)},
					Email:           founder.Email,
					GivenName:       founder.GivenName,
					FamilyName:      founder.FamilyName,
					Role:            founder.Role,
				},
			})
		case m.DeletionTimestamp == nil && f.differs(m, founder) == "":
			found = append(found, founder.Name)
		}
	}
	return missing, found
}

// named returns the Membership with the name of a founder, or nil.
func (f Facts) named(founder accountsv1.Founder) *accountsv1.Membership {
	i := slices.IndexFunc(f.FounderMemberships, func(m accountsv1.Membership) bool { return m.Name == string(founder.Name) })
	if i < 0 {
		return nil
	}
	return &f.FounderMemberships[i]
}

// differs says why a Membership is not the Membership of a founder. It returns "" if it is.
func (f Facts) differs(m *accountsv1.Membership, founder accountsv1.Founder) string {
	switch {
	case string(m.Spec.OrganizationRef.Name) != f.Organization.Name:
		return "another Organization"
	case !f.Organization.IsOwnerRole(m.Spec.Role):
		return fmt.Sprintf("role %s", m.Spec.Role)
	case !address.Same(string(m.Spec.Email), string(founder.Email)):
		return "another address"
	}
	return ""
}

// foundersWithoutName returns the founders whose name another Membership has.
func (f Facts) foundersWithoutName() []string {
	var taken []string
	for _, founder := range UnrecordedFounders(f.Organization) {
		if m := f.named(founder); m != nil && m.DeletionTimestamp == nil && f.differs(m, founder) != "" {
			taken = append(taken, fmt.Sprintf("%s (%s)", founder.Name, f.differs(m, founder)))
		}
	}
	return taken
}

// waitingFounders returns the founders whose name a Membership has that is being deleted.
func (f Facts) waitingFounders() []string {
	var waiting []string
	for _, founder := range UnrecordedFounders(f.Organization) {
		if m := f.named(founder); m != nil && m.DeletionTimestamp != nil {
			waiting = append(waiting, string(founder.Name))
		}
	}
	return waiting
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
