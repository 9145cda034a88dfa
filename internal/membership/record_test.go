// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

func TestParseRecord(t *testing.T) {
	for name, tc := range map[string]struct {
		annotation string
		want       []types.NamespacedName
	}{
		"nothing":                 {"", nil},
		"one":                     {"acme/jane", []types.NamespacedName{{Namespace: "acme", Name: "jane"}}},
		"several, in any order":   {"b/x,a/y", []types.NamespacedName{{Namespace: "a", Name: "y"}, {Namespace: "b", Name: "x"}}},
		"the same twice":          {"a/y,a/y", []types.NamespacedName{{Namespace: "a", Name: "y"}}},
		"spaces and empty places": {" a/y ,, b/x,", []types.NamespacedName{{Namespace: "a", Name: "y"}, {Namespace: "b", Name: "x"}}},
		"the rest of what is no pair": {
			"a,/y,a/,a/b/c,/,a/y", []types.NamespacedName{{Namespace: "a", Name: "y"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, ParseRecord(tc.annotation)); diff != "" {
				t.Errorf("ParseRecord (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFormatRecord(t *testing.T) {
	for name, tc := range map[string]struct {
		record []types.NamespacedName
		want   string
	}{
		"nothing": {nil, ""},
		"sorted, each once": {
			[]types.NamespacedName{{Namespace: "b", Name: "x"}, {Namespace: "a", Name: "y"}, {Namespace: "b", Name: "x"}, {Namespace: "a", Name: "b"}},
			"a/b,a/y,b/x",
		},
		"by namespace before name": {
			[]types.NamespacedName{{Namespace: "a-b", Name: "a"}, {Namespace: "a", Name: "z"}},
			"a/z,a-b/a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := FormatRecord(tc.record)
			if got != tc.want {
				t.Errorf("FormatRecord = %q, want %q", got, tc.want)
			}
			if again := FormatRecord(ParseRecord(got)); again != got {
				t.Errorf("written again it is %q", again)
			}
		})
	}
}

func TestFormatRecordLeavesItsArgumentAlone(t *testing.T) {
	record := []types.NamespacedName{{Namespace: "b", Name: "x"}, {Namespace: "a", Name: "y"}}
	FormatRecord(record)
	if record[0].Namespace != "b" {
		t.Errorf("has sorted what it was given: %v", record)
	}
}
