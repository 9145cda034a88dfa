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

// unheard is how long a spec waits for a write by Usher before it reads an object again
// anyway. The API server itself can change an object as well.
const unheard = 200 * time.Millisecond

// written reports Usher's writes to the specs.
var written = &writeNews{waiting: map[*waiter]struct{}{}}

// writeNews wakes the specs that wait for an object when Usher has written it. If the
// specs polled every few milliseconds instead, the API server would spend more on their
// reads than on the writes.
type writeNews struct {
	mu      sync.Mutex
	waiting map[*waiter]struct{}
}

// waiter waits for the writes of one object.
type waiter struct {
	namespace, name string
	woken           chan struct{} // has room for one signal, so that no write between two reads is missed
}

// of returns a waiter for an object. The waiter is registered until done is called.
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

// wait returns when the object was written since the last wait, or after unheard.
func (w *waiter) wait() {
	select {
	case <-w.woken:
	case <-time.After(unheard):
	}
}

// through wraps the transport of a process so that its writes are reported.
func (n *writeNews) through(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if r.Method != http.MethodGet {
			n.tell(r.Method, r.URL.Path)
		}
		return response, err
	})
}

// tell wakes the waiters for the object of a request. A create request does not name its
// object, so it wakes all waiters of the namespace.
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
		default: // it has not yet read the earlier write
		}
	}
}
