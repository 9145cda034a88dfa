// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms_test

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
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/internal/notifier/sms"
)

const (
	password = "correct horse & battery"
	token    = "c2VjcmV0LXNlY3JldA"
	text     = "Jane, Acme invites you: https://usher.example.org/i#" + token
)

func aMessage() sms.Message { return sms.Message{To: "+393331234567", Text: text} }

// start runs a gateway with the handler.
func start(t *testing.T, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server
}

// answer returns a gateway that gives the same answer to every request.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func gateway(t *testing.T, dialect sms.Dialect, serverURL string) sms.Gateway {
	t.Helper()
	raw := "kannel+" + strings.Replace(serverURL, "://", "://usher@", 1)
	if dialect == sms.Twilio {
		raw = "twilio+" + strings.Replace(serverURL, "://", "://AC0123456789abcdef@", 1)
	}
	g, err := sms.ParseURL(raw)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func config(t *testing.T, dialect sms.Dialect, serverURL string) sms.Config {
	t.Helper()
	return sms.Config{
		Gateway:  gateway(t, dialect, serverURL),
		Password: func() (string, error) { return password, nil },
		From:     "Usher",
	}
}

func client(t *testing.T, dialect sms.Dialect, serverURL string) *sms.Client {
	t.Helper()
	return sms.New(config(t, dialect, serverURL))
}

// outcome holds what a caller can learn from the error of Send.
type outcome struct {
	Class, Part string
	Code        int
}

func outcomeOf(t *testing.T, err error) outcome {
	t.Helper()
	var (
		invalid   *sms.InvalidError
		refused   *sms.RefusedError
		temporary *sms.TemporaryError
		unknown   *sms.UnknownError
	)
	switch {
	case err == nil:
		return outcome{Class: "taken"}
	case errors.As(err, &invalid):
		return outcome{Class: "invalid", Part: invalid.Field}
	case errors.As(err, &refused):
		return outcome{"refused", refused.Part, refused.Code}
	case errors.As(err, &temporary):
		return outcome{Class: "temporary", Code: temporary.Code}
	case errors.As(err, &unknown):
		return outcome{Class: "unknown"}
	}
	t.Fatalf("an error of an unknown class: %T %v", err, err)
	return outcome{}
}

func taken() outcome { return outcome{Class: "taken"} }

func temporary(status int) outcome { return outcome{Class: "temporary", Code: status} }

func unknown() outcome { return outcome{Class: "unknown"} }

func refused(part string, code int) outcome { return outcome{"refused", part, code} }

// expect checks the class of an error and that its text contains all words.
func expect(t *testing.T, err error, want outcome, words ...string) {
	t.Helper()
	if diff := cmp.Diff(want, outcomeOf(t, err)); diff != "" {
		t.Errorf("outcome (-want +got):\n%s\nof: %v", diff, err)
	}
	for _, w := range words {
		if w != "" && (err == nil || !strings.Contains(err.Error(), w)) {
			t.Errorf("got %v, want it to say %q", err, w)
		}
	}
}

var dialects = []sms.Dialect{sms.Kannel, sms.Twilio}

func TestAnswersThatAreTheSameForEveryGateway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		want   outcome
		says   string
	}{
		"a failed sign-in names the settings":                      {401, "", temporary(401), "SMS password file"},
		"a forbidden user is the platform's problem":               {403, "", temporary(403), "user in the SMS gateway's URL"},
		"a page that does not exist is the platform's problem":     {404, "no", temporary(404), "correct the SMS gateway's URL: 404 no"},
		"too many messages are temporary":                          {429, "slow down", temporary(429), "for now: 429 slow down"},
		"a failing gateway is temporary":                           {500, "oops", temporary(500), "cannot accept messages now: 500 oops"},
		"a gateway in maintenance is temporary":                    {503, "", temporary(503), "cannot accept messages now: 503"},
		"a proxy that lost the gateway leaves the outcome unknown": {502, "", unknown(), "a proxy in between answered 502"},
		"a proxy that timed out leaves the outcome unknown":        {504, "", unknown(), "a proxy in between answered 504"},
		"a wrong request is the platform's problem":                {400, "what?", temporary(400), "platform team must check: 400 what?"},
		"an HTML page is not repeated":                             {400, "<html><title>Blocked</title>", temporary(400), "must check: 400"},
		"a welcome page is not a confirmation":                     {200, "<html>Welcome to the Wi-Fi", unknown(), "check the SMS gateway's URL"},
		"an empty answer is not a confirmation":                    {204, "", unknown(), "answered 204"},
		"a status of an unknown class is temporary":                {999, "", temporary(999), "999"},
		"control characters are removed":                           {503, "a\x00b\x1b[31m\u202ec", temporary(503), "503 a b [31m c"},
	} {
		for _, dialect := range dialects {
			t.Run(name+", from "+string(dialect), func(t *testing.T) {
				t.Parallel()
				server := start(t, answer(c.status, c.body))
				expect(t, client(t, dialect, server.URL).Send(t.Context(), aMessage()), c.want, c.says)
			})
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, dialect := range dialects {
			var strays atomic.Int32
			elsewhere := start(t, func(http.ResponseWriter, *http.Request) { strays.Add(1) })
			server := start(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere.URL, status)
			})
			err := client(t, dialect, server.URL).Send(t.Context(), aMessage())
			expect(t, err, temporary(status), "redirects to another URL", "correct the SMS gateway's URL")
			if n := strays.Load(); n != 0 {
				t.Errorf("%d: %d requests with the link went to the other URL", status, n)
			}
		}
	}
}

func TestHugeAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		endless := make(chan struct{})
		server := start(t, func(w http.ResponseWriter, _ *http.Request) {
			defer close(endless)
			w.WriteHeader(http.StatusServiceUnavailable)
			for {
				if _, err := w.Write([]byte(strings.Repeat("a", 1<<16))); err != nil {
					return
				}
			}
		})
		err := client(t, dialect, server.URL).Send(t.Context(), aMessage())
		expect(t, err, temporary(503))
		if n := len(err.Error()); n > 300 {
			t.Errorf("the error has %d bytes: %.300s", n, err)
		}
		<-endless // the client closed the connection
	}
}

// silence returns the address of a server that accepts connections and never answers.
func silence(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

func TestTimeIsUpBeforeTheRequestWentOut(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := client(t, sms.Kannel, "https://"+silence(t)).Send(ctx, aMessage())
	expect(t, err, temporary(0), "did not answer in time")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is not the context's error", err)
	}
}

func TestTimeIsUpAfterTheRequestWentOut(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		got := make(chan struct{})
		server := start(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			close(got)
			<-r.Context().Done()
		})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-got
			cancel()
		}()
		err := client(t, dialect, server.URL).Send(ctx, aMessage())
		expect(t, err, unknown(), "may have received the message but did not confirm it: the send was cancelled")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v is not the context's error", err)
		}
	}
}

func TestGatewayThatDoesNotAnswerLeavesTheOutcomeOpen(t *testing.T) {
	t.Parallel()
	server := start(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	c := client(t, sms.Twilio, server.URL)
	c.SetReplyTimeout(50 * time.Millisecond)
	expect(t, c.Send(t.Context(), aMessage()), unknown(), "did not answer in time")
}

func TestSendThatIsCalledOffAtOnceSendsNothing(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	server := start(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	expect(t, client(t, sms.Kannel, server.URL).Send(ctx, aMessage()), temporary(0), "cancelled")
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

// TestConnectionThatBreaks covers the cases where a client that retries on its own would send the text
// twice.
func TestConnectionThatBreaks(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]string{
		"without an answer":       "",
		"within the status":       "HTTP/1.1 2",
		"within the header":       "HTTP/1.1 202 Accepted\r\nContent-Le",
		"within the confirmation": "HTTP/1.1 202 Accepted\r\nContent-Length: 24\r\n\r\n",
		"after something else":    "\x00\x16\x03 220 mail.example.org ESMTP " + token + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			server := start(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, last)
				_ = conn.Close()
			})
			err := client(t, sms.Kannel, server.URL).Send(t.Context(), aMessage())
			expect(t, err, unknown())
			if strings.Contains(err.Error(), token) {
				t.Errorf("the error repeats the answer: %v", err)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests arrived, want 1", n)
			}
		})
	}
}

func TestEachMessageHasAConnectionOfItsOwn(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(answer(http.StatusAccepted, "0: Accepted for delivery"))
	var opened atomic.Int32
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := client(t, sms.Kannel, server.URL)
	for range 3 {
		expect(t, c.Send(t.Context(), aMessage()), taken())
	}
	if n := opened.Load(); n != 3 {
		t.Errorf("%d connections, want 3: on a kept connection a request can be sent twice", n)
	}
}

func TestGatewayThatCannotBeReached(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	err := client(t, sms.Twilio, server.URL).Send(t.Context(), aMessage())
	expect(t, err, temporary(0), "the SMS gateway "+host+" cannot be reached: connection refused")
	err = client(t, sms.Twilio, "http://sms.invalid").Send(t.Context(), aMessage())
	expect(t, err, temporary(0), "the SMS gateway sms.invalid cannot be reached: its host name cannot be resolved")
}

func TestTLS(t *testing.T) {
	t.Parallel()
	tlsServer := func(change func(*tls.Config)) *httptest.Server {
		server := httptest.NewUnstartedServer(answer(http.StatusAccepted, "0: Accepted for delivery"))
		server.TLS = &tls.Config{MinVersion: tls.VersionTLS10}
		if change != nil {
			change(server.TLS)
		}
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		t.Cleanup(server.Close)
		return server
	}
	send := func(server *httptest.Server, url string, trusted bool) error {
		cfg := config(t, sms.Kannel, url)
		if trusted {
			cfg.RootCAs = x509.NewCertPool()
			cfg.RootCAs.AddCert(server.Certificate())
		}
		return sms.New(cfg).Send(t.Context(), aMessage())
	}

	good := tlsServer(nil)
	expect(t, send(good, good.URL, true), taken())
	expect(t, send(good, good.URL, false), temporary(0), "an authority that is not trusted here; configure the CA file")
	elsewhere := strings.Replace(good.URL, "127.0.0.1", "localhost", 1)
	expect(t, send(good, elsewhere, true), temporary(0), "for another host name")
	old := tlsServer(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 })
	expect(t, send(old, old.URL, true), temporary(0), "TLS 1.2 or newer")

	plain := start(t, answer(http.StatusAccepted, "0: Accepted for delivery"))
	plain.Config.ErrorLog = log.New(io.Discard, "", 0)
	err := client(t, sms.Kannel, strings.Replace(plain.URL, "http", "https", 1)).Send(t.Context(), aMessage())
	expect(t, err, temporary(0), "does not speak TLS on this port")
	err = client(t, sms.Kannel, strings.Replace(good.URL, "https", "http", 1)).Send(t.Context(), aMessage())
	expect(t, err, temporary(400), "platform team must check")
}
