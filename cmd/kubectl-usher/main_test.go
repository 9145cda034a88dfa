// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain makes the binary of the tests three programs, by the name that calls it: the
// tests, the plugin, and a browser for computer.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case command:
		main()
		return
	case "browser":
		if err := visit(os.Args[1]); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// visit opens an address and follows redirects, as a browser does. It trusts the CA in the
// file beside it.
func visit(address string) error {
	ca, err := os.ReadFile(filepath.Join(filepath.Dir(os.Args[0]), "ca.pem"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	response, err := client.Get(address) //nolint:noctx // the process is the context
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// computer is the computer of a person, with the plugin and a browser.
type computer struct {
	t      *testing.T
	home   string
	issuer *testIssuer
	// flags come with each command.
	flags []string
	// terminal means that kubectl runs in one.
	terminal bool
}

func newComputer(t *testing.T, i *testIssuer) *computer {
	t.Helper()
	c := &computer{t: t, home: t.TempDir(), issuer: i, flags: []string{"--issuer=" + i.URL, "--issuer-ca-data=" + base64.StdEncoding.EncodeToString(i.ca())}}
	self, err := os.Executable()
	c.must(err)
	c.must(os.Mkdir(filepath.Join(c.home, "bin"), 0o700))
	c.must(os.Symlink(self, c.path("bin", command)))
	c.must(os.Symlink(self, c.path("bin", "browser")))
	c.must(os.WriteFile(c.path("bin", "ca.pem"), i.ca(), 0o600))
	return c
}

func (c *computer) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *computer) path(parts ...string) string {
	return filepath.Join(append([]string{c.home}, parts...)...)
}

// cacheFile returns the path of the only file with tokens. It is empty if there is none.
func (c *computer) cacheFile() string {
	c.t.Helper()
	files, err := filepath.Glob(c.path("cache", "usher", "*.json"))
	c.must(err)
	if len(files) > 1 {
		c.t.Fatalf("files with tokens: %v", files)
	}
	return strings.Join(files, "")
}

// commandTime limits each command, so that one that waits without end fails.
const commandTime = 30 * time.Second

// outcome is what a command did.
type outcome struct {
	out, errors string
	code        int
}

func (c *computer) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.path("bin", command), append(args, c.flags...)...)
	cmd.Env = []string{
		"HOME=" + c.home, "XDG_CACHE_HOME=" + c.path("cache"), "KUBECONFIG=" + c.path("kubeconfig"), "BROWSER=" + c.path("bin", "browser"),
		fmt.Sprintf(`KUBERNETES_EXEC_INFO={"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":%t}}`, c.terminal),
	}
	return cmd
}

// run runs a command. It can be called in a goroutine.
func (c *computer) run(args ...string) outcome {
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(c.t.Context(), commandTime)
	defer cancel()
	cmd := c.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return outcome{"", err.Error(), -1}
	}
	return outcome{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// succeeds runs a command that succeeds, and prints each of the texts.
func (c *computer) succeeds(args []string, texts ...string) outcome {
	c.t.Helper()
	return c.expect(0, args, texts)
}

// fails runs a command that fails, with errors that contain each of the texts.
func (c *computer) fails(args []string, texts ...string) outcome {
	c.t.Helper()
	return c.expect(1, args, texts)
}

func (c *computer) expect(code int, args, texts []string) outcome {
	c.t.Helper()
	got := c.run(args...)
	if got.code != code {
		c.t.Fatalf("%v: code %d\n%s%s", args, got.code, got.out, got.errors)
	}
	for _, text := range texts {
		if !strings.Contains(got.out+got.errors, text) {
			c.t.Errorf("%v: no %q in\n%s%s", args, text, got.out, got.errors)
		}
	}
	return got
}

// login signs in with the browser.
func (c *computer) login() {
	c.t.Helper()
	c.succeeds([]string{"login"}, "You are signed in as jane.")
}
