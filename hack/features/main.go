// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Command features reports for each row of rows.txt whether specs prove it. It runs
// all Ginkgo suites of the module, prints a line for each row, and with -report
// writes the specs of each row to a file. With -write it runs no specs: it only
// writes the page of all rows with their states.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2/types"
)

const ginkgoPackage = "github.com/onsi/ginkgo/v2"

//go:embed rows.txt
var rowsText string

var errFailed = errors.New("not every suite passes")

func main() {
	page := flag.String("write", "", "`file` to write the rows and their states to, instead of running the specs")
	report := flag.String("report", "", "`file` to write the specs of each row to")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *page, *report); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, page, report string) error {
	catalogue := parseRows(rowsText)
	if page != "" {
		specs, err := runSuites(ctx, "-ginkgo.dry-run")
		if err != nil {
			return err
		}
		if err := catalogue.assign(specs); err != nil {
			return err
		}
		return os.WriteFile(page, catalogue.page(), 0o644)
	}

	// A suite that breaks does not hide the results of the others.
	specs, suitesErr := runSuites(ctx)
	if err := catalogue.assign(specs); err != nil {
		return err
	}
	var reportErr error
	if report != "" {
		reportErr = os.WriteFile(report, catalogue.report(), 0o644)
	}
	return errors.Join(catalogue.print(out), reportErr, suitesErr)
}

// runSuites runs the suites one after the other, because each starts its own API
// server, and returns the specs of all.
func runSuites(ctx context.Context, flags ...string) ([]spec, error) {
	packages, err := suites(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "features")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	var specs []spec
	failed := false
	for i, pkg := range packages {
		report := filepath.Join(dir, fmt.Sprintf("%d.json", i))
		args := append([]string{"test", "-count=1", "-timeout=30m", pkg, "-ginkgo.json-report=" + report}, flags...)
		fmt.Fprintln(os.Stderr, "go", strings.Join(args[:4], " "))
		output, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s%s: %v\n", output, pkg, err)
			failed = true
		}
		found, err := readReport(report)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", pkg, err)
			failed = true
		}
		specs = append(specs, found...)
	}
	if failed {
		return specs, errFailed
	}
	return specs, nil
}

func suites(ctx context.Context) ([]string, error) {
	const format = `{{.ImportPath}}{{range .TestImports}} {{.}}{{end}}{{range .XTestImports}} {{.}}{{end}}`
	output, err := exec.CommandContext(ctx, "go", "list", "-f", format, "./...").Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var packages []string
	for line := range strings.Lines(string(output)) {
		if fields := strings.Fields(line); slices.Contains(fields[1:], ginkgoPackage) {
			packages = append(packages, fields[0])
		}
	}
	return packages, nil
}

func readReport(file string) ([]spec, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var reports []types.Report
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&reports); err != nil {
		return nil, fmt.Errorf("reading the report: %w", err)
	}
	return specsOf(reports), nil
}
