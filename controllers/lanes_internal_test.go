// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestWhoeverSendsLeavesWorkersForOthers(t *testing.T) {
	acme, globex, initech := laneOfHome("acme"), laneOfHome("globex"), laneOfHome("initech")
	cases := map[string]struct {
		workers int
		sending []lane
		by      lane
		free    bool
	}{
		"nobody sends": {4, nil, acme, true},
		"somebody sends by another Organization's server":   {4, []lane{globex}, acme, true},
		"somebody sends by the Organization's":              {4, []lane{acme}, acme, false},
		"all workers but one send by others' own servers":   {3, []lane{globex, initech}, acme, false},
		"and the platform's is free then":                   {3, []lane{globex, initech}, platformLane, true},
		"several send by the platform's":                    {4, []lane{platformLane, platformLane}, platformLane, true},
		"all workers but one send by the platform's":        {4, []lane{platformLane, platformLane, platformLane}, platformLane, false},
		"and an Organization's is free then":                {4, []lane{platformLane, platformLane, platformLane}, acme, true},
		"there is one worker":                               {1, nil, platformLane, true},
		"what goes by no server never waits":                {2, []lane{platformLane, acme, noLane, noLane}, noLane, true},
		"what goes by no server keeps nobody from anything": {2, []lane{noLane, noLane}, platformLane, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := &lanes{most: max(1, c.workers-1), sending: c.sending}
			if _, free := l.enter(c.by, types.NamespacedName{Name: "jane"}); free != c.free {
				t.Errorf("free: %v", free)
			}
		})
	}
}

func TestWhoeverWaitsIsWokenInTurn(t *testing.T) {
	var woken []string
	l := &lanes{most: 3, wake: func(r reconcile.Request) { woken = append(woken, r.Name) }}
	enter := func(by lane, name string) (leave func()) {
		leave, _ = l.enter(by, types.NamespacedName{Name: name})
		return leave
	}
	acme, globex := laneOfHome("acme"), laneOfHome("globex")
	first, other := enter(acme, "first"), enter(globex, "other")
	for _, name := range []string{"second", "third", "second", "third"} { // each looks twice
		if enter(acme, name) != nil {
			t.Fatalf("%s came in too", name)
		}
	}
	other()
	if len(woken) != 0 {
		t.Errorf("%v were woken by a lane that they do not wait for", woken)
	}
	first()
	second := enter(acme, "second")
	second()
	third := enter(acme, "third")
	third()
	if want := []string{"second", "third"}; !slices.Equal(woken, want) {
		t.Errorf("woken are %v, not %v", woken, want)
	}
}

func TestWhoeverGotInByItselfIsNotWoken(t *testing.T) {
	l := &lanes{most: 3, wake: func(r reconcile.Request) { t.Errorf("%s was woken", r.Name) }}
	acme, who := laneOfHome("acme"), types.NamespacedName{Name: "jane"}
	l.sending = []lane{acme}
	if _, free := l.enter(acme, who); free {
		t.Fatal("two came in")
	}
	l.sending = nil
	leave, _ := l.enter(acme, who)
	leave()
}
