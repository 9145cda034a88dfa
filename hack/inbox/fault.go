// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package inbox

// Stage is a point of the SMTP dialogue (RFC 5321) at which the inbox can be told to fail.
type Stage string

// These are the stages, in the order in which a client reaches them. Greeting, Hello, StartTLS,
// Data, Reset, Noop and Quit are known only as long as the connection has no TLS.
const (
	// Greeting is the server's first line, before any command.
	Greeting Stage = "greeting"
	// Hello is EHLO or HELO.
	Hello Stage = "hello"
	// StartTLS is STARTTLS (RFC 3207).
	StartTLS Stage = "starttls"
	// Auth is AUTH (RFC 4954).
	Auth Stage = "auth"
	// Mail is MAIL FROM.
	Mail Stage = "mail"
	// Rcpt is RCPT TO.
	Rcpt Stage = "rcpt"
	// Data is the DATA command, before the message.
	Data Stage = "data"
	// Body is the end of the message: the reply to the final dot.
	Body Stage = "body"
	// Reset is RSET.
	Reset Stage = "reset"
	// Noop is NOOP.
	Noop Stage = "noop"
	// Quit is QUIT.
	Quit Stage = "quit"
)

// Fault is one way to fail. The zero value means no fault.
type Fault struct {
	// Code is sent instead of the right reply. 0 means the right reply.
	Code int
	// Text follows the code. It can have several lines.
	Text string
	// Drop closes the connection instead of a reply.
	Drop bool
	// Cut closes the connection right after the reply, which the client still gets.
	Cut bool
	// Hang keeps the connection open and never replies.
	Hang bool
	// Hold delays the reply until the channel is closed. At Body, the message is kept before the
	// delay.
	Hold <-chan struct{}
	// Accept, at Body only, keeps the message before failing. The server has the message, but the
	// client cannot know.
	Accept bool
}

// refuses reports whether the fault replaces the right reply. Otherwise it only affects the timing
// or the connection.
func (f Fault) refuses() bool { return f.Code != 0 || f.Drop || f.Hang }

// wait returns when the reply is due.
func (ib *Inbox) wait(f Fault) {
	hold := f.Hold
	if f.Hang {
		hold = ib.done
	}
	if hold == nil {
		return
	}
	select {
	case <-hold:
	case <-ib.done:
	}
}

// SetFault sets the function that decides about faults. The inbox calls f at every stage that a
// client reaches, from many goroutines. n counts from 1, for each stage, over all connections since
// the inbox started. A nil f ends all faults.
func (ib *Inbox) SetFault(f func(stage Stage, n int) Fault) {
	ib.mu.Lock()
	defer ib.mu.Unlock()
	ib.fault = f
}

// FailAt makes every client fail at one stage, until the next call of FailAt or SetFault.
func (ib *Inbox) FailAt(stage Stage, fault Fault) {
	ib.SetFault(func(s Stage, _ int) Fault {
		if s == stage {
			return fault
		}
		return Fault{}
	})
}

// FailOnce makes only the next client fail that reaches the stage.
func (ib *Inbox) FailOnce(stage Stage, fault Fault) {
	ib.mu.Lock()
	at := ib.reached[stage] + 1
	ib.mu.Unlock()
	ib.SetFault(func(s Stage, n int) Fault {
		if s == stage && n == at {
			return fault
		}
		return Fault{}
	})
}

func (ib *Inbox) reach(stage Stage) Fault {
	ib.mu.Lock()
	ib.reached[stage]++
	n, f := ib.reached[stage], ib.fault
	ib.mu.Unlock()
	if f == nil {
		return Fault{}
	}
	return f(stage, n)
}
