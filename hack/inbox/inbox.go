// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package inbox is a mail server that keeps every message in memory and shows it on a web page. The
// demo reads invitations from it, and tests make it fail in chosen ways. It delivers nothing. It
// must not import anything of the operator, so that it sees only what any other mail server would
// see.
package inbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/emersion/go-smtp"
)

const (
	// Limit is how many messages an Inbox keeps by default. It deletes the oldest first.
	Limit = 1000

	maxMessageBytes = 10 << 20
)

// Options defines where an inbox listens and how it behaves. The zero value listens for SMTP
// without TLS on a free port of the loopback interface and has no web page.
type Options struct {
	// SMTPAddress is the host and port for SMTP; empty means 127.0.0.1 and a free port.
	SMTPAddress string
	// WebAddress is the host and port of the web page; empty means no web page.
	WebAddress string
	// TLS offers STARTTLS (RFC 3207), or TLS from the first byte if ImplicitTLS is set.
	TLS *tls.Config
	// ImplicitTLS uses TLS from the first byte (RFC 8314). It requires TLS.
	ImplicitTLS bool
	// User and Password, if set, are required with AUTH PLAIN (RFC 4954) before the inbox accepts
	// mail.
	User, Password string
	// AuthLogin offers AUTH LOGIN instead of AUTH PLAIN, as some large providers do.
	AuthLogin bool
	// SMTPUTF8 offers the extension for non-ASCII addresses (RFC 6531).
	SMTPUTF8 bool
	// Limit is how many messages are kept. 0 means the constant Limit.
	Limit int
	// Now returns the time of receipt. nil means time.Now.
	Now func() time.Time
}

// Inbox is a running catch-all mail server. All its methods can be called at any time from any
// goroutine.
type Inbox struct {
	opts    Options
	smtp    *smtp.Server
	web     *http.Server
	smtpTCP net.Listener
	webTCP  net.Listener
	done    chan struct{}
	once    sync.Once

	mu       sync.Mutex
	messages []Message
	taken    int
	accepted int
	open     int
	reached  map[Stage]int
	commands map[string]int
	fault    func(Stage, int) Fault
}

// Start listens and serves until Close. The error names the address that is not available.
func Start(opts Options) (*Inbox, error) {
	if opts.SMTPAddress == "" {
		opts.SMTPAddress = "127.0.0.1:0"
	}
	if opts.ImplicitTLS && opts.TLS == nil {
		return nil, errors.New("ImplicitTLS needs a TLS configuration with a certificate")
	}
	if opts.User != "" && opts.TLS == nil {
		return nil, errors.New("a user needs a TLS configuration, because a client must not send a password in the clear")
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Limit == 0 {
		opts.Limit = Limit
	}
	ib := &Inbox{opts: opts, done: make(chan struct{}), reached: map[Stage]int{}, commands: map[string]int{}}
	var err error
	if ib.smtpTCP, err = listen(opts.SMTPAddress); err != nil {
		return nil, err
	}
	if opts.WebAddress != "" {
		if ib.webTCP, err = listen(opts.WebAddress); err != nil {
			return nil, errors.Join(err, ib.smtpTCP.Close())
		}
	}
	ib.serve()
	return ib, nil
}

func (ib *Inbox) serve() {
	ib.smtp = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{inbox: ib, conn: c}, nil
	}))
	ib.smtp.Domain = "inbox.invalid"
	ib.smtp.MaxMessageBytes = maxMessageBytes
	ib.smtp.EnableSMTPUTF8 = ib.opts.SMTPUTF8
	// Many tests drop connections or refuse certificates on purpose, so these errors are not
	// logged.
	ib.smtp.ErrorLog = log.New(io.Discard, "", 0)

	var l net.Listener = &listener{Listener: ib.smtpTCP, inbox: ib}
	if ib.opts.ImplicitTLS {
		l = tls.NewListener(l, ib.opts.TLS)
	} else {
		ib.smtp.TLSConfig = ib.opts.TLS
	}
	go func() { _ = ib.smtp.Serve(l) }()

	if ib.webTCP != nil {
		ib.web = &http.Server{Handler: ib.Handler(), ReadHeaderTimeout: 5 * time.Second}
		go func() { _ = ib.web.Serve(ib.webTCP) }()
	}
}

