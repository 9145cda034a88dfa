// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	noVulnerability = `[]`
	// The program of the test calls the function of this entry.
	calledVulnerability = `[{"path": "stdlib", "vulns": [{"id": "GO-2026-0001", "modified": "2026-01-01T00:00:00Z"}]}]`

	entry = `{
  "schema_version": "1.3.1", "id": "GO-2026-0001", "modified": "2026-01-01T00:00:00Z", "summary": "Escapes too little in html",
  "affected": [{
    "package": {"name": "stdlib", "ecosystem": "Go"},
    "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
    "ecosystem_specific": {"imports": [{"path": "html", "symbols": ["EscapeString"]}]}
  }],
  "database_specific": {"url": "https://pkg.go.dev/vuln/GO-2026-0001"}
}`

	program = `package main

import "html"

func main() { println(html.EscapeString("<")) }
`
)

func TestACalledVulnerabilityFailsTheCheck(t *testing.T) {
	out, err := checkProgram(t, database(t, calledVulnerability))
	if err == nil || !strings.Contains(out, "GO-2026-0001") || !strings.Contains(out, "html.EscapeString") {
		t.Errorf("error: %v\n%s", err, out)
	}
}

func TestAProgramWithoutVulnerabilitiesPassesTheCheck(t *testing.T) {
	out, err := checkProgram(t, database(t, noVulnerability))
	if err != nil || !strings.Contains(out, "No vulnerabilities found") {
		t.Errorf("error: %v\n%s", err, out)
	}
}

func TestADatabaseThatCannotBeReachedIsReportedAndPasses(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	failing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(failing.Close)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	for name, c := range map[string]struct {
		db   string
		wait time.Duration
	}{
		"it refuses connections": {closed.URL, time.Minute}, "it answers with an error": {failing.URL, time.Minute},
		"it does not answer": {silent.URL, 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := checkProgramWithin(t, c.db, c.wait)
			if err != nil || !strings.HasPrefix(out, "NOT CHECKED for known vulnerabilities: "+c.db+" could not be reached") {
				t.Errorf("error: %v\n%s", err, out)
			}
		})
	}
}

func TestADatabaseThatBreaksOffFailsTheCheck(t *testing.T) {
	db := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/index/db.json.gz" {
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(db.Close)
	if out, err := checkProgram(t, db.URL); err == nil {
		t.Errorf("passed:\n%s", out)
	}
}

// checkProgram checks a program of its own module, and returns the output.
func checkProgram(t *testing.T, db string) (string, error) {
	t.Helper()
	return checkProgramWithin(t, db, time.Minute)
}

func checkProgramWithin(t *testing.T, db string, wait time.Duration) (string, error) {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "go.mod"), "module example.com/program\n\ngo 1.26.0\n")
	put(t, filepath.Join(dir, "main.go"), program)
	scanner, err := filepath.Abs(filepath.Join("..", "..", "bin", "govulncheck"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(scanner); err != nil {
		t.Fatalf("run make bin/govulncheck: %v", err)
	}
	var out strings.Builder
	err = check{scanner: scanner, db: db, dir: dir, wait: wait}.run(t.Context(), &out)
	return out.String(), err
}

// database writes a vulnerability database and returns its URL.
func database(t *testing.T, modules string) string {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "index", "db.json"), `{"modified": "2026-01-01T00:00:00Z"}`)
	put(t, filepath.Join(dir, "index", "modules.json"), modules)
	put(t, filepath.Join(dir, "ID", "GO-2026-0001.json"), entry)
	return "file://" + dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
