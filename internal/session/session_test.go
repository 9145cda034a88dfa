// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"testing"
	"testing/iotest"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func begun(t *testing.T, stage Stage, at time.Time) (Session, string) {
	t.Helper()
	s, token, err := New(rand.Reader, stage, "Firefox", at)
	if err != nil {
		t.Fatal(err)
	}
	return s, token
}

func TestWhatIsKeptDoesNotSignIn(t *testing.T) {
	s, token := begun(t, StageSignedIn, noon)
	if len(token) < 43 {
		t.Errorf("a token of %d characters holds less than 256 bits", len(token))
	}
	if _, found := Find([]Session{s}, s.Hash); found {
		t.Error("the stored hash opens the session")
	}
	if got, found := Find([]Session{s}, token); !found || got.Hash != s.Hash {
		t.Error("the token does not open its session")
	}
	if _, other, _ := New(rand.Reader, StageSignedIn, "", noon); other == token {
		t.Error("two sessions have the same token")
	}
}

func TestNewFailsWithoutRandomness(t *testing.T) {
	for name, source := range map[string]*bytes.Reader{"none": bytes.NewReader(nil), "too little": bytes.NewReader(make([]byte, 31))} {
		if _, token, err := New(iotest.DataErrReader(source), StageSignedIn, "", noon); err == nil || token != "" {
			t.Errorf("%s: a session was begun", name)
		}
	}
}

func TestAlive(t *testing.T) {
	var never time.Time
	for name, c := range map[string]struct {
		stage      Stage
		seen, look time.Duration
		ended      time.Time
		alive      bool
	}{
		"just begun":                                           {StageSignedIn, 0, 0, never, true},
		"the last instant of idleness":                         {StageSignedIn, 0, Idle - 1, never, true},
		"idle for too long":                                    {StageSignedIn, 0, Idle, never, false},
		"used in between":                                      {StageSignedIn, Idle - 1, 2*Idle - 2, never, true},
		"used all the time, up to the last instant":            {StageSignedIn, Absolute - 1, Absolute - 1, never, true},
		"used all the time, for too long":                      {StageSignedIn, Absolute - 1, Absolute, never, false},
		"halfway, in time":                                     {StagePassword, 0, Halfway - 1, never, true},
		"halfway, too late":                                    {StagePassword, Halfway - 1, Halfway, never, false},
		"begun before all sessions were ended":                 {StageSignedIn, 0, time.Minute, noon.Add(time.Second), false},
		"begun in the second in which all sessions were ended": {StageSignedIn, 0, time.Minute, noon, false},
		"begun in the second after all sessions were ended":    {StageSignedIn, 0, time.Minute, noon.Add(-time.Second), true},
		"an unknown stage counts as halfway":                   {"Else", Halfway, Halfway, never, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := begun(t, c.stage, noon.Add(500*time.Millisecond))
			s.SeenTime = s.StartTime.Add(c.seen)
			if got := s.Alive(s.StartTime.Add(c.look), c.ended); got != c.alive {
				t.Errorf("alive: %t", got)
			}
		})
	}
}

func TestFreshAndStale(t *testing.T) {
	s, _ := begun(t, StageSignedIn, noon)
	if !s.IsFresh(noon.Add(Fresh-1)) || s.IsFresh(noon.Add(Fresh)) {
		t.Error("a session is not fresh for exactly Fresh")
	}
	if half, _ := begun(t, StagePassword, noon); half.IsFresh(noon) {
		t.Error("a halfway session is fresh")
	}
	if s.Stale(noon.Add(touchEvery-1)) || !s.Stale(noon.Add(touchEvery)) {
		t.Error("a session is not stale after exactly touchEvery")
	}
}

func TestWhoHasThePasswordAloneEndsNoSessionThatIsSignedIn(t *testing.T) {
	var all []Session
	tokens := map[Stage][]string{}
	put := func(stage Stage, after time.Duration) {
		s, token := begun(t, stage, noon.Add(after))
		all, tokens[stage] = Put(all, s, noon.Add(after), time.Time{}), append(tokens[stage], token)
	}
	for i := range Most {
		put(StageSignedIn, time.Duration(i)*time.Second)
	}
	for i := range Most + 2 {
		put(StagePassword, time.Minute+time.Duration(i)*time.Second)
	}
	for i, token := range tokens[StageSignedIn] {
		if _, found := Find(all, token); !found {
			t.Errorf("session %d of %d was removed", i+1, Most)
		}
	}
	for i, token := range tokens[StagePassword] {
		if _, found := Find(all, token); found != (i >= 2) {
			t.Errorf("halfway session %d exists: %t", i+1, found)
		}
	}
}

func TestPutKeepsTheMostRecentlyUsed(t *testing.T) {
	var all []Session
	for i := range Most {
		s, _ := begun(t, StageSignedIn, noon)
		s.Browser, s.SeenTime = fmt.Sprint(i), noon.Add(time.Duration(i)*time.Second)
		all = append(all, s)
	}
	dead, _ := begun(t, StageSignedIn, noon.Add(-Absolute))
	next, token := begun(t, StageSignedIn, noon.Add(time.Minute))
	got := Put(append(all, dead), next, noon.Add(time.Minute), time.Time{})
	if len(got) != Most {
		t.Fatalf("%d sessions, want %d", len(got), Most)
	}
	for _, s := range got {
		if s.Browser == "0" || s.Hash == dead.Hash {
			t.Errorf("session %q stayed", s.Browser)
		}
	}
	if _, found := Find(got, token); !found {
		t.Error("the new session is missing")
	}
	again := next
	again.Browser = "again"
	if got = Put(got, again, noon.Add(time.Minute), time.Time{}); len(got) != Most || got[0].Browser != "again" {
		t.Error("a session was not replaced by its new state")
	}
	if got = Without(got, next.Hash); len(got) != Most-1 {
		t.Error("an ended session stayed")
	}
	if got := Put(all, next, noon.Add(time.Minute), noon.Add(time.Second)); len(got) != 1 {
		t.Errorf("%d sessions after all sessions were ended", len(got))
	}
}
