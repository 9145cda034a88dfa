// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var clientStart = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func aCode(t *testing.T) (Client, string) {
	t.Helper()
	c, code, err := Client{ClientID: "kubectl", Session: "s", Scopes: []string{ScopeOffline}, Code: &Code{}}.Begin(rand.Reader, clientStart)
	if err != nil {
		t.Fatal(err)
	}
	return c, code
}

func exchanged(t *testing.T) (Client, string) {
	t.Helper()
	c, code := aCode(t)
	c, token, err := c.UseCode(code, rand.Reader, clientStart)
	if err != nil {
		t.Fatal(err)
	}
	return c, token
}

func TestACodeWorksOnce(t *testing.T) {
	c, code := aCode(t)
	used, token, err := c.UseCode(code, rand.Reader, clientStart)
	if err != nil || used.Code != nil || !used.IsRefresh(token) {
		t.Fatalf("%+v, %v", used, err)
	}
	if strings.Contains(fmt.Sprint(used), code) || strings.Contains(fmt.Sprint(used), token) {
		t.Error("a token is stored")
	}
	if _, _, err := used.UseCode(code, rand.Reader, clientStart); !errors.Is(err, ErrReplayed) {
		t.Errorf("a second time: %v", err)
	}
	if found, known := ClientOf([]Client{used}, code); !known || found.ID != used.ID {
		t.Error("a used code is not found, so its tokens would live on")
	}
}

func TestRefreshTokensHaveToBeAskedFor(t *testing.T) {
	c, code := aCode(t)
	c.Scopes = []string{"openid"}
	used, token, err := c.UseCode(code, rand.Reader, clientStart)
	if err != nil || token != "" || used.Refresh != "" || used.Code != nil {
		t.Errorf("%q, %+v, %v", token, used, err)
	}
	if _, _, err := used.UseCode(code, rand.Reader, clientStart); !errors.Is(err, ErrReplayed) {
		t.Errorf("a second time: %v", err)
	}
	device, token, err := c.BeginWith(code, rand.Reader, clientStart)
	if err != nil || token != "" || device.Refresh != "" {
		t.Errorf("%q, %+v, %v", token, device, err)
	}
	if used.IsRefresh("") {
		t.Error("an empty text is a refresh token")
	}
}

func TestARefreshTokenWorksOnce(t *testing.T) {
	c, first := exchanged(t)
	next, second, err := c.UseRefresh(first, rand.Reader, clientStart.Add(time.Hour))
	if err != nil || second == first || next.IsRefresh(first) || !next.IsRefresh(second) || !next.UsedTime.Equal(clientStart.Add(time.Hour)) {
		t.Fatalf("%+v, %v", next, err)
	}
	if _, _, err := next.UseRefresh(first, rand.Reader, clientStart); !errors.Is(err, ErrReplayed) {
		t.Errorf("a second time: %v", err)
	}
}

func TestWhatIsNoTokenOfASignIn(t *testing.T) {
	c, token := exchanged(t)
	_, code := aCode(t)
	_, another := exchanged(t)
	for _, text := range []string{"", "x", code, another, token[:43], token[:44], token + "A", "=" + token[1:], token + "\n", strings.Repeat("A", 1000)} {
		if _, _, err := c.UseRefresh(text, rand.Reader, clientStart); err == nil {
			t.Errorf("%q refreshes", text)
		}
		if c.IsRefresh(text) {
			t.Errorf("%q is the refresh token", text)
		}
	}
	// A code is not a refresh token, and does not end the sign-in when it is sent as one.
	fresh, mine := aCode(t)
	if _, _, err := fresh.UseRefresh(mine, rand.Reader, clientStart); !errors.Is(err, ErrNoSignIn) {
		t.Errorf("a code as a refresh token: %v", err)
	}
	if _, _, err := c.UseCode(token, rand.Reader, clientStart); !errors.Is(err, ErrNoSignIn) {
		t.Errorf("a refresh token as a code: %v", err)
	}
}

func TestHowLongASignInToAClientLasts(t *testing.T) {
	code, _ := aCode(t)
	c, _ := exchanged(t)
	daily, online := c, c
	online.Scopes, online.Refresh = []string{"openid"}, ""
	daily.UsedTime = clientStart.Add(ClientAbsolute - time.Hour)
	for name, tc := range map[string]struct {
		c          Client
		now, ended time.Time
		want       bool
	}{
		"a code for almost a minute":                    {code, clientStart.Add(CodeLife - 1), time.Time{}, true},
		"a code after a minute":                         {code, clientStart.Add(CodeLife), time.Time{}, false},
		"unused for almost a day":                       {c, clientStart.Add(ClientIdle - 1), time.Time{}, true},
		"unused for a day":                              {c, clientStart.Add(ClientIdle), time.Time{}, false},
		"used daily for almost a week":                  {daily, clientStart.Add(ClientAbsolute - 1), time.Time{}, true},
		"used daily for a week":                         {daily, clientStart.Add(ClientAbsolute), time.Time{}, false},
		"without refresh tokens for almost ten minutes": {online, clientStart.Add(TokenLife - 1), time.Time{}, true},
		"without refresh tokens for ten minutes":        {online, clientStart.Add(TokenLife), time.Time{}, false},
		"sessions ended before":                         {c, clientStart, clientStart.Add(-time.Second), true},
		"sessions ended in the same second":             {c, clientStart, clientStart, false},
	} {
		if got := tc.c.Alive(tc.now, tc.ended); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestAnAccountKeepsTheLatestSignInsToClients(t *testing.T) {
	var all []Client
	for i := range MostClients + 5 {
		c, _ := exchanged(t)
		c.UsedTime, c.ClientID = clientStart.Add(time.Duration(i)), fmt.Sprint(i)
		all = PutClient(all, c, clientStart, time.Time{})
	}
	if len(all) != MostClients || slices.ContainsFunc(all, func(c Client) bool { return c.ClientID == "4" }) {
		t.Errorf("%d sign-ins", len(all))
	}
	expired := all[3]
	expired.UsedTime = clientStart.Add(-ClientIdle)
	if all = PutClient(all, expired, clientStart, time.Time{}); len(all) != MostClients {
		t.Errorf("%d sign-ins", len(all))
	}
	fresh, _ := exchanged(t)
	if all = PutClient(all, fresh, clientStart, time.Time{}); len(all) != MostClients || len(LivingClients(all, clientStart, time.Time{})) != MostClients {
		t.Errorf("%d sign-ins, with an expired one", len(all))
	}
	if left := WithoutClientsOf(all, "s"); len(left) != 0 {
		t.Errorf("%d sign-ins are left after their session", len(left))
	}
	if left := WithoutClient(all, fresh.ID); len(left) != MostClients-1 {
		t.Errorf("%d sign-ins", len(left))
	}
}
