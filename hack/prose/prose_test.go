// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package prose_test plants an offence against each rule of the prose linter,
// and expects the linter to find it.
package prose_test

import (
	"encoding/json"
	"errors"
	"fmt"
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

// plain are sentences that resemble an offence and are good English.
var plain = []string{
	"At least two members have joined, and at most five.",
	"Usher starts at the most recent attempt.",
	"Usher checks it again for good measure, and for good reasons.",
	"An attacker cannot tell whether an account exists.",
	"It explains how to tell whether a link is open.",
	"A manifest can be applied by hand.",
	"Usher keeps what the page said so far.",
	"The operators are NotIn and In.",
	"It is the namespace that the members are in.",
	"On the other hand, it takes over the lane.",
	"Everyone signs in, and no one loses a seat.",
}

// functions maps each rule about Go declarations to code that breaks it.
var functions = map[string][]string{
	"Functions.ReportsWhether": {
		"package x\n\n// isOpen is about the link.\nfunc isOpen() bool { return true }\n",
		"package x\n\ntype link interface {\n\t// isOpen is about the link.\n\tisOpen() bool\n}\n",
		"package x\n\ntype link int\n\n// open is about the link.\nfunc (link) open(int) bool { return true }\n",
	},
}

// The configurations of the two runs of the linter.
const (
	sentences = ".vale.ini"
	comments  = "hack/prose/comments.ini"
)

// places are the files that the linter reads, each with the sentence as %s.
var places = map[string]struct{ config, file, content string }{
	"a paragraph":             {sentences, "page.md", "# Page\n\n%s\n"},
	"a heading":               {sentences, "page.md", "# %s\n"},
	"a list":                  {sentences, "page.md", "- a\n  - %s\n"},
	"a table":                 {sentences, "page.md", "| a |\n|---|\n| %s |\n"},
	"the text of a link":      {sentences, "page.md", "[%s](page.md)\n"},
	"the generated page":      {sentences, "docs/api/v1alpha1.md", "| a |\n|---|\n| %s <br /> |\n"},
	"a comment":               {sentences, "x.go", "// Package x is a package.\n//\n// %s\npackage x\n"},
	"a comment in a body":     {sentences, "x.go", "package x\n\nfunc f() {\n\t// a\n\t// %s\n}\n"},
	"a comment in a block":    {sentences, "x.go", "package x\n\n/*\na\n%s\n*/\n"},
	"a marker":                {sentences, "x.go", "package x\n\n// +kubebuilder:validation:XValidation:rule=\"a\",message=\"%s\"\ntype X int\n"},
	"a message":               {sentences, "x.go", "package x\n\nconst x = \"%s\"\n"},
	"a raw string":            {sentences, "x.go", "package x\n\nconst x = `\n\ta\n\t%s`\n"},
	"the name of a spec":      {sentences, "x_test.go", "package x\n\nvar _ = It(\"%s\", func() {})\n"},
	"a script in the page":    {sentences, "portal.js", "// %s\n"},
	"a style sheet":           {sentences, "portal.css", "/* %s */\n"},
	"a template of a page":    {sentences, "page.html", "<p>{{/* %s */}}</p>\n"},
	"a template of the chart": {sentences, "charts/usher/templates/_checks.tpl", "{{ fail \"%s\" }}\n"},
	"the notes of the chart":  {sentences, "charts/usher/templates/NOTES.txt", "%s\n"},
	"a shell script":          {sentences, "install.sh", "# %s\n"},
	"the script of CI":        {sentences, ".ci/run", "# %s\n"},
	"the help of make":        {sentences, "Makefile", "help: ## %s\n"},
	"the Dockerfile":          {sentences, "Dockerfile", "# %s\n"},
	"a sentence of a page":    {sentences, "internal/wording/language/catalogue/portal.en.yaml", "portal.key: \"%s\"\n"},
	"a sentence on two lines": {sentences, "internal/wording/language/catalogue/portal.en.yaml", "portal.key: >-\n  a\n  %s\n"},
	"a description in a CRD":  {sentences, "config/crd/bases/kind.yaml", "spec:\n  versions:\n  - description: \"%s\"\n"},
	"a message of a policy":   {sentences, "config/policy/policy.yaml", "spec:\n  validations:\n  - message: \"%s\"\n"},
	"a comment in YAML":       {comments, "charts/usher/values.yaml", "a:\n  # %s\n  b: c\n"},
}

func TestEachRuleFindsItsOffences(t *testing.T) {
	t.Parallel()
	for rule, examples := range offences {
		for _, sentence := range examples {
			wrapped := strings.ReplaceAll(sentence, " ", "\n")
			got := lint(t, sentences, map[string]string{"page.md": sentence, "wrapped.md": wrapped})
			for _, page := range []string{"page.md", "wrapped.md"} {
				if !slices.Contains(got[page], rule) {
					t.Errorf("%q: found %v, want %s in %s", sentence, got, rule, page)
				}
			}
		}
	}
	for rule, sources := range functions {
		for _, source := range sources {
			got := lint(t, comments, map[string]string{"x.go": source})
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
			got := lint(t, place.config, map[string]string{place.file: fmt.Sprintf(place.content, "The mail is sent anew.")})
			if !slices.Contains(got[place.file], "Usher.Archaic") {
				t.Errorf("found %v, want Usher.Archaic", got)
			}
			if got := lint(t, place.config, map[string]string{place.file: fmt.Sprintf(place.content, "Usher sends the mail again.")}); len(got) > 0 {
				t.Errorf("found %v in plain English", got)
			}
		})
	}
}

func TestPlainSentencesPass(t *testing.T) {
	t.Parallel()
	for _, sentence := range plain {
		if got := lint(t, sentences, map[string]string{"page.md": sentence}); len(got) > 0 {
			t.Errorf("%q: found %v in plain English", sentence, got)
		}
	}
}

func TestPlainDocCommentsPass(t *testing.T) {
	t.Parallel()
	source := "package x\n\n// isOpen reports whether the link is open.\nfunc isOpen() bool { return true }\n\n" +
		"// find returns the link, and whether there is one.\nfunc find() (int, bool) { return 0, false }\n"
	if got := lint(t, comments, map[string]string{"x.go": source}); len(got) > 0 {
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
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "bin/vale"), "--output=JSON", "--config="+filepath.Join(root, config))
	cmd.Args = slices.AppendSeq(cmd.Args, maps.Keys(files))
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
