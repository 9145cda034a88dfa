// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package username

import (
	"hash/fnv"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestPropose(t *testing.T) {
	for name, tc := range map[string]struct {
		given, family, email, qualifier string
		taken                           []string
		n                               int
		want                            []string
	}{
		"a name gives the usual ways to write it": {
			given: "Jane", family: "Doe", email: "jane@example.com", n: 4,
			want: []string{"jane-doe", "jane", "jdoe", "doe-jane"},
		},
		"taken names are left out": {
			given: "Jane", family: "Doe", email: "jane@example.com", taken: []string{"jane-doe", "jane"}, n: 3,
			want: []string{"jdoe", "doe-jane", "jane-doe2"},
		},
		"the address comes before numbers": {
			given: "Jane", family: "Doe", email: "jd.ops@example.com",
			taken: []string{"jane-doe", "jane", "jdoe", "doe-jane"}, n: 3,
			want: []string{"jd-ops", "jane-doe2", "jane-doe3"},
		},
		"letters lose their marks": {
			given: "Zoë", family: "Müller", email: "z@example.com", n: 2,
			want: []string{"zoe-muller", "zoe"},
		},
		"letters lose marks that were typed separately": {
			given: "Zoe\u0308", family: "N\u0303o", email: "z@example.com", n: 1,
			want: []string{"zoe-no"},
		},
		"letters that Unicode does not decompose are written out": {
			given: "Þór", family: "Großæø", email: "t@example.com", n: 1,
			want: []string{"thor-grossaeo"},
		},
		"Polish":     {given: "Łukasz", family: "Żółć", email: "l@example.com", n: 1, want: []string{"lukasz-zolc"}},
		"Vietnamese": {given: "Thị Hồng", family: "Nguyễn", n: 1, want: []string{"thi-hong-nguyen"}},
		"Turkish":    {given: "İpek", family: "Işık", n: 1, want: []string{"ipek-isik"}},
		"Russian":    {given: "Иван", family: "Петров", email: "x@example.com", n: 3, want: []string{"ivan-petrov", "ivan", "ipetrov"}},
		"Russian letters that become two or none": {
			given: "Юлия", family: "Щёкина-Дьяченко", n: 1, want: []string{"iuliia-shchekina-diachenko"},
		},
		"Ukrainian": {given: "Сергій", family: "Їжак", n: 1, want: []string{"sergii-yizhak"}},
		"Greek":     {given: "Ελένη", family: "Παπαδοπούλου", email: "x@example.com", n: 2, want: []string{"eleni-papadopoulou", "eleni"}},
		"Greek pairs": {
			given: "Σταύρος", family: "Ευαγγέλου", n: 1, want: []string{"stavros-evangelou"},
		},
		"Georgian":                       {given: "ნინო", family: "", n: 1, want: []string{"nino"}},
		"Armenian":                       {given: "Հայկ", family: "", n: 1, want: []string{"hayk"}},
		"Korean":                         {given: "철수", family: "김", n: 1, want: []string{"ceolsu-gim"}},
		"kana":                           {given: "ガク", family: "たなか", email: "x@example.com", n: 1, want: []string{"gaku-tanaka"}},
		"kana with separate marks":       {given: "か\u3099く", n: 1, want: []string{"gaku"}},
		"a joiner does not split a word": {given: "क्\u200dष", family: "", n: 1, want: []string{"kss"}},
		"Chinese characters come after the address, without its tag": {
			given: "太郎", family: "山田", email: "Taro.Yamada+work@example.com", n: 3,
			want: []string{"taro-yamada", "tailang-shantian", "tailang"},
		},
		"Arabic comes after the address": {
			given: "محمد", family: "علي", email: "mohammed@example.com", n: 2,
			want: []string{"mohammed", "mhmd-ly"},
		},
		"Arabic without an address": {given: "محمد", family: "علي", n: 1, want: []string{"mhmd-ly"}},
		"Hindi keeps its vowels":    {given: "राहुल", family: "", n: 1, want: []string{"raahul"}},
		"an apostrophe does not split a word": {
			given: "Sinéad", family: "O'Neil", email: "s@example.com", n: 1,
			want: []string{"sinead-oneil"},
		},
		"a curly apostrophe, or a letter that looks like one, does not split a word": {
			given: "Kʻo", family: "O’Neil", email: "s@example.com", n: 1,
			want: []string{"ko-oneil"},
		},
		"a double name": {
			given: "Jean-Luc", family: "de la Tour", n: 3,
			want: []string{"jean-luc-de-la-tour", "jean-luc", "jde-la-tour"},
		},
		"full-width letters are letters": {
			given: "Ｊａｎｅ", family: "", email: "x@example.com", n: 1,
			want: []string{"jane"},
		},
		"only one name": {
			given: "", family: "Madonna", email: "m@example.com", n: 3,
			want: []string{"madonna", "m", "madonna2"},
		},
		"only an address":        {email: "Jane_Doe.Ops@example.com", n: 2, want: []string{"jane-doe-ops", "jane-doe-ops2"}},
		"an address in Cyrillic": {email: "иван@почта.рф", n: 1, want: []string{"ivan"}},
		"emoji are not letters":  {given: "Jane 😀👩‍💻", family: "❤️", email: "x@example.com", n: 2, want: []string{"jane", "x"}},
		"only emoji":             {given: "😀", family: "👩‍💻", email: "jane@example.com", n: 1, want: []string{"jane"}},
		"nothing falls back to member": {
			taken: []string{"member"}, n: 3,
			want: []string{"member2", "member3", "member4"},
		},
		"an address of signs falls back to member": {
			given: "---", family: "...", email: "_!#@example.com", n: 1,
			want: []string{"member"},
		},
		"a reserved name is not proposed": {
			given: "Admin", family: "Support", email: "root@example.com", n: 3,
			want: []string{"asupport", "asupport2", "asupport3"},
		},
		"a name that a number makes reserved is not proposed": {
			given: "Roo", taken: []string{"roo", "roo2", "roo3", "roo4", "roo5", "roo6"}, n: 1, want: []string{"roo8"},
		},
		"a reserved name is not proposed with a number either": {given: "Root", email: "admin@example.com", n: 2, want: []string{"member", "member2"}},
		"a long name is truncated, and further for its number": {
			given: strings.Repeat("a", 62), family: "Doe", email: "", taken: []string{
				strings.Repeat("a", 62), "a" + "doe", "doe-" + strings.Repeat("a", 59),
			}, n: 2,
			want: []string{strings.Repeat("a", 62) + "2", strings.Repeat("a", 62) + "3"},
		},
		"a long name leaves room for the qualifier": {
			given: strings.Repeat("a", 80), qualifier: strings.Repeat("q", 30), n: 2,
			want: []string{strings.Repeat("a", 32), strings.Repeat("a", 31) + "2"},
		},
		"an invalid qualifier gets no proposals":            {given: "Jane", qualifier: "Acme Inc.", n: 2},
		"a qualifier that leaves no room gets no proposals": {given: "Jane", qualifier: strings.Repeat("q", 80), n: 2},
		"zero requested names give none":                    {given: "Jane", family: "Doe", email: "jane@example.com", n: 0},
	} {
		t.Run(name, func(t *testing.T) {
			taken := func(name string) bool { return slices.Contains(tc.taken, name) }
			got := Propose(tc.given, tc.family, tc.email, tc.qualifier, taken, tc.n)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Propose (-want +got):\n%s", diff)
			}
			for _, name := range got {
				if err := CheckWith(name, tc.qualifier); err != nil {
					t.Errorf("proposes %q, which cannot be a user name: %v", name, err)
				}
			}
		})
	}
}

