// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package language_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/internal/wording/language"
)

func TestLanguagesInTheirOwnNames(t *testing.T) {
	t.Parallel()
	var got []string
	for _, tag := range language.All() {
		got = append(got, tag.String()+" "+tag.Name())
	}
	want := []string{"en English", "it Italiano", "fr Français", "de Deutsch", "es Español", "pt Português"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("languages (-want +got):\n%s", diff)
	}
}

func TestAllCannotBeChangedFromOutside(t *testing.T) {
	t.Parallel()
	language.All()[0] = "xx"
	if got := language.All()[0]; got != language.Default {
		t.Errorf("the first language became %q", got)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]language.Tag{
		"en": "en", "de": "de", "DE": "de", "de-AT": "de", "pt-BR": "pt", "zh-Hant-TW": "", "gsw": "", "deutsch": "",
		"": "", "-": "", "-de": "", "+de": "", "de_AT": "", "e": "", "*": "", "de\x00": "",
	} {
		got, ok := language.Parse(s)
		if got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", s, got, ok, want)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header string
		want   language.Tag
	}{
		"no header":                             {"", "en"},
		"one language":                          {"it", "it"},
		"a country":                             {"de-AT", "de"},
		"the Portuguese of Brazil":              {"pt-BR,pt;q=0.9", "pt"},
		"the Spanish of Latin America":          {"es-419", "es"},
		"what a browser sends":                  {"fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "fr"},
		"weights decide, not the order":         {"de;q=0.1,fr;q=0.9", "fr"},
		"the second, if the first is unknown":   {"zh,it;q=0.5", "it"},
		"a weight of 0 means no":                {"it;q=0, de", "de"},
		"capital letters":                       {"IT", "it"},
		"a close relative":                      {"gsw", "de"},
		"no language of Usher":                  {"ja, zh;q=0.5", "en"},
		"anything":                              {"*", "en"},
		"no language at all":                    {"<script>", "en"},
		"a weight that is not a number":         {"fr;q=high", "en"},
		"more than any browser sends":           {"it," + strings.Repeat("de,", 500), "en"},
		"invalid UTF-8":                         {"\xff\xfe\x00", "en"},
		"many dashes, which were slow to parse": {strings.Repeat("-", 900), "en"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := language.Match(c.header); got != c.want {
				t.Errorf("%q: got %q, want %q", c.header, got, c.want)
			}
		})
	}
}

func FuzzMatch(f *testing.F) {
	for _, s := range []string{"", "fr-CH, fr;q=0.9, *;q=0.5", "x-private", "en-u-ca-islamic", "\xff", "de;q=NaN", "i-klingon"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := language.Match(s); !slices.Contains(language.All(), got) {
			t.Errorf("%q: got %q, which is not a language of Usher", s, got)
		}
		if got, ok := language.Parse(s); ok != slices.Contains(language.All(), got) {
			t.Errorf("%q: got %q, %v", s, got, ok)
		}
	})
}

func TestText(t *testing.T) {
	t.Parallel()
	minutes := func(n int) map[string]any { return map[string]any{"Minutes": n, "PluralCount": n} }
	for name, c := range map[string]struct {
		tag  language.Tag
		id   string
		data any
		want string
	}{
		"a sentence":                          {"it", "mail.invitation.open", nil, "Per accettare, apra questo link:"},
		"a value from a map":                  {"de", "mail.greeting.name", map[string]string{"Name": "Ada"}, "Guten Tag Ada,"},
		"a value from a struct":               {"es", "mail.greeting.name", struct{ Name string }{"Ada"}, "Hola, Ada:"},
		"a value is not escaped":              {"en", "mail.greeting.name", map[string]string{"Name": "<A> & {{.B}}"}, "Hello <A> & {{.B}},"},
		"a non-breaking space":                {"fr", "mail.line.role", map[string]string{"Role": "X"}, "Rôle\u00a0: X"},
		"one":                                 {"de", "mail.code.valid", minutes(1), "Der Code gilt 1 Minute."},
		"more than one":                       {"de", "mail.code.valid", minutes(10), "Der Code gilt 10 Minuten."},
		"zero is singular in French":          {"fr", "mail.code.valid", minutes(0), "Le code est valable 0 minute."},
		"millions, which have their own form": {"it", "mail.code.valid", minutes(2000000), "Il codice è valido per 2000000 minuti."},
		"the zero tag is English":             {"", "mail.invitation.open", nil, "To accept, open this link:"},
		"an unknown tag is English":           {"xx", "mail.invitation.open", nil, "To accept, open this link:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.tag.Text(c.id, c.data); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestTextPanicsWithTheId(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		id   string
		data any
	}{
		"for an unknown sentence": {"mail.no.such.sentence", nil},
		"for a missing value":     {"mail.greeting.name", map[string]string{}},
		"without any values":      {"mail.greeting.name", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, tag := range language.All() {
				func() {
					defer func() {
						if said, ok := recover().(string); !ok || !strings.Contains(said, c.id) {
							t.Errorf("%s: the panic says %q, want %q in it", tag, said, c.id)
						}
					}()
					tag.Text(c.id, c.data)
				}()
			}
		})
	}
}

