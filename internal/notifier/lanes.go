// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Lane names the owner of the server that sends a message.
type Lane string

const (
	// NoLane is for messages that need no server except the API server.
	NoLane Lane = ""
	// PlatformLane is for messages that the platform's mail server or SMS gateway sends.
	PlatformLane Lane = "platform"
)

// HomeLane is for messages to an Organization's own mail server or chat. It has the name of the home
// namespace.
func HomeLane(namespace string) Lane { return Lane("home/" + namespace) }

// Lanes keep workers free. A mail server that takes a message and does not answer blocks the sending
// worker for eleven minutes. Therefore at most one message at a time goes to the servers of one
// Organization. Neither the servers of all Organizations together nor the platform's servers can block
// every worker.
type Lanes struct {
	// MaxWorkers limits how many workers the platform's servers can occupy. The same limit applies to the
	// servers of all Organizations together.
	MaxWorkers int
	// Wake enqueues an Invitation again.
	Wake func(reconcile.Request)

	mu      sync.Mutex
	sending []Lane
	waiting []waiting
}

// waiting is an Invitation whose lane is occupied.
type waiting struct {
	request reconcile.Request
	lane    Lane
}

// Enter occupies a lane for an Invitation until leave is called. If the lane is not free, it wakes the
// Invitation once it is.
func (l *Lanes) Enter(by Lane, who types.NamespacedName) (leave func(), free bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	is := func(w waiting) bool { return w.request.NamespacedName == who }
	if l.isFree(by) {
		l.waiting = slices.DeleteFunc(l.waiting, is)
		l.sending = append(l.sending, by)
		return func() { l.leave(by) }, true
	}
	if at := slices.IndexFunc(l.waiting, is); at >= 0 {
		l.waiting[at].lane = by
	} else {
		l.waiting = append(l.waiting, waiting{reconcile.Request{NamespacedName: who}, by})
	}
	return nil, false
}

// leave frees a lane and wakes the first waiting Invitation whose lane is free now.
func (l *Lanes) leave(by Lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(l.sending, by)
	l.sending = slices.Delete(l.sending, at, at+1)
	if next := slices.IndexFunc(l.waiting, func(w waiting) bool { return l.isFree(w.lane) }); next >= 0 {
		who := l.waiting[next].request
		l.waiting = slices.Delete(l.waiting, next, next+1)
		l.Wake(who)
	}
}

// isFree reports whether the lane has room for one more message.
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
		return platforms < l.MaxWorkers
	default:
		return theirs < l.MaxWorkers && !slices.Contains(l.sending, by)
	}
}
