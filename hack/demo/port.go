// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
)

// port is one that people type into a browser, and so is the same in every run.
type port struct {
	number   int
	purpose  string
	flag     string
	variable string
}

func (p *port) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.number)) }

func (p *port) url() string { return "http://localhost:" + strconv.Itoa(p.number) }

// check tells early, before anything takes time, whether the port can be had.
func (p *port) check(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.address())
	if err != nil {
		return fmt.Errorf("port %d, for %s, cannot be used: %w\n"+
			"Is another demo up? Choose another port with %s=%d make demo", p.number, p.purpose, err, p.variable, p.number+100)
	}
	return l.Close()
}
