// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Command vulnerabilities runs govulncheck on Usher. It fails if Usher calls code with a
// known vulnerability. If the database cannot be reached, it prints that nothing was
// checked, and passes: a machine without a network can still verify the rest.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// check is one run of govulncheck.
type check struct {
	// scanner is the path of govulncheck.
	scanner string
	// db is the URL of the vulnerability database: https:// or file://.
	db string
	// dir is the directory of the module to check.
	dir string
	// wait is how long the database may take to answer.
	wait time.Duration
}

func main() {
	db := flag.String("db", "https://vuln.go.dev", "`URL` of the vulnerability database")
	flag.Parse()
	c := check{scanner: filepath.Join("bin", "govulncheck"), db: *db, dir: ".", wait: 5 * time.Second}
	if err := c.run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (c check) run(ctx context.Context, out io.Writer) error {
	if err := c.reach(ctx); err != nil {
		_, err = fmt.Fprintf(out, "NOT CHECKED for known vulnerabilities: %s could not be reached: %v\n", c.db, err)
		return err
	}
	cmd := exec.CommandContext(ctx, c.scanner, "-db", c.db, "-C", c.dir, "./...")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("check for known vulnerabilities: %w", err)
	}
	return nil
}

// reach returns an error if the database does not answer in time. govulncheck itself has
// no time limit, and contacts the database only after it has loaded all packages.
func (c check) reach(ctx context.Context) error {
	if !strings.HasPrefix(c.db, "http") {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.wait)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.db+"/index/db.json.gz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %s", response.Status)
	}
	return nil
}