func TestDate(t *testing.T) {
	t.Parallel()
	ten := time.Date(2026, 11, 28, 10, 0, 59, 0, time.UTC)
	one := time.Date(2027, 3, 1, 1, 5, 0, 0, time.UTC)
	midnight := time.Date(2027, 1, 1, 1, 0, 0, 0, time.FixedZone("CET", 3600))
	evening := time.Date(2028, 8, 9, 23, 59, 0, 0, time.UTC)
	for tag, want := range map[language.Tag][4]string{
		"en": {
			"Saturday, 28 November 2026, 10:00 UTC", "Monday, 1 March 2027, 01:05 UTC",
			"Friday, 1 January 2027, 00:00 UTC", "Wednesday, 9 August 2028, 23:59 UTC",
		},
		"it": {
			"sabato 28 novembre 2026, ore 10:00 UTC", "lunedì 1º marzo 2027, ore 01:05 UTC",
			"venerdì 1º gennaio 2027, ore 00:00 UTC", "mercoledì 9 agosto 2028, ore 23:59 UTC",
		},
		"fr": {
			"samedi 28 novembre 2026 à 10:00 UTC", "lundi 1er mars 2027 à 01:05 UTC",
			"vendredi 1er janvier 2027 à 00:00 UTC", "mercredi 9 août 2028 à 23:59 UTC",
		},
		"de": {
			"Samstag, 28. November 2026, 10:00 Uhr UTC", "Montag, 1. März 2027, 01:05 Uhr UTC",
			"Freitag, 1. Januar 2027, 00:00 Uhr UTC", "Mittwoch, 9. August 2028, 23:59 Uhr UTC",
		},
		"es": {
			"sábado 28 de noviembre de 2026, a las 10:00 UTC", "lunes 1 de marzo de 2027, a la 01:05 UTC",
			"viernes 1 de enero de 2027, a las 00:00 UTC", "miércoles 9 de agosto de 2028, a las 23:59 UTC",
		},
		"pt": {
			"sábado, 28 de novembro de 2026, às 10:00 UTC", "segunda-feira, 1 de março de 2027, à 01:05 UTC",
			"sexta-feira, 1 de janeiro de 2027, às 00:00 UTC", "quarta-feira, 9 de agosto de 2028, às 23:59 UTC",
		},
		"": {
			"Saturday, 28 November 2026, 10:00 UTC", "Monday, 1 March 2027, 01:05 UTC",
			"Friday, 1 January 2027, 00:00 UTC", "Wednesday, 9 August 2028, 23:59 UTC",
		},
	} {
		got := [4]string{tag.Date(ten), tag.Date(one), tag.Date(midnight), tag.Date(evening)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tag, diff)
		}
	}
}

// A month or weekday that occurs twice in the table was copied by mistake.
func TestEveryLanguageHasSevenDaysAndTwelveMonths(t *testing.T) {
	t.Parallel()
	for _, tag := range language.All() {
		weekdays, months := map[string]bool{}, map[string]bool{}
		for day := range 7 {
			weekdays[strings.Fields(tag.Date(time.Date(2026, 2, 1+day, 12, 0, 0, 0, time.UTC)))[0]] = true
		}
		for month := range 12 {
			text := tag.Date(time.Date(2026, time.Month(month+1), 15, 12, 0, 0, 0, time.UTC))
			_, fromTheDayOn, _ := strings.Cut(text, "15")
			months[fromTheDayOn] = true
		}
		if len(weekdays) != 7 || len(months) != 12 {
			t.Errorf("%s: weekdays %v, months %v", tag, weekdays, months)
		}
	}
}
