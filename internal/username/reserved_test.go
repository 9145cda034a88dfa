// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package username

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestReserved(t *testing.T) {
	for principle, names := range map[string]string{
		"the system":                            "system root kubernetes kube usher daemon anonymous",
		"the user that owns nothing":            "nobody",
		"the people who run it":                 "admin administrator owner support security operator sysadmin superuser cluster-admin",
		"mailboxes of RFC 2142":                 "postmaster hostmaster webmaster abuse noc noreply no-reply",
		"names of no person":                    "guest everyone all default null undefined me self api www mail",
		"words that YAML does not read as text": "true false yes no on off null",
		"Italian":                               "amministratore amministratrice sistema proprietario assistenza sicurezza",
		"French":                                "administrateur administratrice systeme proprietaire assistance securite",
		"German":                                "verwaltung verwalterin administratorin eigentuemer sicherheit kundendienst",
		"Spanish":                               "administrador administradora propietario soporte seguridad",
		"Portuguese":                            "administracao suporte seguranca",
		"families":                              "kube-proxy kube-system usher-portal usher-x system-node kubernetes-admin u5her-x",
		"digits in place of letters":            "adm1n r00t 4dm1n 5upport supp0rt 0wner a8use sy5t3m ku8ernetes",
		"letters in place of letters":           "adrnin aclmin adrnln admln ovvner systern rnailer-daemon",
		"dashes":                                "ad-min a-d-m-i-n secur-it-y no-re-ply admin- -admin ad--min post-master",
		"numbers after it":                      "admin1 admin-2 admin007 root0 r00t7 roo7 roo77 support24",
		"fillers":                               "it-support support-team the-admin security-desk admin-account our-it-support-team",
		"several together":                      "root-admin admin-support security-operator",
		"several, with all variations":          "the-r00t2-4dm1n-team admin-007-root 007-admin",
	} {
		for name := range strings.FieldsSeq(names) {
			if !Reserved(name) {
				t.Errorf("%s: %q is not reserved", principle, name)
			}
		}
	}
}

// Names that people have or choose. Many of them are close to a reserved one.
func TestPeopleMayHaveTheirNames(t *testing.T) {
	for name := range strings.FieldsSeq(`
		adminah rooth jane-root joe-root jane-admin kuber kubelik system1x usherwood husher ownerson supporter
		ali mali mall seif selif neil mia maria ana sudo toor rostov daemen demon damon jane john jane-doe
		james mary robert patricia michael jennifer william linda david elizabeth richard barbara joseph susan
		giulia francesco alessandro sofia lorenzo martina matteo chiara camille lea manon louis hugo chloe jules
		lukas leon finn emma hannah mia ben jonas paul anna lena carlos lucia hugo martin daniel paula diego valeria
		joao maria jose antonio ana beatriz ivan olga dmitri svetlana natalia sergei wei fang li na ming hong yu lei
		hiroshi yuki sakura kenji haruto mohammed ahmed fatima aisha omar hassan layla yusuf ayse mehmet emre zeynep
		priya arjun ananya rahul rohan nil any you my van nguyen tran pham huynh minho jiwoo seoyeon kim park choi
		mailer mueller muller schmidt schneider fischer weber meyer wagner becker schulz hoffmann schaefer koch
		bauer richter klein wolf schroeder neumann schwarz zimmermann braun krueger hofmann hartmann lange rossi
		russo ferrari esposito bianchi romano colombo ricci marino greco conti costa garcia rodriguez gonzalez
		fernandez lopez martinez sanchez perez gomez silva santos ferreira pereira oliveira novak kowalski nowak
		member member2 x y z7 7 ab testing 42 a1 team-jane desk-7 it-jane
	`) {
		if Reserved(name) {
			t.Errorf("%q is reserved", name)
		}
		if err := Check(name); err != nil {
			t.Errorf("Check(%q): %v", name, err)
		}
	}
}

