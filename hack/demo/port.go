// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
)

// port is a port that people open in a browser. It is therefore the same in every run.
type port struct {
	number   int
	scheme   string
	purpose  string
	flag     string
	variable string
}

func (p *port) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.number)) }

func (p *port) url() string { return p.scheme + "://localhost:" + strconv.Itoa(p.number) }

// check returns an error if the port is not free. It is called before the slow steps.
func (p *port) check(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.address())
	if err != nil {
		return fmt.Errorf("port %d, for %s, cannot be used: %w\n"+
			"Is another demo running? To use another port, run %s=%d make demo", p.number, p.purpose, err, p.variable, p.number+100)
	}
	return l.Close()
}
