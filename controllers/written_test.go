// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// unheard is how long a spec waits for a write of Usher before it reads an
// object again all the same. The API server itself can change one as well.
const unheard = 200 * time.Millisecond

// written tells the specs what Usher has just written.
var written = &writeNews{waiting: map[*waiter]struct{}{}}

// writeNews wakes those that wait for an object when Usher has written it. A
// spec that reads an object every few milliseconds has the API server do more for
// the reads than for the writes.
type writeNews struct {
	mu      sync.Mutex
	waiting map[*waiter]struct{}
}

// waiter waits for the writes of one object.
type waiter struct {
	namespace, name string
	woken           chan struct{} // holds one, so that no write is missed between two reads
}

// of returns a waiter for an object, until done is called.
func (n *writeNews) of(o client.Object) (w *waiter, done func()) {
	w = &waiter{namespace: o.GetNamespace(), name: o.GetName(), woken: make(chan struct{}, 1)}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting[w] = struct{}{}
	return w, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.waiting, w)
	}
}

// wait returns when the object was written since the last wait, or after a while.
func (w *waiter) wait() {
	select {
	case <-w.woken:
	case <-time.After(unheard):
	}
}

// through is the API server as a process reaches it whose writes are told.
func (n *writeNews) through(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if r.Method != http.MethodGet {
			n.tell(r.Method, r.URL.Path)
		}
		return response, err
	})
}

// tell wakes those that wait for what a request was about. A request to create
// does not name its object, and wakes all those of the namespace.
func (n *writeNews) tell(method, of string) {
	of = strings.TrimSuffix(of, "/status")
	namespace, name := "", path.Base(of)
	if _, within, found := strings.Cut(of, "/namespaces/"); found {
		if home, _, namespaced := strings.Cut(within, "/"); namespaced {
			namespace = home
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for w := range n.waiting {
		if w.namespace != namespace || method != http.MethodPost && w.name != name {
			continue
		}
		select {
		case w.woken <- struct{}{}:
		default: // it has yet to read what was written before
		}
	}
}
