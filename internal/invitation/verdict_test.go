// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import "testing"

func TestEverySituationHasAVerdict(t *testing.T) {
	for at := range situation(situationCount) {
		v, found := verdicts[at]
		switch {
		case !found:
			t.Errorf("situation %d has no verdict", at)
		case v.silent:
		case v.state == "" || v.set == nil:
			t.Errorf("the verdict of situation %d has no state, or does not say how Ready is", at)
		case (v.reason == "") == (v.reasonOf == nil) || (v.message == "") == (v.messageOf == nil):
			t.Errorf("the verdict of situation %d needs one reason and one message", at)
		}
	}
	if len(verdicts) != situationCount {
		t.Errorf("there are %d verdicts for %d situations", len(verdicts), situationCount)
	}
}
