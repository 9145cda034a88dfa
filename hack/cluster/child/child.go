// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package child runs a program beside the one that it is part of: it keeps what the program says in a
// file, notices its end, and ends it for certain. It knows nothing of what it runs.
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

// Start runs a program until Stop or Kill, with its output in a file. It gets a process group of its
// own: Ctrl-C in a terminal goes to the whole group, and children must outlive whoever has to end them
// in order.
func Start(log, program string, args ...string) (*Process, error) {
	output, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	// The child has a descriptor of its own from Start on.
	defer func() { _ = output.Close() }()
	// Not CommandContext: that would kill, and these programs have things to finish.
	cmd := exec.Command(program, args...) //nolint:noctx // see above
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &Process{name: filepath.Base(program), log: log, cmd: cmd, done: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.name, err)
	}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// Done is closed when the program has ended, for whatever reason.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop asks the program to end and kills it if it has not within patience. It is an error if it had
// ended before, if it had to be killed, or if it failed on its way out.
func (p *Process) Stop(patience time.Duration) error {
	select {
	case <-p.done:
		return fmt.Errorf("%s had ended before: %w", p.name, p.failure())
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s: %w", p.name, err)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("%s did not end within %s and was killed", p.name, patience)
	}
	if p.err != nil && !p.terminated() {
		return fmt.Errorf("%s ended: %w", p.name, p.err)
	}
	return nil
}

// terminated tells whether the program left it to the system to end it when it was asked to.
func (p *Process) terminated() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGTERM
}

// Kill ends the program at once, as a crash would, and returns when it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // fails only if it is gone already
	<-p.done
}

// failure says how a program ended that should not have.
func (p *Process) failure() error {
	if p.err != nil {
		return p.err
	}
	return errors.New("exit status 0")
}

// Output is all that the program has said so far.
func (p *Process) Output() string {
	output, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(output)
}

// Tail is the last lines that the program has said.
func (p *Process) Tail(lines int) string {
	said := strings.Split(strings.TrimRight(p.Output(), "\n"), "\n")
	return strings.Join(said[max(0, len(said)-lines):], "\n")
}
