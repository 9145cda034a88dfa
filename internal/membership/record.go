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

// Held is one Membership in the record of an Account.
type Held struct {
	types.NamespacedName
	// Email is the address that the Membership is for, where that is not the
	// Account's own; empty: it is.
	Email string
}

// ParseRecord reads the record of the Memberships that an Account took up, the
// annotation accountsv1.MembershipsAnnotation. What is no "namespace/name" or
// "namespace/name=address" in it is left out: a record that somebody has
// damaged still gives the rest.
func ParseRecord(annotation string) []Held {
	var record []Held
	for entry := range strings.SplitSeq(annotation, ",") {
		pair, email, _ := strings.Cut(entry, "=")
		namespace, name, found := strings.Cut(strings.TrimSpace(pair), "/")
		if !found || namespace == "" || name == "" || strings.Contains(name, "/") {
			continue
		}
		record = append(record, Held{types.NamespacedName{Namespace: namespace, Name: name}, strings.TrimSpace(email)})
	}
	return sorted(record)
}

// FormatRecord writes the record, sorted, each Membership once.
func FormatRecord(record []Held) string {
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

// Holds tells whether the record of an Account names a Membership, for the
// address that the Membership is for.
func Holds(a *accountsv1.Account, m types.NamespacedName, email accountsv1.EmailAddress) bool {
	return slices.ContainsFunc(ParseRecord(a.Annotations[accountsv1.MembershipsAnnotation]), func(h Held) bool {
		return h.NamespacedName == m && address.Same(cmp.Or(h.Email, string(a.Spec.Email)), string(email))
	})
}

func sorted(record []Held) []Held {
	ordered := slices.SortedStableFunc(slices.Values(record), func(a, b Held) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return slices.CompactFunc(ordered, func(a, b Held) bool { return a.NamespacedName == b.NamespacedName })
}