func listen(address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err == nil {
		return l, nil
	}
	if _, port, splitErr := net.SplitHostPort(address); splitErr == nil && errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %s is used by another program: stop that program or choose another port: %w", port, err)
	}
	return nil, fmt.Errorf("the inbox cannot listen on %s: %w", address, err)
}

// Close stops both servers and closes every connection. Messages stay readable.
func (ib *Inbox) Close() error {
	var err error
	ib.once.Do(func() {
		close(ib.done)
		err = ib.smtp.Close()
		// The library does not know the listener until it serves, which may not have happened yet.
		_ = ib.smtpTCP.Close()
		if ib.web != nil {
			err = errors.Join(err, ib.web.Close())
			_ = ib.webTCP.Close()
		}
	})
	return err
}

// SMTPURL returns the address of the mail server in the form of Usher's configuration.
func (ib *Inbox) SMTPURL() string {
	u := url.URL{Scheme: "smtp+plaintext", Host: ib.smtpTCP.Addr().String()}
	if ib.opts.TLS != nil {
		u.Scheme = "smtp"
	}
	if ib.opts.ImplicitTLS {
		u.Scheme = "smtps"
	}
	if ib.opts.User != "" {
		u.User = url.User(ib.opts.User)
	}
	return u.String()
}

// WebURL returns the address of the web page, or "" if there is none.
func (ib *Inbox) WebURL() string {
	if ib.webTCP == nil {
		return ""
	}
	return "http://" + ib.webTCP.Addr().String() + "/"
}

// Messages returns the kept messages, oldest first.
func (ib *Inbox) Messages() []Message {
	ib.mu.Lock()
	defer ib.mu.Unlock()
	return slices.Clone(ib.messages)
}

// For returns every kept message to the address, oldest first. It ignores case.
func (ib *Inbox) For(address string) []Message {
	return slices.DeleteFunc(ib.Messages(), func(m Message) bool {
		return !slices.ContainsFunc(m.To, func(to string) bool { return strings.EqualFold(to, address) })
	})
}

// Link returns the link of the newest invitation to the address, or "".
func (ib *Inbox) Link(address string) string {
	for _, m := range slices.Backward(ib.For(address)) {
		if link := LinkIn(m); link != "" {
			return link
		}
	}
	return ""
}

// LinkIn returns the link of the invitation in the text of a message, or "".
func LinkIn(m Message) string {
	for _, s := range segments(m.Text) {
		if s.Link && strings.Contains(s.Text, "/invitation/") {
			return s.Text
		}
	}
	return ""
}

// Connections returns how many SMTP connections were accepted since the start.
func (ib *Inbox) Connections() int {
	ib.mu.Lock()
	defer ib.mu.Unlock()
	return ib.accepted
}

// OpenConnections returns how many SMTP connections are open now.
func (ib *Inbox) OpenConnections() int {
	ib.mu.Lock()
	defer ib.mu.Unlock()
	return ib.open
}

// Commands returns how often clients sent an SMTP command, such as "AUTH", over a connection
// without TLS.
func (ib *Inbox) Commands(verb string) int {
	ib.mu.Lock()
	defer ib.mu.Unlock()
	return ib.commands[strings.ToUpper(verb)]
}

func (ib *Inbox) keep(m Message) {
	ib.mu.Lock()
	defer ib.mu.Unlock()
	ib.taken++
	m.Number = ib.taken
	m.Received = ib.opts.Now()
	ib.messages = append(ib.messages, m)
	if over := len(ib.messages) - ib.opts.Limit; over > 0 {
		// Clone, because a subslice would keep the old messages in memory.
		ib.messages = slices.Clone(ib.messages[over:])
	}
}
