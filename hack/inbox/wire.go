// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync"
)

// wireStages are the commands that the SMTP library answers by itself. Their replies are changed on
// the wire.
var wireStages = map[string]Stage{
	"EHLO": Hello, "HELO": Hello, "STARTTLS": StartTLS, "DATA": Data, "RSET": Reset, "NOOP": Noop, "QUIT": Quit,
}

type listener struct {
	net.Listener
	inbox *Inbox
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.inbox.mu.Lock()
	l.inbox.accepted++
	l.inbox.open++
	l.inbox.mu.Unlock()
	return &wire{Conn: c, inbox: l.inbox, stage: Greeting, blind: l.inbox.opts.ImplicitTLS}, nil
}

// wire is the server's side of one connection. One goroutine reads and writes it. Any goroutine can
// close it.
type wire struct {
	net.Conn
	inbox *Inbox
	once  sync.Once

	stage   Stage  // the stage whose reply is due; empty if the session decides
	line    []byte // the command so far
	body    bool   // the client is sending the message, which has no commands
	swallow bool   // drop the rest of a reply that was replaced
	blind   bool   // TLS has begun
	refused bool   // DATA was refused, but the library still expects the message
	cut     bool   // the connection ends after the reply that is due
}

func (w *wire) Read(p []byte) (int, error) {
	if w.refused {
		return copy(p, ".\r\n"), nil
	}
	n, err := w.Conn.Read(p)
	if w.blind || w.body {
		return n, err
	}
	w.line = append(w.line, p[:n]...)
	if i := bytes.IndexByte(w.line, '\n'); i >= 0 {
		verb := strings.ToUpper(strings.TrimSpace(string(w.line[:i])))
		verb, _, _ = strings.Cut(verb, " ")
		w.command(verb)
		w.line = nil
	}
	return n, err
}

func (w *wire) command(verb string) {
	w.stage = wireStages[verb]
	w.inbox.mu.Lock()
	defer w.inbox.mu.Unlock()
	// Only known commands are counted, because a client can send any line.
	if w.stage != "" || verb == "AUTH" || verb == "MAIL" || verb == "RCPT" {
		w.inbox.commands[verb]++
	}
}

func (w *wire) Write(p []byte) (int, error) {
	switch {
	case w.blind:
		return w.reply(p)
	case w.swallow:
		w.swallow = unfinished(p)
		return len(p), nil
	case w.refused:
		w.refused = false
		return len(p), nil
	}
	w.body = false
	stage := w.stage
	w.stage = ""
	if stage == "" {
		return w.reply(p)
	}
	f := w.inbox.reach(stage)
	w.inbox.wait(f)
	w.cut = f.Cut
	if f.refuses() {
		return w.fail(stage, f, p)
	}
	w.body = stage == Data && bytes.HasPrefix(p, []byte("354"))
	w.blind = stage == StartTLS && bytes.HasPrefix(p, []byte("220"))
	return w.reply(p)
}

func (w *wire) reply(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	// Within TLS the end of a reply is not visible, but the library writes each reply at once.
	if w.cut && (w.blind || !unfinished(p)) {
		_ = w.Close()
	}
	return n, err
}

func (w *wire) fail(stage Stage, f Fault, p []byte) (int, error) {
	if f.Hang || f.Drop {
		_ = w.Close()
		return 0, errDropped
	}
	w.swallow = unfinished(p)
	w.refused = stage == Data && bytes.HasPrefix(p, []byte("354"))
	if _, err := fmt.Fprintf(w.Conn, "%d %s\r\n", f.Code, f.Text); err != nil {
		return 0, err
	}
	if f.Cut {
		_ = w.Close()
	}
	return len(p), nil
}

// unfinished reports whether more lines of the same reply follow (RFC 5321, section 4.2.1).
func unfinished(line []byte) bool { return len(line) > 3 && line[3] == '-' }

func (w *wire) Close() error {
	w.once.Do(func() {
		w.inbox.mu.Lock()
		w.inbox.open--
		w.inbox.mu.Unlock()
	})
	return w.Conn.Close()
}
