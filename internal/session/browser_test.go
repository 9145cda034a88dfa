// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"
)

func aToken(t *testing.T) string {
	t.Helper()
	token, err := NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestWhichBrowsersAreKnown(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	token := aToken(t)
	all := PutBrowser(PutBrowser(nil, aToken(t), now, time.Time{}), token, now, time.Time{})
	for name, c := range map[string]struct {
		token      string
		now, ended time.Time
		want       int
	}{
		"at once":                           {token, now, time.Time{}, 0},
		"another token":                     {aToken(t), now, time.Time{}, -1},
		"no token":                          {"", now, time.Time{}, -1},
		"almost half a year later":          {token, now.Add(KnownFor - 1), time.Time{}, 0},
		"half a year later":                 {token, now.Add(KnownFor), time.Time{}, -1},
		"sessions ended before":             {token, now, now.Add(-time.Second), 0},
		"sessions ended in the same second": {token, now, now, -1},
	} {
		if got := FindBrowser(all, c.token, c.now, c.ended); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestAnAccountKnowsTheLatestBrowsers(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	first, second := aToken(t), aToken(t)
	all := PutBrowser(PutBrowser(nil, first, now, time.Time{}), second, now.Add(1), time.Time{})
	all[1].Failures = 4
	all = PutBrowser(all, first, now.Add(2), time.Time{}) // the other one is the oldest now
	if len(all) != 2 || all[0].Failures != 0 {
		t.Errorf("after another sign-in: %+v", all)
	}
	for i := range MostBrowsers - 1 {
		all = PutBrowser(all, aToken(t), now.Add(time.Duration(3+i)), time.Time{})
	}
	if FindBrowser(all, first, now.Add(time.Hour), time.Time{}) < 0 || FindBrowser(all, second, now.Add(time.Hour), time.Time{}) >= 0 || len(all) != MostBrowsers {
		t.Errorf("%d browsers are known", len(all))
	}
}

func TestWhatATokenIs(t *testing.T) {
	for text, want := range map[string]bool{
		aToken(t): true, "": false, "x": false, strings.Repeat("A", 42): false, strings.Repeat("A", 44): false,
		strings.Repeat("A", 42) + "B": false, strings.Repeat("A", 42) + "\n": false, strings.Repeat("=", 43): false,
	} {
		if IsToken(text) != want {
			t.Errorf("%q is a token: %t", text, !want)
		}
	}
}
