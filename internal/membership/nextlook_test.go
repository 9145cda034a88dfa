// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"testing"
	"time"
)

func TestAFailureIsTriedAgainWithinAMinute(t *testing.T) {
	failed := map[string]Failure{"staging/usher:acme:jane:edit": {Reason: "BindingFailed"}}
	for name, c := range map[string]struct {
		after    time.Duration
		failures map[string]Failure
		want     time.Duration
	}{
		"nothing failed, nothing is due":       {0, nil, 0},
		"nothing failed, and something is due": {time.Hour, nil, time.Hour},
		"something failed, and nothing is due": {0, failed, time.Minute},
		"something failed, and due is later":   {time.Hour, failed, time.Minute},
		"something failed, and due is earlier": {time.Second, failed, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if got := RequeueAfter(Plan{After: c.after}, c.failures); got != c.want {
				t.Errorf("it reconciles after %s, not %s", got, c.want)
			}
		})
	}
}
