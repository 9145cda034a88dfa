// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package child_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usher-dev/usher/hack/cluster/child"
)

func TestStop(t *testing.T) {
	for name, tc := range map[string]struct {
		script string
		// said is the last line that the program prints before it is stopped.
		said string
		// want is a part of the error. If it is empty, there is none.
		want string
	}{
		"a program that exits with 0":        {`trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done`, "up", ""},
		"a program without a signal handler": {`echo up; exec sleep 60`, "up", ""},
		"a program that fails when it stops": {`trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done`, "up", "exit status 3"},
		"a program that ignores SIGTERM":     {`trap '' TERM; echo up; while :; do sleep 0.1; done`, "up", "was killed"},
		"a program that had ended before":    {`echo up; echo down; exit 1`, "down", "had ended before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := child.Start(filepath.Join(t.TempDir(), "log"), "sh", "-c", tc.script)
			if err != nil {
				t.Fatal(err)
			}
			await(t, p, tc.said)
			switch err := p.Stop(2 * time.Second); {
			case tc.want == "" && err != nil:
				t.Errorf("Stop = %v", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("Stop = %v, which does not contain %q", err, tc.want)
			}
			select {
			case <-p.Done():
			default:
				t.Error("the program is still running")
			}
		})
	}
}

// await waits until the program has printed a line. After "down" it also waits for the program to
// end.
func await(t *testing.T, p *child.Process, line string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for p.Tail(1) != line {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("want line %q, output: %q", line, p.Output())
		}
	}
	if line == "down" {
		<-p.Done()
	}
}
