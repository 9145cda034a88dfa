// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// accountName is the CEL rule of accountsv1.AccountName and of an Account's name.
var accountName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func TestProposeUserNames(t *testing.T) {
	for name, tc := range map[string]struct {
		given, family, email string
		taken                []string
		n                    int
		want                 []string
	}{
		"a name gives the usual ways to write it": {
			given: "Jane", family: "Doe", email: "jane@example.com", n: 4,
			want: []string{"jane-doe", "jane", "jdoe", "doe-jane"},
		},
		"what is taken is left out": {
			given: "Jane", family: "Doe", email: "jane@example.com", taken: []string{"jane-doe", "jane"}, n: 3,
			want: []string{"jdoe", "doe-jane", "jane-doe2"},
		},
		"the address helps before numbers do": {
			given: "Jane", family: "Doe", email: "jd.ops@example.com",
			taken: []string{"jane-doe", "jane", "jdoe", "doe-jane"}, n: 3,
			want: []string{"jd-ops", "jane-doe2", "jane-doe3"},
		},
		"marks fall off their letters": {
			given: "Zoë", family: "Müller-Łukasiewicz", email: "z@example.com", n: 2,
			want: []string{"zoe-muller-lukasiewicz", "zoe"},
		},
		"letters that Unicode does not take apart are written out": {
			given: "Þór", family: "Großæø", email: "t@example.com", n: 1,
			want: []string{"thor-grossaeo"},
		},
		"an apostrophe does not part a word": {
			given: "Sinéad", family: "O’Neil", email: "s@example.com", n: 1,
			want: []string{"sinead-oneil"},
		},
		"full-width letters are letters": {
			given: "Ｊａｎｅ", family: "", email: "x@example.com", n: 1,
			want: []string{"jane"},
		},
		"a dotted capital I": {
			given: "İpek", family: "", email: "x@example.com", n: 1,
			want: []string{"ipek"},
		},
		"one name alone": {
			given: "", family: "Madonna", email: "m@example.com", n: 3,
			want: []string{"madonna", "m", "madonna2"},
		},
		"another script falls back to the address, without its tag": {
			given: "健", family: "田中", email: "Ken.Tanaka+work@example.com", n: 2,
			want: []string{"ken-tanaka", "ken-tanaka2"},
		},
		"nothing falls back to member": {
			given: "", family: "", email: "", taken: []string{"member"}, n: 3,
			want: []string{"member2", "member3", "member4"},
		},
		"an address of signs falls back to member": {
			given: "---", family: "...", email: "_!#@example.com", n: 1,
			want: []string{"member"},
		},
		"a long name is cut, and cut again for its number": {
			given: strings.Repeat("a", 62), family: "Doe", email: "", taken: []string{
				strings.Repeat("a", 62), "a" + "doe", "doe-" + strings.Repeat("a", 59),
			}, n: 2,
			want: []string{strings.Repeat("a", 62) + "2", strings.Repeat("a", 62) + "3"},
		},
		"nobody asks for any": {given: "Jane", family: "Doe", email: "jane@example.com", n: 0},
	} {
		t.Run(name, func(t *testing.T) {
			taken := func(name string) bool { return slices.Contains(tc.taken, name) }
			got := ProposeUserNames(tc.given, tc.family, tc.email, taken, tc.n)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("ProposeUserNames (-want +got):\n%s", diff)
			}
			for _, name := range got {
				if err := CheckUserName(name); err != nil {
					t.Errorf("proposes %q, which cannot be a user name: %v", name, err)
				}
			}
		})
	}
}

func TestProposeUserNamesEndsWhenEverythingIsTaken(t *testing.T) {
	all := func(string) bool { return true }
	if got := ProposeUserNames("Jane", "Doe", "jane@example.com", all, 3); len(got) != 0 {
		t.Errorf("proposes %v although everything is taken", got)
	}
}

func TestCheckUserNameAgreesWithTheAPIServer(t *testing.T) {
	for _, name := range []string{
		"", "-", "--", "a", "7", "0a", "jane-doe", "a--b", "-a", "a-", "Jane", "jane doe", "jane_doe", "jane.doe",
		"jané", "ｊane", "a\n", "\x00", "usher:jane", "a/b", strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("é", 63),
	} {
		err := CheckUserName(name)
		if want := accountName.MatchString(name); (err == nil) != want {
			t.Errorf("CheckUserName(%q) = %v; the API server takes it: %t", name, err, want)
		}
	}
}

func FuzzUserNames(f *testing.F) {
	f.Add("Jane", "Doe", "jane@example.com")
	f.Add("İ", "ŉǅ㎏", "ⅷ@x")
	f.Add("\xff", "-", "a+b")
	f.Fuzz(func(t *testing.T, given, family, email string) {
		for _, name := range ProposeUserNames(given, family, email, func(string) bool { return false }, 3) {
			if !accountName.MatchString(name) {
				t.Errorf("proposes %q, which the API server refuses", name)
			}
		}
		if err := CheckUserName(given); (err == nil) != accountName.MatchString(given) {
			t.Errorf("CheckUserName(%q) = %v", given, err)
		}
	})
}
