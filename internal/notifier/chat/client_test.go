// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chat

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	notice = "Jané Doe has joined <b>Acme & Sons</b> as @all *Developer*\n\"second\" line"
	// reflected is the answer of the servers in these tests, as an internal service would give it.
	reflected = "internal-db-password"
)

// A fakeServer is an untrusted chat server.
type fakeServer struct {
	*httptest.Server

	mu       sync.Mutex
	requests []request
}

type request struct {
	Method, Host, Path, Query string
	Authorization, Type       string
	Body                      any
	Close                     bool
}

// startServer starts a server over TLS, and a Client that connects to it for every host name.
func startServer(t *testing.T, answer http.HandlerFunc) (*fakeServer, *Client) {
	t.Helper()
	s := &fakeServer{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.record(t, r)
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	c := New(Config{Allowed: loopback})
	transport := transportOf(t, c)
	transport.TLSClientConfig.RootCAs = x509.NewCertPool()
	transport.TLSClientConfig.RootCAs.AddCert(s.Certificate())
	transport.TLSClientConfig.ServerName = "example.com"
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, s.Listener.Addr().String())
	}
	return s, c
}

func transportOf(t *testing.T, c *Client) *http.Transport {
	t.Helper()
	transport, ok := c.http.Transport.(*http.Transport)
	if !ok {
		t.Fatal("the client's transport is not an *http.Transport")
	}
	return transport
}

func (s *fakeServer) record(t *testing.T, r *http.Request) {
	t.Helper()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	got := request{
		Method: r.Method, Host: r.Host, Path: r.URL.Path, Query: r.URL.RawQuery, Close: r.Close,
		Authorization: r.Header.Get("Authorization"), Type: r.Header.Get("Content-Type"),
	}
	if got.Type == jsonType {
		err = json.Unmarshal(raw, &got.Body)
	} else {
		got.Body, err = url.ParseQuery(string(raw))
	}
	if err != nil {
		t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, got)
}

