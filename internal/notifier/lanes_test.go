// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestWhoeverSendsLeavesWorkersForOthers(t *testing.T) {
	acme, globex, initech := HomeLane("acme"), HomeLane("globex"), HomeLane("initech")
	cases := map[string]struct {
		workers int
		sending []Lane
		by      Lane
		free    bool
	}{
		"nobody sends": {4, nil, acme, true},
		"somebody sends by another Organization's server":   {4, []Lane{globex}, acme, true},
		"somebody sends by the Organization's":              {4, []Lane{acme}, acme, false},
		"all workers but one send by others' own servers":   {3, []Lane{globex, initech}, acme, false},
		"and the platform's is free then":                   {3, []Lane{globex, initech}, PlatformLane, true},
		"several send by the platform's":                    {4, []Lane{PlatformLane, PlatformLane}, PlatformLane, true},
		"all workers but one send by the platform's":        {4, []Lane{PlatformLane, PlatformLane, PlatformLane}, PlatformLane, false},
		"and an Organization's is free then":                {4, []Lane{PlatformLane, PlatformLane, PlatformLane}, acme, true},
		"there is one worker":                               {1, nil, PlatformLane, true},
		"what goes by no server never waits":                {2, []Lane{PlatformLane, acme, NoLane, NoLane}, NoLane, true},
		"what goes by no server keeps nobody from anything": {2, []Lane{NoLane, NoLane}, PlatformLane, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := &Lanes{Most: max(1, c.workers-1), sending: c.sending}
			if _, free := l.Enter(c.by, types.NamespacedName{Name: "jane"}); free != c.free {
				t.Errorf("free: %v", free)
			}
		})
	}
}

func TestWhoeverWaitsIsWokenInTurn(t *testing.T) {
	var woken []string
	l := &Lanes{Most: 3, Wake: func(r reconcile.Request) { woken = append(woken, r.Name) }}
	enter := func(by Lane, name string) (leave func()) {
		leave, _ = l.Enter(by, types.NamespacedName{Name: name})
		return leave
	}
	acme, globex := HomeLane("acme"), HomeLane("globex")
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
	l := &Lanes{Most: 3, Wake: func(r reconcile.Request) { t.Errorf("%s was woken", r.Name) }}
	acme, who := HomeLane("acme"), types.NamespacedName{Name: "jane"}
	l.sending = []Lane{acme}
	if _, free := l.Enter(acme, who); free {
		t.Fatal("two came in")
	}
	l.sending = nil
	leave, _ := l.Enter(acme, who)
	leave()
}
