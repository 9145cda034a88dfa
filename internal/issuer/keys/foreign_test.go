// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestAnUnreadableEntryDoesNotStopTheOthers(t *testing.T) {
	data, _ := rotate(t, nil, start)
	if err := parse(t, data).Unreadable(); err != nil {
		t.Error(err)
	}
	garbage := map[string][]byte{"20261201T120000Z": []byte("secret-material"), "notes": []byte("x")}
	maps.Copy(data, garbage)
	ring := parse(t, data)
	if _, err := sign(t, ring, jose.ES256, start).Verify(ring.Public()); err != nil {
		t.Error(err)
	}
	err := ring.Unreadable()
	if err == nil || !strings.Contains(err.Error(), `"notes"`) || !strings.Contains(err.Error(), `"20261201T120000Z"`) || strings.Contains(err.Error(), "secret-material") {
		t.Errorf("reports %v", err)
	}

	// They neither delay a rotation, nor are they lost with one.
	for _, at := range []time.Time{start.Add(Period), start.Add(Period + Ahead + Kept)} {
		data, _ = rotate(t, data, at)
	}
	if len(parse(t, data).generations) != 1 || len(data) != 1+len(garbage) {
		t.Errorf("entries: %v", slices.Sorted(maps.Keys(data)))
	}
	for name, content := range garbage {
		if !bytes.Equal(data[name], content) {
			t.Errorf("%s was lost", name)
		}
	}
}

func TestKeysThatBecameUnreadableAreReplacedAtOnce(t *testing.T) {
	data, _ := rotate(t, nil, start)
	broken := map[string][]byte{}
	for name, content := range data {
		broken[name] = content[1:]
	}
	later := start.Add(time.Hour)
	next, _ := rotate(t, broken, later)
	ring := parse(t, next)
	if _, err := sign(t, ring, jose.RS256, later).Verify(ring.Public()); err != nil || len(next) != 2 {
		t.Errorf("%d entries, %v", len(next), err)
	}
}

// TestAGenerationFromTheFutureDoesNotStay removes a generation that would never be the oldest
// one, such as one that an attacker planted. A clock that is a little ahead does no harm.
func TestAGenerationFromTheFutureDoesNotStay(t *testing.T) {
	planted, _ := rotate(t, nil, start.AddDate(50, 0, 0))
	data, _ := rotate(t, planted, start)
	if len(data) != 1 || maps.EqualFunc(data, planted, bytes.Equal) {
		t.Fatalf("entries: %v", slices.Sorted(maps.Keys(data)))
	}
	maps.Copy(planted, data)
	next, after := rotate(t, planted, start)
	if !maps.EqualFunc(next, data, bytes.Equal) || after != Period {
		t.Errorf("entries: %v, the next change after %s", slices.Sorted(maps.Keys(next)), after)
	}
	if next, _ := rotate(t, data, start.Add(-time.Hour)); !maps.EqualFunc(next, data, bytes.Equal) {
		t.Error("a clock that went back by an hour discards the keys")
	}
}