func TestProposeEndsWhenEverythingIsTaken(t *testing.T) {
	asked := map[string]bool{}
	all := func(name string) bool {
		if asked[name] {
			t.Errorf("asks taken about %q twice", name)
		}
		asked[name] = true
		return true
	}
	// The address is one of the numbered names.
	if got := Propose("Jane", "", "jane2@example.com", "", all, 3); len(got) != 0 {
		t.Errorf("proposes %v although everything is taken", got)
	}
}

// checkProposals checks what is true for every name.
func checkProposals(t interface{ Errorf(string, ...any) }, given, family, email, qualifier string, salt byte, n int) {
	// A third of all names is taken, always the same third.
	taken := func(name string) bool {
		h := fnv.New32a()
		_, _ = h.Write(append([]byte(name), salt))
		return h.Sum32()%3 == 0
	}
	got := Propose(given, family, email, qualifier, taken, n)
	if want := max(n, 0); CheckWith("member", qualifier) == nil && len(got) != want {
		t.Errorf("proposes %d names instead of %d", len(got), want)
	}
	for i, name := range got {
		if err := CheckWith(name, qualifier); err != nil {
			t.Errorf("proposes %q for %q, which is invalid: %v", name, qualifier, err)
		}
		if object := Join(name, qualifier); !objectName.MatchString(object) || len(object) > 63 {
			t.Errorf("proposes %q, which the API server refuses", object)
		}
		if taken(name) || Reserved(name) || slices.Contains(got[:i], name) {
			t.Errorf("proposes %q, which is taken, reserved or a duplicate", name)
		}
	}
}

func TestEveryProposalCanBeUsed(t *testing.T) {
	word := rapid.OneOf(
		rapid.String(),
		rapid.StringMatching(`[a-z]{1,80}`),
		rapid.SampledFrom([]string{"", "Admin", "root", "kube", "usher", "système", "Йщ", "山田", "محمد", "👩‍💻", "İı", "ŉǅ㎏", "roo", "O'Neil"}),
	)
	qualifier := rapid.OneOf(rapid.Just(""), rapid.StringMatching(`[a-z0-9]([-a-z0-9]{0,28}[a-z0-9])?`), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		checkProposals(t, word.Draw(t, "given"), word.Draw(t, "family"), word.Draw(t, "email"),
			qualifier.Draw(t, "qualifier"), rapid.Byte().Draw(t, "salt"), rapid.IntRange(-1, 5).Draw(t, "n"))
	})
}

func FuzzPropose(f *testing.F) {
	f.Add("Jane", "Doe", "jane@example.com", "", byte(0))
	f.Add("İ", "ŉǅ㎏", "ⅷ@x", "acme", byte(1))
	f.Add("\xff", "-", "a+b", "-", byte(2))
	f.Add("山田", "राहुल", "محمد@x", strings.Repeat("q", 30), byte(3))
	f.Fuzz(func(t *testing.T, given, family, email, qualifier string, salt byte) {
		checkProposals(t, given, family, email, qualifier, salt, 3)
	})
}
