// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package child runs a program as a child process. It writes the program's output to a file,
// notices its end, and makes sure that it ends. It does not know what it runs.
package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Process is a program that was started.
type Process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start runs a program until Stop or Kill, with its output in a file. The program gets its own
// process group. Ctrl-C in a terminal goes to the whole foreground group, but the parent has to end
// its children in order.
func Start(log, program string, args ...string) (*Process, error) {
	output, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	// The child has its own descriptor once Start returns.
	defer func() { _ = output.Close() }()
	// Not CommandContext: it would kill the program, and these programs need to finish their work.
	cmd := exec.Command(program, args...) //nolint:noctx // see above
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &Process{name: filepath.Base(program), log: log, cmd: cmd, done: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// Done returns a channel that is closed when the program has ended, for any reason.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop asks the program to end and kills it if it does not end within patience. It returns an error
// if the program had ended before, was killed, or failed while it ended.
func (p *Process) Stop(patience time.Duration) error {
	select {
	case <-p.done:
		return fmt.Errorf("%s had ended before: %w", p.name, p.failure())
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("%s did not end within %s and was killed", p.name, patience)
	}
	if p.err != nil && !p.endedBySIGTERM() {
		return fmt.Errorf("%s ended: %w", p.name, p.err)
	}
	return nil
}

// endedBySIGTERM reports whether SIGTERM ended the program because the program does not handle it.
func (p *Process) endedBySIGTERM() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGTERM
}

// Kill ends the program immediately, as a crash would, and returns when it has ended.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // fails only if it has already ended
	<-p.done
}

// failure returns how a program ended that should not have ended.
func (p *Process) failure() error {
	if p.err != nil {
		return p.err
	}
	return errors.New("exit status 0")
}

// Output returns everything that the program has written so far.
func (p *Process) Output() string {
	output, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(output)
}

// Tail returns the last lines that the program has written.
func (p *Process) Tail(lines int) string {
	said := strings.Split(strings.TrimRight(p.Output(), "\n"), "\n")
	return strings.Join(said[max(0, len(said)-lines):], "\n")
}
