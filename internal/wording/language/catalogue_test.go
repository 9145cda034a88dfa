// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package language

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"text/template"
	"text/template/parse"

	"github.com/nicksnyder/go-i18n/v2/i18n"
)

// sentences are the sentences of one file, by ID.
type sentences map[string]*i18n.Message

// faults compares each language of each domain with English.
func faults(t *testing.T, files fs.FS) []string {
	t.Helper()
	var out []string
	fault := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	domains := map[string]map[Tag]sentences{}
	paths, err := fs.Glob(files, "catalogue/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		name := strings.Split(path.Base(p), ".")
		if len(name) != 3 || !slices.Contains(All(), Tag(name[1])) || name[2] != "yaml" {
			fault("%s: the name must be like mail.de.yaml", p)
			continue
		}
		data, err := fs.ReadFile(files, p)
		if err != nil {
			t.Fatal(err)
		}
		file, err := i18n.ParseMessageFileBytes(data, p, formats)
		if err != nil {
			fault("%s: %v", p, err)
			continue
		}
		if domains[name[0]] == nil {
			domains[name[0]] = map[Tag]sentences{}
		}
		found := sentences{}
		for _, m := range file.Messages {
			found[m.ID] = m
			if area, _, _ := strings.Cut(name[0], "-"); !strings.HasPrefix(m.ID, area+".") {
				fault("%s: %s must begin with %s.", p, m.ID, name[0])
			}
		}
		domains[name[0]][Tag(name[1])] = found
	}
	for domain, languages := range domains {
		for _, tag := range All() {
			out = append(out, compare(domain+"."+tag.String(), languages[Default], languages[tag])...)
		}
	}
	slices.Sort(out)
	return out
}

func compare(file string, english, other sentences) []string {
	var out []string
	for id, m := range other {
		want, known := english[id]
		if !known {
			out = append(out, fmt.Sprintf("%s has %s, but English does not", file, id))
			continue
		}
		if (m.One == "") != (want.One == "") {
			out = append(out, fmt.Sprintf("%s: %s does not have the forms of English", file, id))
		}
		if m.Zero+m.Two+m.Few+m.Many != "" {
			out = append(out, fmt.Sprintf("%s: %s has a form other than one and other", file, id))
		}
		for _, form := range [][2]string{{want.One, m.One}, {want.Other, m.Other}} {
			out = append(out, compareForm(file+": "+id, form[0], form[1])...)
		}
	}
	for id := range english {
		if other[id] == nil {
			out = append(out, fmt.Sprintf("%s lacks %s", file, id))
		}
	}
	return out
}

func compareForm(where, english, other string) []string {
	want, err := placeholders(english)
	got, err2 := placeholders(other)
	switch {
	case err != nil || err2 != nil:
		return []string{fmt.Sprintf("%s: %v %v", where, err, err2)}
	case !slices.Equal(got, want):
		return []string{fmt.Sprintf("%s uses %q, but English uses %q", where, got, want)}
	case strings.TrimSpace(other) != other:
		return []string{where + " begins or ends with a space"}
	case (other == "") != (english == ""):
		return []string{where + " is empty"}
	}
	return nil
}

// placeholders returns the values of a sentence, each once. Anything except {{.X}} is an error: a
// sentence has no logic, so that translators need not be programmers.
func placeholders(s string) ([]string, error) {
	tmpl, err := template.New("").Parse(s)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	if tmpl.Tree == nil { // an empty sentence
		return nil, nil
	}
	for _, node := range tmpl.Root.Nodes {
		if node.Type() == parse.NodeText {
			continue
		}
		text := node.String()
		name := strings.TrimSuffix(strings.TrimPrefix(text, "{{."), "}}")
		if "{{."+name+"}}" != text || strings.ContainsAny(name, " .|(") {
			return nil, fmt.Errorf("%s is more than a value such as {{.Name}}", text)
		}
		found[name] = true
	}
	return slices.Sorted(maps.Keys(found)), nil
}

func TestEveryLanguageHasEverySentence(t *testing.T) {
	t.Parallel()
	if found := faults(t, catalogue); len(found) > 0 {
		t.Errorf("the catalogue has faults:\n%s", strings.Join(found, "\n"))
	}
}

func TestFaultsOfTheCatalogueAreSeen(t *testing.T) {
	t.Parallel()
	const english = "a.hello: Hello {{.Name}},\na.end: Bye\na.minutes:\n  one: '{{.N}} minute'\n  other: '{{.N}} minutes'\n"
	for name, c := range map[string]struct {
		german string
		want   string
	}{
		"nothing is wrong":               {strings.Replace(english, "Bye", "Tschüs", 1), ""},
		"a sentence is missing":          {strings.Replace(english, "a.end: Bye\n", "", 1), "a.de lacks a.end"},
		"an additional sentence":         {english + "a.more: Mehr\n", "a.de has a.more, but English does not"},
		"a sentence is empty":            {strings.Replace(english, "Bye", "''", 1), "a.de: a.end is empty"},
		"a value is missing":             {strings.Replace(english, " {{.Name}}", "", 1), `a.de: a.hello uses [], but English uses ["Name"]`},
		"a value has another name":       {strings.Replace(english, ".Name", ".Nahme", 1), `a.de: a.hello uses ["Nahme"], but English uses ["Name"]`},
		"a value is missing in one form": {strings.Replace(english, "{{.N}} minute'", "eine'", 1), `a.de: a.minutes uses [], but English uses ["N"]`},
		"no form for one item":           {strings.Replace(english, "  one: '{{.N}} minute'\n", "", 1), "a.de: a.minutes does not have the forms of English"},
		"an unused form":                 {english + "  few: '{{.N}}'\n", "a.de: a.minutes has a form other than one and other"},
		"a sentence with logic":          {strings.Replace(english, "Bye", "'{{if .X}}Tschüs{{end}}'", 1), "more than a value"},
		"a broken template":              {strings.Replace(english, "{{.Name}}", "{{.Name}", 1), "a.de: a.hello: <nil> template:"},
		"the same ID twice":              {english + "a.end: Tschüs\n", `key "a.end" already set in map`},
		"an ID without its domain":       {english + "b.end: Tschüs\n", "catalogue/a.de.yaml: b.end must begin with a."},
		"a sentence ends in a space":     {strings.Replace(english, "Bye", "'Tschüs '", 1), "a.de: a.end begins or ends with a space"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := fstest.MapFS{}
			for _, tag := range All() {
				files["catalogue/a."+tag.String()+".yaml"] = &fstest.MapFile{Data: []byte(english)}
			}
			files["catalogue/a.de.yaml"] = &fstest.MapFile{Data: []byte(c.german)}
			got := strings.Join(faults(t, files), "\n")
			if got == "" && c.want == "" {
				return
			}
			if c.want == "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestALanguageWithoutFileIsSeen(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"catalogue/a.en.yaml": {Data: []byte("a.x: X\n")}, "catalogue/a.nl.yaml": {Data: []byte("a.x: X\n")}}
	got := strings.Join(faults(t, files), "\n")
	for _, want := range []string{"a.de lacks a.x", "catalogue/a.nl.yaml: the name must be like mail.de.yaml"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
