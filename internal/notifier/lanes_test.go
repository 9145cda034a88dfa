// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestSendsLeaveWorkersForOtherLanes(t *testing.T) {
	acme, globex, initech := HomeLane("acme"), HomeLane("globex"), HomeLane("initech")
	cases := map[string]struct {
		workers int
		sending []Lane
		by      Lane
		free    bool
	}{
		"no worker sends": {4, nil, acme, true},
		"one sends to another Organization's server":                  {4, []Lane{globex}, acme, true},
		"one sends to the Organization's server":                      {4, []Lane{acme}, acme, false},
		"all workers except one send to other Organizations' servers": {3, []Lane{globex, initech}, acme, false},
		"the platform's server is free meanwhile":                     {3, []Lane{globex, initech}, PlatformLane, true},
		"several send to the platform's server":                       {4, []Lane{PlatformLane, PlatformLane}, PlatformLane, true},
		"all workers except one send to the platform's server":        {4, []Lane{PlatformLane, PlatformLane, PlatformLane}, PlatformLane, false},
		"an Organization's server is free meanwhile":                  {4, []Lane{PlatformLane, PlatformLane, PlatformLane}, acme, true},
		"there is one worker":                                         {1, nil, PlatformLane, true},
		"a message without a server never waits":                      {2, []Lane{PlatformLane, acme, NoLane, NoLane}, NoLane, true},
		"messages without a server do not block others":               {2, []Lane{NoLane, NoLane}, PlatformLane, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := &Lanes{MaxWorkers: max(1, c.workers-1), sending: c.sending}
			if _, free := l.Enter(c.by, types.NamespacedName{Name: "jane"}); free != c.free {
				t.Errorf("free: %v", free)
			}
		})
	}
}

func TestWaitingRequestsAreWokenInOrder(t *testing.T) {
	var woken []string
	l := &Lanes{MaxWorkers: 3, Wake: func(r reconcile.Request) { woken = append(woken, r.Name) }}
	enter := func(by Lane, name string) (leave func()) {
		leave, _ = l.Enter(by, types.NamespacedName{Name: name})
		return leave
	}
	acme, globex := HomeLane("acme"), HomeLane("globex")
	first, other := enter(acme, "first"), enter(globex, "other")
	for _, name := range []string{"second", "third", "second", "third"} { // each tries twice
		if enter(acme, name) != nil {
			t.Fatalf("%s entered the lane too", name)
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
		t.Errorf("woken: %v, want %v", woken, want)
	}
}

func TestRequestThatEnteredIsNotWokenAgain(t *testing.T) {
	l := &Lanes{MaxWorkers: 3, Wake: func(r reconcile.Request) { t.Errorf("%s was woken", r.Name) }}
	acme, who := HomeLane("acme"), types.NamespacedName{Name: "jane"}
	l.sending = []Lane{acme}
	if _, free := l.Enter(acme, who); free {
		t.Fatal("two entered the lane")
	}
	l.sending = nil
	leave, _ := l.Enter(acme, who)
	leave()
}
