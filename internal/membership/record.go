// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
)

// RecordEntry is one Membership in the record of an Account.
type RecordEntry struct {
	types.NamespacedName
	// Email is the address of the Membership if it differs from the Account's;
	// otherwise empty.
	Email string
}

// ParseRecord parses the record of the Memberships that an Account holds, which is the
// annotation accountsv1.MembershipsAnnotation. It ignores entries that are neither
// "namespace/name" nor "namespace/name=address", so a damaged record still yields the
// rest.
func ParseRecord(annotation string) []RecordEntry {
	var record []RecordEntry
	for entry := range strings.SplitSeq(annotation, ",") {
		pair, email, _ := strings.Cut(entry, "=")
		namespace, name, found := strings.Cut(strings.TrimSpace(pair), "/")
		if !found || namespace == "" || name == "" || strings.Contains(name, "/") {
			continue
		}
		record = append(record, RecordEntry{types.NamespacedName{Namespace: namespace, Name: name}, strings.TrimSpace(email)})
	}
	return sorted(record)
}

// FormatRecord returns the record as text, sorted and without duplicates.
func FormatRecord(record []RecordEntry) string {
	entries := make([]string, 0, len(record))
	for _, h := range sorted(record) {
		entry := h.String()
		if h.Email != "" {
			entry += "=" + h.Email
		}
		entries = append(entries, entry)
	}
	return strings.Join(entries, ",")
}

// IsHeldBy reports whether the record of an Account names a Membership for the address of
// the Membership.
func IsHeldBy(a *accountsv1.Account, m types.NamespacedName, email accountsv1.EmailAddress) bool {
	return slices.ContainsFunc(ParseRecord(a.Annotations[accountsv1.MembershipsAnnotation]), func(h RecordEntry) bool {
		return h.NamespacedName == m && address.Same(cmp.Or(h.Email, string(a.Spec.Email)), string(email))
	})
}

func sorted(record []RecordEntry) []RecordEntry {
	ordered := slices.SortedStableFunc(slices.Values(record), func(a, b RecordEntry) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return slices.CompactFunc(ordered, func(a, b RecordEntry) bool { return a.NamespacedName == b.NamespacedName })
}
