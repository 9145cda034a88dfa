// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import "testing"

func TestEverySituationHasAVerdict(t *testing.T) {
	for at := range situation(situationCount) {
		v, found := verdicts[at]
		switch {
		case !found:
			t.Errorf("situation %d has no verdict", at)
		case v.whole != nil:
		case v.state == "" || v.set == nil || v.reason == "":
			t.Errorf("the verdict of situation %d lacks a state, a reason or how Ready is", at)
		case (v.message == "") == (v.messageOf == nil):
			t.Errorf("the verdict of situation %d needs one message", at)
		}
	}
	if len(verdicts) != situationCount {
		t.Errorf("there are %d verdicts for %d situations", len(verdicts), situationCount)
	}
}
