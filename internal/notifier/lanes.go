// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Lane is whose server a message goes by.
type Lane string

const (
	// NoLane is for what goes by no server but the API server.
	NoLane Lane = ""
	// PlatformLane is for what goes by the platform's mail server or SMS gateway.
	PlatformLane Lane = "platform"
)

// HomeLane is for what goes by the mail server or the chat that the
// Organization of a home namespace brings.
func HomeLane(namespace string) Lane { return Lane("home/" + namespace) }

// Lanes keep workers free. A mail server that takes a message and does not
// answer holds the worker that sends for eleven minutes. So nobody sends more
// than one message at a time by the servers of one Organization, and neither
// those of all Organizations together nor the platform's hold every worker.
type Lanes struct {
	// Most is how many workers the platform's servers can hold, and those of
	// Organizations together.
	Most int
	// Wake has an Invitation looked at again.
	Wake func(reconcile.Request)

	mu      sync.Mutex
	sending []Lane
	waiting []waiting
}

// waiting is an Invitation that found its lane taken.
type waiting struct {
	who reconcile.Request
	by  Lane
}

// Enter takes a lane for an Invitation until leave is called. If it is not free,
// the Invitation is woken once it is.
func (l *Lanes) Enter(by Lane, who types.NamespacedName) (leave func(), free bool) {
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
func (l *Lanes) leave(by Lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(l.sending, by)
	l.sending = slices.Delete(l.sending, at, at+1)
	if next := slices.IndexFunc(l.waiting, func(w waiting) bool { return l.isFree(w.by) }); next >= 0 {
		who := l.waiting[next].who
		l.waiting = slices.Delete(l.waiting, next, next+1)
		l.Wake(who)
	}
}

// isFree tells whether one more may send.
func (l *Lanes) isFree(by Lane) bool {
	platforms, theirs := 0, 0
	for _, s := range l.sending {
		switch s {
		case NoLane:
		case PlatformLane:
			platforms++
		default:
			theirs++
		}
	}
	switch by {
	case NoLane:
		return true
	case PlatformLane:
		return platforms < l.Most
	default:
		return theirs < l.Most && !slices.Contains(l.sending, by)
	}
}
