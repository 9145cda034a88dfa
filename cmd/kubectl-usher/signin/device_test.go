// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
	"rsc.io/qr"
)

// answers are what a token endpoint answers, in turn: an error of RFC 8628, "ok", a status of
// 503, or no connection.
type answers struct {
	start time.Time
	next  []string
	// at are the seconds at which requests came.
	at []int
}

func (a *answers) RoundTrip(*http.Request) (*http.Response, error) {
	a.at = append(a.at, int(time.Since(a.start)/time.Second))
	now := a.next[0]
	if len(a.next) > 1 {
		a.next = a.next[1:]
	}
	status, body := http.StatusBadRequest, `{"error":"`+now+`"}`
	switch now {
	case "ok":
		status, body = http.StatusOK, `{"access_token":"a","token_type":"Bearer"}`
	case "503":
		status, body = http.StatusServiceUnavailable, `{"error":"server_error"}`
	case "down":
		return nil, syscall.ECONNREFUSED
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

func TestPolling(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		interval int64
		next     []string
		at       []int
		want     string
	}{
		"approved at once":       {5, []string{"ok"}, []int{5}, ""},
		"the default interval":   {0, []string{"authorization_pending", "ok"}, []int{5, 10}, ""},
		"an interval below zero": {-1, []string{"authorization_pending", "ok"}, []int{5, 10}, ""},
		"the interval it says":   {7, []string{"authorization_pending", "authorization_pending", "ok"}, []int{7, 14, 21}, ""},
		"too long an interval":   {1000, []string{"authorization_pending", "ok"}, []int{60, 120}, ""},
		"slow down":              {5, []string{"slow_down", "authorization_pending", "ok"}, []int{5, 15, 25}, ""},
		"an issuer that is away": {5, []string{"down", "503", "ok"}, []int{5, 15, 35}, ""},
		"away before the first":  {0, []string{"down", "ok"}, []int{5, 15}, ""},
		"refused":                {5, []string{"access_denied"}, []int{5}, "access_denied"},
		"expired":                {5, []string{"expired_token"}, []int{5}, "expired_token"},
		"never approved":         {60, []string{"authorization_pending"}, []int{60, 120, 180, 240}, context.DeadlineExceeded.Error()},
		"away until it is late":  {60, []string{"down"}, []int{60, 120, 180, 240}, context.DeadlineExceeded.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				issuer := &answers{start: time.Now(), next: test.next}
				c := &Client{Config: Config{Out: io.Discard}, http: &http.Client{Transport: issuer}}
				c.oauth.Endpoint = oauth2.Endpoint{TokenURL: "https://accounts.example.com/token", AuthStyle: oauth2.AuthStyleInParams}
				device := &oauth2.DeviceAuthResponse{DeviceCode: "device", Interval: test.interval, Expiry: time.Now().Add(290 * time.Second)}
				ctx, cancel := context.WithDeadline(t.Context(), device.Expiry)
				defer cancel()
				token, err := c.poll(ctx, device)
				if !slices.Equal(issuer.at, test.at) {
					t.Errorf("requests at %v, want %v", issuer.at, test.at)
				}
				switch {
				case test.want == "" && (err != nil || token.AccessToken != "a"):
					t.Errorf("token %v, error %v", token, err)
				case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
					t.Errorf("error %v, want %s", err, test.want)
				}
			})
		})
	}
}

func TestPollingStopsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &Client{Config: Config{Out: io.Discard}, http: &http.Client{Transport: &answers{start: time.Now(), next: []string{"down"}}}}
		c.oauth.Endpoint = oauth2.Endpoint{TokenURL: "https://accounts.example.com/token", AuthStyle: oauth2.AuthStyleInParams}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.poll(ctx, &oauth2.DeviceAuthResponse{DeviceCode: "device"}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

func TestQRCodeIsDarkOnLight(t *testing.T) {
	t.Parallel()
	const address = "https://accounts.example.com/device?code=ABCD-EFGH-JKLM"
	code, err := qr.Encode(address, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.Collect(strings.Lines(qrCode(address)))
	if len(lines) < code.Size/2+2 || len(lines) > 23 {
		t.Errorf("the code has %d lines", len(lines))
	}
	for y, line := range lines {
		line, colored := strings.CutPrefix(line, "\x1b[30;107m")
		line, reset := strings.CutSuffix(line, "\x1b[0m\n")
		if !colored || !reset {
			t.Fatalf("line %d is %q", y, line)
		}
		blocks := []rune(line)
		if len(blocks) > 79 {
			t.Errorf("line %d is %d columns wide", y, len(blocks))
		}
		for x, block := range blocks {
			upper, lower := code.Black(x-2, 2*y-2), code.Black(x-2, 2*y-1)
			if want := map[[2]bool]rune{{true, true}: '█', {true, false}: '▀', {false, true}: '▄', {false, false}: ' '}[[2]bool{upper, lower}]; block != want {
				t.Fatalf("line %d, column %d is %c, want %c", y, x, block, want)
			}
		}
	}
}
