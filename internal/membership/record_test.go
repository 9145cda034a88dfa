// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

func TestParseRecord(t *testing.T) {
	for name, tc := range map[string]struct {
		annotation string
		want       []RecordEntry
	}{
		"nothing":                  {"", nil},
		"one entry":                {"acme/jane", []RecordEntry{{NamespacedName: types.NamespacedName{Namespace: "acme", Name: "jane"}}}},
		"several, in any order":    {"b/x,a/y", []RecordEntry{{NamespacedName: types.NamespacedName{Namespace: "a", Name: "y"}}, {NamespacedName: types.NamespacedName{Namespace: "b", Name: "x"}}}},
		"the same twice":           {"a/y,a/y", []RecordEntry{{NamespacedName: types.NamespacedName{Namespace: "a", Name: "y"}}}},
		"spaces and empty entries": {" a/y ,, b/x,", []RecordEntry{{NamespacedName: types.NamespacedName{Namespace: "a", Name: "y"}}, {NamespacedName: types.NamespacedName{Namespace: "b", Name: "x"}}}},
		"for another address": {"a/y=jane@example.com,b/x", []RecordEntry{
			{types.NamespacedName{Namespace: "a", Name: "y"}, "jane@example.com"}, {NamespacedName: types.NamespacedName{Namespace: "b", Name: "x"}},
		}},
		"for an address that contains separators of the record": {"a/y=a=b/c@example.com", []RecordEntry{{types.NamespacedName{Namespace: "a", Name: "y"}, "a=b/c@example.com"}}},
		"one Membership with two addresses: the first counts": {"a/y=x@example.com,a/y=z@example.com,a/y", []RecordEntry{
			{types.NamespacedName{Namespace: "a", Name: "y"}, "x@example.com"},
		}},
		"spaces around an address": {" a/y = x@example.com ,b/x = ", []RecordEntry{
			{types.NamespacedName{Namespace: "a", Name: "y"}, "x@example.com"}, {NamespacedName: types.NamespacedName{Namespace: "b", Name: "x"}},
		}},
		"an address without a Membership": {"=jane@example.com,a=b/y", nil},
		"the other entries next to an invalid one": {
			"a,/y,a/,a/b/c,/,a/y", []RecordEntry{{NamespacedName: types.NamespacedName{Namespace: "a", Name: "y"}}},
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
		record []RecordEntry
		want   string
	}{
		"nothing": {nil, ""},
		"sorted, without duplicates": {
			[]RecordEntry{{NamespacedName: types.NamespacedName{Namespace: "b", Name: "x"}}, {NamespacedName: types.NamespacedName{Namespace: "a", Name: "y"}}, {NamespacedName: types.NamespacedName{Namespace: "b", Name: "x"}}, {NamespacedName: types.NamespacedName{Namespace: "a", Name: "b"}}},
			"a/b,a/y,b/x",
		},
		"for another address": {[]RecordEntry{{types.NamespacedName{Namespace: "a", Name: "y"}, "jane+a=b@example.com"}}, "a/y=jane+a=b@example.com"},
		"by namespace before name": {
			[]RecordEntry{{NamespacedName: types.NamespacedName{Namespace: "a-b", Name: "a"}}, {NamespacedName: types.NamespacedName{Namespace: "a", Name: "z"}}},
			"a/z,a-b/a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := FormatRecord(tc.record)
			if got != tc.want {
				t.Errorf("FormatRecord = %q, want %q", got, tc.want)
			}
			if again := FormatRecord(ParseRecord(got)); again != got {
				t.Errorf("formatted again, it is %q", again)
			}
		})
	}
}

func TestFormatRecordLeavesItsArgumentAlone(t *testing.T) {
	record := []RecordEntry{{NamespacedName: types.NamespacedName{Namespace: "b", Name: "x"}}, {NamespacedName: types.NamespacedName{Namespace: "a", Name: "y"}}}
	FormatRecord(record)
	if record[0].Namespace != "b" {
		t.Errorf("it sorted its argument: %v", record)
	}
}

func TestHolds(t *testing.T) {
	jane := types.NamespacedName{Namespace: "acme", Name: "jane"}
	for name, c := range map[string]struct {
		record, account string
		want            bool
	}{
		"its own address":                            {"acme/jane", "jane@example.com", true},
		"its own address, in capitals":               {"acme/jane", "JANE@EXAMPLE.COM", true},
		"one of several":                             {"acme/ann,acme/jane,beta/jane", "jane@example.com", true},
		"another address":                            {"acme/jane", "eve@example.org", false},
		"another, confirmed address":                 {"acme/jane=jane@example.com", "doe@example.net", true},
		"its own address, for an earlier Membership": {"acme/jane=jane@example.net", "jane@example.com", false},
		"another namespace":                          {"beta/jane", "jane@example.com", false},
		"another name":                               {"acme/jane-2,acme/jan", "jane@example.com", false},
		"no record":                                  {"", "jane@example.com", false},
		"the name as an address":                     {"beta/x=acme/jane", "jane@example.com", false},
	} {
		t.Run(name, func(t *testing.T) {
			a := &accountsv1.Account{Spec: accountsv1.AccountSpec{Email: accountsv1.EmailAddress(c.account)}}
			a.Annotations = map[string]string{accountsv1.MembershipsAnnotation: c.record}
			if got := IsHeldBy(a, jane, "jane@example.com"); got != c.want {
				t.Errorf("it holds: %v", got)
			}
		})
	}
	if IsHeldBy(&accountsv1.Account{}, jane, "jane@example.com") {
		t.Error("an Account without a record holds it")
	}
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	label := rapid.StringMatching(`[a-z0-9]([-a-z0-9]{0,5}[a-z0-9])?`)
	email := rapid.StringMatching(`([-a-z0-9!#$%&'*+/=?^_{|}~]{1,8}@[a-z]{1,5}[.]example)?`)
	held := rapid.Custom(func(t *rapid.T) RecordEntry {
		return RecordEntry{types.NamespacedName{Namespace: label.Draw(t, "namespace"), Name: label.Draw(t, "name")}, email.Draw(t, "email")}
	})
	rapid.Check(t, func(t *rapid.T) {
		record := rapid.SliceOfDistinct(held, func(h RecordEntry) types.NamespacedName { return h.NamespacedName }).Draw(t, "record")
		text := FormatRecord(record)
		got := ParseRecord(text)
		if diff := cmp.Diff(sorted(record), got); diff != "" {
			t.Fatalf("for %q: -formatted +parsed\n%s", text, diff)
		}
		if again := FormatRecord(rapid.Permutation(got).Draw(t, "in any order")); again != text {
			t.Fatalf("%q is formatted again as %q", text, again)
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	for _, seed := range []string{"", "a/y", "b/x,a/y=jane@example.com", "a/y,a/y=x", "/,=,a/b/c", " a/y ,, =", "0/ ="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, annotation string) {
		record := ParseRecord(annotation)
		for _, h := range record {
			if h.Namespace == "" || h.Name == "" || strings.ContainsAny(h.Name, "/,=") || strings.ContainsAny(h.Namespace, "/,=") || strings.Contains(h.Email, ",") {
				t.Errorf("%q holds %+v", annotation, h)
			}
		}
		text := FormatRecord(record)
		if again := FormatRecord(ParseRecord(text)); again != text {
			t.Errorf("%q is parsed as %q, and that as %q", annotation, text, again)
		}
	})
}
