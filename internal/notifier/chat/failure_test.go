// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chat

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usher-dev/usher/internal/outbound"
)

func TestWithoutAnAnswerTheOutcomeIsUnknown(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]http.HandlerFunc{
		"the connection ends":              func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"the answer is not HTTP":           hijacked(reflected + "\r\n\r\n"),
		"the answer has an endless header": hijacked("HTTP/1.1 200 OK\r\nX: " + strings.Repeat(reflected, 1<<11) + "\r\n\r\n"),
	} {
		s, c := startServer(t, fail)
		if got := outcome(t, c.Send(t.Context(), goodURLs["Mattermost"], notice)); got != "unknown" {
			t.Errorf("%s: got %s", name, got)
		}
		if n := len(s.got()); n != 1 {
			t.Errorf("%s: %d requests", name, n)
		}
	}
}

func hijacked(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, answer)
		_ = conn.Close()
	}
}

func TestGivingUpEndsASendAtOnce(t *testing.T) {
	t.Parallel()
	ctx, giveUp := context.WithCancel(t.Context())
	_, c := startServer(t, func(_ http.ResponseWriter, r *http.Request) {
		giveUp()
		<-r.Context().Done() // the client is closing the connection, and could still receive an answer
		panic(http.ErrAbortHandler)
	})
	err := c.Send(ctx, goodURLs["Mattermost"], notice)
	if got := outcome(t, err); got != "unknown" || !errors.Is(err, context.Canceled) {
		t.Errorf("after the request: got %s, %v", got, err)
	}
	err = c.Send(ctx, goodURLs["Mattermost"], notice)
	if got := outcome(t, err); got != "temporary: the send was cancelled" || !errors.Is(err, context.Canceled) {
		t.Errorf("before the request: got %s, %v", got, err)
	}
}

// Send must neither read an endless body to its end nor wait for it.
func TestABodyWithoutEndIsLeftAlone(t *testing.T) {
	t.Parallel()
	for service, want := range map[string]string{"Mattermost": "taken", "Teams, a connector": "temporary 200"} {
		_, c := startServer(t, func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, reflected)
				_ = http.NewResponseController(w).Flush()
			}
		})
		if got := outcome(t, c.Send(t.Context(), goodURLs[service], notice)); got != want {
			t.Errorf("%s: got %s, want %s", service, got, want)
		}
	}
}

func listens(t *testing.T) net.Listener {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// silent accepts connections and never answers. Its channel is closed once the client has closed the
// connection.
func silent(t *testing.T) (addr string, left <-chan struct{}) {
	t.Helper()
	listener := listens(t)
	gone := make(chan struct{})
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
		close(gone)
	}()
	return listener.Addr().String(), gone
}

func TestWhatWasNeverSentIsTemporary(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(answers(http.StatusOK, reflected))
	t.Cleanup(plain.Close)
	untrusted := httptest.NewUnstartedServer(answers(http.StatusOK, reflected))
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	closed := listens(t)
	_ = closed.Close()

	c := New(Config{Allowed: loopback})
	for name, want := range map[string]struct{ addr, reason string }{
		"no server listens":        {closed.Addr().String(), "the chat could not be reached"},
		"no TLS":                   {plain.Listener.Addr().String(), "the chat does not speak TLS on this port"},
		"an untrusted certificate": {untrusted.Listener.Addr().String(), "the certificate of the chat is not trusted"},
	} {
		got := outcome(t, c.Send(t.Context(), "mattermost://"+want.addr+"/"+secret, notice))
		if got != "temporary: "+want.reason {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestAFailureIsDescribedByItsKind(t *testing.T) {
	t.Parallel()
	op := func(err error) error {
		return &url.Error{Op: "Post", URL: goodURLs["Mattermost"], Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no such address":     {op(outbound.ErrUnreachable), "the chat could not be reached: " + outbound.ErrUnreachable.Error()},
		"another certificate": {op(&tls.CertificateVerificationError{Err: x509.HostnameError{Host: secret}}), "the certificate of the chat is not trusted"},
		"another protocol":    {op(tls.RecordHeaderError{Msg: secret}), "the chat does not speak TLS on this port"},
		"HTTP":                {op(http.ErrSchemeMismatch), "the chat does not speak TLS on this port"},
		"too slow a network":  {op(os.ErrDeadlineExceeded), "the chat could not be reached in time"},
		"too slow a chat":     {op(context.DeadlineExceeded), "the chat could not be reached in time"},
		"cancelled":           {op(context.Canceled), "the send was cancelled"},
		"refused":             {op(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "the chat could not be reached"},
		"anything else":       {errors.New(secret), "the chat could not be reached"},
	} {
		if got := describe(c.err); got != c.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestASendEndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{})
		transportOf(t, c).DialContext = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, theirs) }() // reads everything and never answers
			return ours, nil
		}
		begin := time.Now()
		got := outcome(t, c.Send(t.Context(), goodURLs["Mattermost, all of it"], notice))
		if took := time.Since(begin); got != "unknown" || took != SendDeadline {
			t.Errorf("got %s after %v", got, took)
		}
	})
}

// A dial of net/http continues when its request is cancelled. A server that never answers would hold
// it.
func TestASilentServerHoldsNothing(t *testing.T) {
	t.Parallel()
	addr, left := silent(t)
	c := New(Config{Allowed: loopback})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := c.Send(ctx, "mattermost://"+addr+"/"+secret, notice)
	if got := outcome(t, err); got != "temporary: the chat could not be reached in time" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %s, %v", got, err)
	}
	select {
	case <-left:
	case <-time.After(3 * time.Second):
		t.Error("the connection is still open")
	}
}
