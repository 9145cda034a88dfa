// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

// The ports of FreeAddress. They are below those that systems give to connections.
const (
	firstPort = 20_000
	portCount = 10_000
)

// portsTaken counts the ports that FreeAddress returned. It begins elsewhere in each process.
var portsTaken atomic.Int64

func init() { portsTaken.Store(int64(os.Getpid())) }

// FreeAddress returns an address of the loopback interface at which a program can listen
// soon: no connection takes its port until then, and no other call returns it.
func FreeAddress(ctx context.Context) (string, error) {
	const tries = 20
	var errs []error
	for range tries {
		port := firstPort + portsTaken.Add(1)%portCount
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return listener.Addr().String(), listener.Close()
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("find a free port: %w", errors.Join(errs...))
}
