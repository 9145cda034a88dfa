// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/ginkgo/v2/types"
)

const someRows = `
# a comment
A  Section
A1 First
A2 Second
A10 Tenth
`

func it(line int, name string, state types.SpecState, labels ...string) types.SpecReport {
	return types.SpecReport{
		LeafNodeType:            types.NodeTypeIt,
		LeafNodeText:            name,
		LeafNodeLabels:          labels,
		LeafNodeLocation:        types.CodeLocation{FileName: "a_test.go", LineNumber: line},
		ContainerHierarchyTexts: []string{"Thing"},
		State:                   state,
	}
}

func TestPrint(t *testing.T) {
	tests := map[string]struct {
		specs []types.SpecReport
		want  string
	}{
		"a row without specs has the result none": {
			want: "A1\tnone\t0\t\nA2\tnone\t0\t\nA10\tnone\t0\t\npass 0\nfail 0\nnone 3\n",
		},
		"the first spec is the first in the file, not the first to run": {
			specs: []types.SpecReport{
				it(20, "later", types.SpecStatePassed, "A1"),
				it(10, "earlier", types.SpecStatePassed, "A1", "A10"),
			},
			want: "A1\tpass\t2\tThing earlier\nA2\tnone\t0\t\nA10\tpass\t1\tThing earlier\npass 2\nfail 0\nnone 1\n",
		},
		"one failed spec fails the row": {
			specs: []types.SpecReport{
				it(10, "panics", types.SpecStatePanicked, "A2"),
				it(20, "works", types.SpecStatePassed, "A2"),
			},
			want: "A1\tnone\t0\t\nA2\tfail\t2\tThing panics\nA10\tnone\t0\t\npass 0\nfail 1\nnone 2\n",
		},
		"pending and skipped specs prove nothing": {
			specs: []types.SpecReport{
				it(10, "pending", types.SpecStatePending, "A1"),
				it(20, "skipped", types.SpecStateSkipped, "A1"),
			},
			want: "A1\tnone\t0\t\nA2\tnone\t0\t\nA10\tnone\t0\t\npass 0\nfail 0\nnone 3\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rows := parseRows(someRows)
			if err := rows.assign(specsOf([]types.Report{{SpecReports: test.specs}})); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := rows.print(&out); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("print() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAssign(t *testing.T) {
	tests := map[string]struct {
		label   string
		wantErr bool
	}{
		"an id of a row is accepted":       {label: "A2"},
		"a label that is no id is ignored": {label: "slow"},
		"an id without a row is an error":  {label: "A3", wantErr: true},
		"a section is not a row":           {label: "A"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := parseRows(someRows).assign([]spec{{name: "Thing works", labels: []string{test.label}}})
			if (err != nil) != test.wantErr {
				t.Errorf("assign() = %v, want an error: %t", err, test.wantErr)
			}
		})
	}
}

func TestPage(t *testing.T) {
	rows := parseRows(someRows)
	specs := []spec{
		{name: "one | two", labels: []string{"A1"}, ran: true},
		{name: "three", labels: []string{"A1"}, ran: true},
		{name: "pending", labels: []string{"A2"}},
	}
	if err := rows.assign(specs); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(rows.page()), "\n## ")
	want := `A. Section

| id | what the user gets | state |
|---|---|---|
| A1 | First | available |
| A2 | Second | planned |
| A10 | Tenth | planned |
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("page() (-want +got):\n%s", diff)
	}
}

func TestReport(t *testing.T) {
	rows := parseRows("A1 First\nA2 Second\nA3 Third")
	specs := []spec{
		{name: "one works", labels: []string{"A1", "A2"}, ran: true},
		{name: "two breaks", labels: []string{"A1"}, ran: true, failed: true},
		{name: "pending", labels: []string{"A3"}},
	}
	if err := rows.assign(specs); err != nil {
		t.Fatal(err)
	}
	want := `# Features, and the specs that prove them

## A1: fail

First

- pass: one works
- fail: two breaks

## A2: pass

Second

- pass: one works

## A3: none

Third
`
	if diff := cmp.Diff(want, string(rows.report())); diff != "" {
		t.Errorf("report() (-want +got):\n%s", diff)
	}
}

// TestRows keeps rows.txt complete: no other test would notice a lost row.
func TestRows(t *testing.T) {
	want := map[string]int{"A": 10, "B": 12, "C": 12, "D": 9, "E": 9, "K": 11, "S": 9}
	got := map[string]int{}
	for _, row := range parseRows(rowsText).features() {
		got[row.id[:1]]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows.txt (-want +got):\n%s", diff)
	}
}
