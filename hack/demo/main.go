// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Command demo runs all of Usher on this machine until Ctrl-C. It starts a control plane of its own
// and a mail server that delivers nothing. Run it from the root of the repository, after `make
// control-plane build`.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	// A terminal sends SIGHUP when it is closed.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1) //nolint:gocritic // stop only restores the signal handling
	}
}

func run(ctx context.Context, out io.Writer, args []string) error {
	d := newDemo(out)
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	ports := []*port{&d.portalPort, &d.inboxPort}
	for _, p := range ports {
		flags.IntVar(&p.number, p.flag, p.number, fmt.Sprintf("`port` for %s; also the environment variable %s", p.purpose, p.variable))
	}
	for _, p := range ports {
		if err := p.fromEnvironment(); err != nil {
			return err
		}
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	for _, p := range ports {
		if err := p.check(ctx); err != nil {
			return err
		}
	}
	return d.run(ctx)
}

// fromEnvironment reads the port from the environment, because make passes no flags to the demo.
func (p *port) fromEnvironment() error {
	value, set := os.LookupEnv(p.variable)
	if !set {
		return nil
	}
	number, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return fmt.Errorf("%s must be a port number such as %d, but is %q", p.variable, p.number, value)
	}
	p.number = int(number)
	return nil
}
