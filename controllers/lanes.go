// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// lanePause is after which time to look again whether a lane is free, for the
// case that whoever was to be woken is no more.
const lanePause = 5 * time.Second

// lane is whose server a message goes by.
type lane string

const (
	// noLane is for what goes by no server but the API server.
	noLane lane = ""
	// platformLane is for what goes by the platform's mail server or SMS gateway.
	platformLane lane = "platform"
)

// laneOfHome is for what goes by the mail server or the chat that the
// Organization of a home namespace brings.
func laneOfHome(namespace string) lane { return lane("home/" + namespace) }

// lanes keep workers free. A mail server that takes a message and does not
// answer holds the worker that sends for eleven minutes. So nobody sends more
// than one message at a time by the servers of one Organization, and neither
// those of all Organizations together nor the platform's hold every worker.
type lanes struct {
	// most is how many workers the platform's servers can hold, and those of
	// Organizations together.
	most int
	// wake has an Invitation looked at again.
	wake func(reconcile.Request)

	mu      sync.Mutex
	sending []lane
	waiting []waiting
}

// waiting is an Invitation that found its lane taken.
type waiting struct {
	who reconcile.Request
	by  lane
}

// enter takes a lane for an Invitation until leave is called. If it is not free,
// the Invitation is woken once it is.
func (l *lanes) enter(by lane, who types.NamespacedName) (leave func(), free bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	is := func(w waiting) bool { return w.who.NamespacedName == who }
	if l.isFree(by) {
		l.waiting = slices.DeleteFunc(l.waiting, is)
		l.sending = append(l.sending, by)
		return func() { l.leave(by) }, true
	}
	if at := slices.IndexFunc(l.waiting, is); at >= 0 {
		l.waiting[at].by = by
	} else {
		l.waiting = append(l.waiting, waiting{reconcile.Request{NamespacedName: who}, by})
	}
	return nil, false
}

// leave frees a lane, and wakes the first for whom there is room now.
func (l *lanes) leave(by lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(l.sending, by)
	l.sending = slices.Delete(l.sending, at, at+1)
	if next := slices.IndexFunc(l.waiting, func(w waiting) bool { return l.isFree(w.by) }); next >= 0 {
		who := l.waiting[next].who
		l.waiting = slices.Delete(l.waiting, next, next+1)
		l.wake(who)
	}
}

// isFree tells whether one more may send.
func (l *lanes) isFree(by lane) bool {
	platforms, theirs := 0, 0
	for _, s := range l.sending {
		switch s {
		case noLane:
		case platformLane:
			platforms++
		default:
			theirs++
		}
	}
	switch by {
	case noLane:
		return true
	case platformLane:
		return platforms < l.most
	default:
		return theirs < l.most && !slices.Contains(l.sending, by)
	}
}
