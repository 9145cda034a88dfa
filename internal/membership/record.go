// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// ParseRecord reads the record of the Memberships that an Account took up, the
// annotation accountsv1.MembershipsAnnotation. What is no "namespace/name" in
// it is left out: a record that somebody has damaged still gives the rest.
func ParseRecord(annotation string) []types.NamespacedName {
	var record []types.NamespacedName
	for pair := range strings.SplitSeq(annotation, ",") {
		namespace, name, found := strings.Cut(strings.TrimSpace(pair), "/")
		if !found || namespace == "" || name == "" || strings.Contains(name, "/") {
			continue
		}
		record = append(record, types.NamespacedName{Namespace: namespace, Name: name})
	}
	return sorted(record)
}

// FormatRecord writes the record: "namespace/name" pairs, sorted, each once,
// separated by commas.
func FormatRecord(record []types.NamespacedName) string {
	pairs := make([]string, 0, len(record))
	for _, name := range sorted(record) {
		pairs = append(pairs, name.String())
	}
	return strings.Join(pairs, ",")
}

func sorted(record []types.NamespacedName) []types.NamespacedName {
	ordered := slices.SortedFunc(slices.Values(record), func(a, b types.NamespacedName) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return slices.Compact(ordered)
}