// Another spelling of a reserved name is reserved too.
func TestReservedInEverySpelling(t *testing.T) {
	name := rapid.SampledFrom([]string{"admin", "root", "support", "owner", "system", "security", "postmaster", "verwaltung", "amministratore", "abuse"})
	twin := map[rune][]string{
		'a': {"4"}, 'b': {"8"}, 'e': {"3"}, 's': {"5"}, 't': {"7"}, 'o': {"0"}, 'l': {"1", "i"}, 'i': {"1", "l"}, 'm': {"rn"}, 'w': {"vv"}, 'd': {"cl", "ci"},
	}
	rapid.Check(t, func(t *rapid.T) {
		before, after, dash := "", rapid.SampledFrom([]string{"", "2"}).Draw(t, "number"), "-"
		if rapid.Bool().Draw(t, "other words") {
			before = rapid.SampledFrom([]string{"", "it-", "the-", "usher-", "admin-", "007-"}).Draw(t, "before")
			after = rapid.SampledFrom([]string{"", "-007", "-team", "-root"}).Draw(t, "after")
			dash = ""
		}
		var b strings.Builder
		for _, r := range name.Draw(t, "name") {
			b.WriteString(rapid.SampledFrom(append(twin[r], string(r))).Draw(t, "twin"))
			b.WriteString(rapid.SampledFrom([]string{"", "", dash}).Draw(t, "dash"))
		}
		if written := before + b.String() + after; !Reserved(written) {
			t.Errorf("%q is not reserved", written)
		}
	})
}

func TestNamesThatLookAlike(t *testing.T) {
	for name, tc := range map[string]struct {
		a, b string
		want bool
	}{
		"zero and o":               {"b0b", "bob", true},
		"one and l":                {"al1ce", "allce", true},
		"one and i":                {"al1ce", "alice", true},
		"i and l":                  {"neil", "nell", true},
		"rn and m":                 {"marnie", "mamie", true},
		"vv and w":                 {"evva", "ewa", true},
		"cl and d":                 {"clan", "dan", true},
		"c1 and d":                 {"c1an", "dan", true},
		"two dashes and one":       {"jane--doe", "jane-doe", true},
		"several at once":          {"rnar1e-cl0e", "marie-doe", true},
		"the same name":            {"jane", "jane", true},
		"a dash and none":          {"jane-doe", "janedoe", false},
		"five and s":               {"jane5", "janes", false},
		"two and z":                {"jane2", "janez", false},
		"letters in another order": {"jane", "jaen", false},
		"n and r apart":            {"r-n", "m", false},
		"other names":              {"jane", "john", false},
	} {
		t.Run(name, func(t *testing.T) {
			if a, b := Skeleton(tc.a), Skeleton(tc.b); (a == b) != tc.want {
				t.Errorf("%q and %q: the skeletons are %q and %q", tc.a, tc.b, a, b)
			}
		})
	}
}

func TestSkeletons(t *testing.T) {
	name := rapid.StringMatching(`[a-z0-9-]{0,12}`)
	twin := map[string][]string{
		"o": {"0"}, "0": {"o"}, "l": {"1", "i"}, "i": {"1", "l"}, "1": {"l", "i"}, "m": {"rn"}, "w": {"vv"}, "d": {"cl", "ci", "c1"}, "-": {"--"},
	}
	rapid.Check(t, func(t *rapid.T) {
		a := name.Draw(t, "name")
		skeleton := Skeleton(a)
		if again := Skeleton(skeleton); again != skeleton {
			t.Errorf("the skeleton of %q is %q, and its skeleton is %q", a, skeleton, again)
		}
		var b strings.Builder
		for _, r := range a {
			b.WriteString(rapid.SampledFrom(append(twin[string(r)], string(r))).Draw(t, "twin"))
		}
		if got := Skeleton(b.String()); got != skeleton {
			t.Errorf("%q looks like %q, but has the skeleton %q and not %q", b.String(), a, got, skeleton)
		}
	})
}