func (s *fakeServer) got() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func answers(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

type object = map[string]any

func cardWith(text string) any {
	return object{"type": "message", "attachments": []any{object{
		"contentType": "application/vnd.microsoft.card.adaptive",
		"content": object{
			"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.2",
			"body": []any{object{"type": "RichTextBlock", "inlines": []any{object{"type": "TextRun", "text": text}}}},
		},
	}}}
}

func TestANoticeArrivesOnceAndAsItIs(t *testing.T) {
	t.Parallel()
	textAlone := object{"text": notice}
	const discordHook = "/api/webhooks/123456789012345678/" + secret
	toDiscord := object{"content": notice, "allowed_mentions": object{"parse": []any{}}}
	// Slack shows this body as the notice, because it decodes &, < and >.
	slackBody := object{"text": "Jané Doe has joined &lt;b&gt;Acme &amp; Sons&lt;/b&gt; as @all *Developer*\n\"second\" line", "mrkdwn": false}
	const room = "/_matrix/client/v3/rooms/!room:example.com/send/m.room.message/"
	toMatrix := object{"msgtype": "m.text", "body": notice}
	flowPath, flowQuery, _ := strings.Cut(strings.TrimPrefix(flowHook, "default0123456789abcdef.01.environment.api.powerplatform.com:443"), "?")
	for name, want := range map[string]request{
		"Discord":                               {Host: "discord.com", Path: discordHook, Body: toDiscord},
		"Discord, a thread":                     {Host: "discord.com", Path: discordHook, Query: "thread_id=42", Body: toDiscord},
		"Google Chat":                           {Host: "chat.googleapis.com", Path: "/v1/spaces/AAAA/messages", Query: "key=k3y&token=" + secret, Body: textAlone},
		"Matrix":                                {Method: "PUT", Host: "matrix.example.com", Path: room + "1ecb6c18d1b7a3dfbdc965b9fd1512feffb604141753619a01dde0a7b39b9c0f", Authorization: "Bearer " + secret, Body: toMatrix},
		"Mattermost":                            {Host: "chat.example.com", Path: "/hooks/" + secret, Body: textAlone},
		"Rocket.Chat":                           {Host: "chat.example.com", Path: "/hooks/id123/" + secret, Body: textAlone},
		"Rocket.Chat, all of it":                {Host: "chat.example.com:8443", Path: "/hooks/id123/" + secret, Body: object{"text": notice, "username": "usher", "channel": "#general"}},
		"Slack":                                 {Host: "hooks.slack.com", Path: "/services/" + slackHook, Body: slackBody},
		"Teams, a workflow":                     {Host: "default0123456789abcdef.01.environment.api.powerplatform.com:443", Path: flowPath, Query: flowQuery, Body: cardWith(notice)},
		"Teams, a connector":                    {Host: "acme.webhook.office.com", Path: "/webhookb2/" + connHook, Body: cardWith(notice)},
		"Teams, a connector as shoutrrr has it": {Host: "acme.webhook.office.com", Path: "/webhookb2/" + connHook, Body: cardWith(notice)},
		"Telegram": {Host: "api.telegram.org", Path: "/bot123456:" + secret + "/sendMessage", Body: object{
			"chat_id": "-1001234567890", "text": notice, "disable_web_page_preview": true, "disable_notification": false, "reply_to_message_id": 0.0,
		}},
		"Telegram, a channel with a thread": {Host: "api.telegram.org", Path: "/bot123456:" + secret + "/sendMessage", Body: object{
			"chat_id": "@acme_news", "message_thread_id": 7.0, "text": notice, "disable_web_page_preview": true, "disable_notification": false, "reply_to_message_id": 0.0,
		}},
		"Zulip": {
			Host: "acme.zulipchat.com", Path: "/api/v1/messages", Type: "application/x-www-form-urlencoded",
			Authorization: "Basic dXNoZXItYm90QGV4YW1wbGUuY29tOnMzY3JldFQwa2VuT2ZBY21l",
			Body:          url.Values{"type": {"stream"}, "to": {"general"}, "topic": {"People"}, "content": {notice}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := startServer(t, answers(http.StatusOK, "1"))
			if err := c.Send(t.Context(), goodURLs[name], notice); err != nil {
				t.Fatal(err)
			}
			want.Close = true
			if want.Method == "" {
				want.Method = "POST"
			}
			if want.Type == "" {
				want.Type = jsonType
			}
			if diff := cmp.Diff([]request{want}, s.got()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A retry after an unknown outcome must be the same transaction, and another notice must be another
// one.
func TestMatrixKnowsARepeat(t *testing.T) {
	t.Parallel()
	s, c := startServer(t, answers(http.StatusOK, ""))
	for _, text := range []string{"Jane Doe has joined", "Jane Doe has joined", "John Roe has joined"} {
		if err := c.Send(t.Context(), goodURLs["Matrix"], text); err != nil {
			t.Fatal(err)
		}
	}
	got := s.got()
	if len(got) != 3 || got[0].Path != got[1].Path || got[1].Path == got[2].Path {
		t.Errorf("the transactions: %v", got)
	}
}

func TestWithoutTLSTheNoticeArrivesToo(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"mattermost://%s/" + secret + "?disabletls=yes", "matrix://:" + secret + "@%s/?rooms=!room:example.com&disableTLS=yes"} {
		s := &fakeServer{}
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { s.record(t, r) }))
		t.Cleanup(server.Close)
		err := New(Config{Allowed: loopback}).Send(t.Context(), fmt.Sprintf(form, server.Listener.Addr()), notice)
		if err != nil || len(s.got()) != 1 {
			t.Errorf("%s: %v, %d requests", form, err, len(s.got()))
		}
	}
}

func TestWhatAnAnswerMeans(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{
		200: "taken", 201: "taken", 202: "taken", 204: "taken",
		300: "refused 300", 301: "refused 301", 302: "refused 302", 304: "refused 304", 307: "refused 307", 308: "refused 308",
		400: "refused 400", 401: "refused 401", 403: "refused 403", 404: "refused 404", 410: "refused 410", 413: "refused 413",
		408: "temporary 408", 425: "temporary 425", 429: "temporary 429",
		500: "temporary 500", 502: "unknown", 503: "temporary 503", 504: "unknown", 599: "temporary 599", 999: "temporary 999",
	} {
		for _, service := range []string{"Mattermost", "Slack", "Teams, a workflow", "Matrix"} {
			t.Run(fmt.Sprintf("%s answers %d", service, code), func(t *testing.T) {
				t.Parallel()
				s, c := startServer(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Location", "https://10.0.0.1/"+reflected)
					w.Header().Set("Retry-After", "3600")
					body := reflected
					if code == 204 || code == 304 {
						body = ""
					}
					answers(code, body)(w, r)
				})
				if got := outcome(t, c.Send(t.Context(), goodURLs[service], notice)); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				if n := len(s.got()); n != 1 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
}

func TestAConnectorOfTeamsMustConfirm(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"1":   "taken",
		"1\n": "taken",
		"":    "temporary 200",
		"11":  "temporary 200",
		"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429": "temporary 200",
		strings.Repeat("1", 1<<20): "temporary 200",
	} {
		_, c := startServer(t, answers(http.StatusOK, body))
		if got := outcome(t, c.Send(t.Context(), goodURLs["Teams, a connector"], notice)); got != want {
			t.Errorf("%.80q: got %s, want %s", body, got, want)
		}
	}
	_, c := startServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1")
		w.WriteHeader(http.StatusOK)
	})
	if got := outcome(t, c.Send(t.Context(), goodURLs["Teams, a connector"], notice)); got != "unknown" {
		t.Errorf("an answer cut off: got %s", got)
	}
}

// outcome names what a caller can learn, and fails the test if the error contains too much.
func outcome(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return "taken"
	}
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		text := fmt.Sprintf("%s %+v %#v", cause, cause, cause)
		for _, forbidden := range []string{secret, slackHook, "sig=", "example.com", "127.0.0.1", "room:", "powerplatform", reflected, "Jan", "3600"} {
			if strings.Contains(text, forbidden) {
				t.Errorf("%q is in the error %q", forbidden, text)
			}
		}
	}
	var (
		invalid   *InvalidError
		refused   *RefusedError
		temporary *TemporaryError
		unknown   *UnknownError
	)
	switch {
	case errors.As(err, &invalid):
		return "invalid " + invalid.Field
	case errors.As(err, &refused):
		return fmt.Sprint("refused ", refused.Code)
	case errors.As(err, &temporary) && temporary.Code != 0:
		return fmt.Sprint("temporary ", temporary.Code)
	case errors.As(err, &temporary):
		return "temporary: " + temporary.Reason
	case errors.As(err, &unknown):
		return "unknown"
	}
	t.Fatalf("an error of an unknown class: %T %v", err, err)
	return ""
}

func TestOnlyATextIsSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"no text":                {"", "invalid notice"},
		"white space":            {" \n", "invalid notice"},
		"invalid UTF-8":          {"Jane \xff Doe", "invalid notice"},
		"one character too many": {strings.Repeat("ü", MaxText+1), "invalid notice"},
		"the maximum length":     {strings.Repeat("ü", MaxText), "taken"},
	} {
		s, client := startServer(t, answers(http.StatusOK, ""))
		if got := outcome(t, client.Send(t.Context(), goodURLs["Mattermost"], c.text)); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
		if n := len(s.got()); (n == 1) != (c.want == "taken") {
			t.Errorf("%s: %d requests", name, n)
		}
	}
}

func TestAURLThatCheckRefusesIsNotPostedTo(t *testing.T) {
	t.Parallel()
	s, c := startServer(t, answers(http.StatusOK, ""))
	for name, raw := range badURLs {
		if got := outcome(t, c.Send(t.Context(), raw, notice)); got != "invalid chat URL" {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if n := len(s.got()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestTheClientIsStrictByDefault(t *testing.T) {
	t.Parallel()
	transport := transportOf(t, New(Config{}))
	if transport.TLSClientConfig.InsecureSkipVerify || transport.TLSClientConfig.MinVersion < tls.VersionTLS12 {
		t.Error("the TLS configuration is not strict")
	}
}
