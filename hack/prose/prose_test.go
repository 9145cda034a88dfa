// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package prose_test plants an offence against each rule of the prose linter,
// and expects the linter to find it.
package prose_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// offences maps each rule to sentences that break it.
var offences = map[string][]string{
	"Usher.Actors": {
		"Whoever has the link accepts.",
		"A user whomever it concerns is mailed.",
		"It mails somebody.",
		"Then nobody else signs in.",
		"It concerns everybody.",
		"It allows anybody else.",
		"It tells everyone else.",
		"So no one else signs in.",
		"It mails those who own it.",
		"It mails one who owns it.",
	},
	"Usher.Archaic": {
		"The mail is sent anew.",
		"Thereby the link ends.",
		"It is the namespace wherein it lives.",
		"Hereby it ends.",
		"The namespace whence it came.",
		"Each object, be it an Account, has one.",
		"All objects, be they Accounts, have one.",
		"It ends, were it not for the link.",
	},
	"Usher.Dialect": {
		"It tells whether the link is open.",
		"It says whether the link is open.",
		"There are two at the most.",
		"There are two at the least.",
		"It ends for good.",
		"Delete it by hand.",
		"It logs all but secrets.",
		"Record what it came to.",
		"It counts the how manieth attempt it is.",
		"It goes on with the next one.",
		"The link stops to work.",
		"The logs that are to be had are short.",
		"This is old news.",
		"It makes way for the next one.",
		"It asks for them by a header.",
		"The condition says so.",
		"It hands over the mail.",
		"It is looked at again.",
		"Then nobody new is given the role.",
		"The mail is out.",
		"The mail goes out.",
		"The object is gone.",
		"It waits until the object is there.",
		"All members are in.",
		"It is the one that owns the one that follows.",
		"It would be, were it not for the link.",
		"It takes it out of the list.",
	},
	"Docs.SentenceLength": {
		"This sentence " + strings.Repeat("is long and ", 9) + "has more than thirty words.",
	},
}

// functions maps each rule about Go declarations to code that breaks it.
var functions = map[string][]string{
	"Functions.ReportsWhether": {
		"package x\n\n// isOpen is about the link.\nfunc isOpen() bool { return true }\n",
		"package x\n\ntype link int\n\n// open is about the link.\nfunc (link) open(int) bool { return true }\n",
	},
}

// places are the files that the linter reads, each with a function that embeds a sentence.
var places = map[string]struct {
	file  string
	embed func(sentence string) string
}{
	"a page":                 {"page.md", func(s string) string { return "# Page\n\n" + s + "\n" }},
	"a table":                {"page.md", func(s string) string { return "| a |\n|---|\n| " + s + " |\n" }},
	"a comment":              {"x.go", func(s string) string { return "// Package x is a package.\n//\n// " + s + "\npackage x\n" }},
	"a message":              {"x.go", func(s string) string { return "package x\n\nconst x = \"" + s + "\"\n" }},
	"a sentence of a page":   {"internal/wording/language/catalogue/portal.en.yaml", func(s string) string { return "portal.key: \"" + s + "\"\n" }},
	"a description in a CRD": {"config/crd/bases/kind.yaml", func(s string) string { return "spec:\n  versions:\n  - description: \"" + s + "\"\n" }},
	"a message of a policy":  {"config/policy/policy.yaml", func(s string) string { return "spec:\n  validations:\n  - message: \"" + s + "\"\n" }},
}

func TestEachRuleFindsItsOffences(t *testing.T) {
	t.Parallel()
	for rule, sentences := range offences {
		for _, sentence := range sentences {
			got := lint(t, ".vale.ini", map[string]string{"page.md": sentence + "\n"})
			if !slices.Contains(got["page.md"], rule) {
				t.Errorf("%q: found %v, want %s", sentence, got, rule)
			}
		}
	}
	for rule, sources := range functions {
		for _, source := range sources {
			got := lint(t, "hack/prose/functions.ini", map[string]string{"x.go": source})
			if !slices.Contains(got["x.go"], rule) {
				t.Errorf("%q: found %v, want %s", source, got, rule)
			}
		}
	}
}

func TestEachRuleHasAnOffence(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("styles/*/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, file := range files {
		style, rule := filepath.Split(strings.TrimPrefix(strings.TrimSuffix(file, ".yml"), "styles/"))
		rules = append(rules, strings.TrimSuffix(style, "/")+"."+rule)
	}
	planted := slices.Sorted(maps.Keys(offences))
	planted = append(planted, slices.Sorted(maps.Keys(functions))...)
	slices.Sort(planted)
	slices.Sort(rules)
	if diff := cmp.Diff(rules, planted); diff != "" {
		t.Errorf("rules without an offence here (-rules +offences):\n%s", diff)
	}
}

func TestEachPlaceIsRead(t *testing.T) {
	t.Parallel()
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := lint(t, ".vale.ini", map[string]string{place.file: place.embed("The mail is sent anew.")})
			if !slices.Contains(got[place.file], "Usher.Archaic") {
				t.Errorf("found %v, want Usher.Archaic", got)
			}
			if got := lint(t, ".vale.ini", map[string]string{place.file: place.embed("Usher sends the mail again.")}); len(got) > 0 {
				t.Errorf("found %v in plain English", got)
			}
		})
	}
}

func TestPlainDocCommentsPass(t *testing.T) {
	t.Parallel()
	source := "package x\n\n// isOpen reports whether the link is open.\nfunc isOpen() bool { return true }\n\n" +
		"// find returns the link, and whether there is one.\nfunc find() (int, bool) { return 0, false }\n"
	if got := lint(t, "hack/prose/functions.ini", map[string]string{"x.go": source}); len(got) > 0 {
		t.Errorf("found %v in plain English", got)
	}
}

// lint writes the files to a directory and returns the rules that each of them breaks.
func lint(t *testing.T, config string, files map[string]string) map[string][]string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "bin/vale"), "--output=JSON", "--config="+filepath.Join(root, config), ".")
	cmd.Dir = dir
	output, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("vale, which make bin/vale builds: %v\n%s", err, output)
	}
	var alerts map[string][]struct{ Check string }
	if err := json.Unmarshal(output, &alerts); err != nil {
		t.Fatalf("read the output of vale: %v\n%s", err, output)
	}
	found := map[string][]string{}
	for file, list := range alerts {
		for _, alert := range list {
			found[file] = append(found[file], alert.Check)
		}
	}
	return found
}
