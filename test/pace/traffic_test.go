// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package pace_test

import (
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// write is a request that may have changed something, and that succeeded. A review is
// not a write, because the API server does not store it.
type write struct {
	// at is the time when it was sent.
	at time.Time
	// what is the method and the resource, such as "PUT memberships/status".
	what string
}

// traffic records what a client writes to the API server.
type traffic struct {
	mu     sync.Mutex
	writes []write
}

func (t *traffic) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		sent := time.Now()
		response, err := next.RoundTrip(r)
		what := resourceOf(r.URL.Path)
		if r.Method != http.MethodGet && !strings.HasSuffix(what, "reviews") && err == nil && response.StatusCode < http.StatusBadRequest {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.writes = append(t.writes, write{sent, r.Method + " " + what})
		}
		return response, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// resourceOf returns the resource in a path of the API server, such as
// /apis/accounts.usher.dev/v1alpha1/namespaces/acme/memberships/jane/status.
func resourceOf(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	parts = parts[min(len(parts), 3):] // the API group and version
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	if len(parts) > 1 {
		parts = slices.Delete(parts, 1, 2) // the name
	}
	return strings.Join(parts, "/")
}

// since returns the writes since start.
func (t *traffic) since(start time.Time) []write {
	t.mu.Lock()
	defer t.mu.Unlock()
	var writes []write
	for _, w := range t.writes {
		if !w.at.Before(start) {
			writes = append(writes, w)
		}
	}
	return writes
}

// count counts writes by method and resource.
func count(writes []write) map[string]int {
	counts := map[string]int{}
	for _, w := range writes {
		counts[w.what]++
	}
	return counts
}

// ofBindings returns the writes of RoleBindings.
func ofBindings(writes []write) (found []write) {
	for _, w := range writes {
		if strings.HasSuffix(w.what, " rolebindings") {
			found = append(found, w)
		}
	}
	return found
}

// peak returns the maximum number of writes within one second.
func peak(writes []write) int {
	slices.SortFunc(writes, func(a, b write) int { return a.at.Compare(b.at) })
	most, first := 0, 0
	for last := range writes {
		for writes[last].at.Sub(writes[first].at) >= time.Second {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// cost is what the process has used.
type cost struct {
	cpu        time.Duration
	peakMemory int64
	reconciles float64
}

// spent returns what this process has used so far: Usher, and the specs that watch
// it.
func spent() cost {
	GinkgoHelper()
	var usage syscall.Rusage
	Expect(syscall.Getrusage(syscall.RUSAGE_SELF, &usage)).To(Succeed())
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	c := cost{cpu: time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), peakMemory: usage.Maxrss * 1024}
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			c.reconciles += m.GetCounter().GetValue()
		}
	}
	return c
}

// report reports what was used since c, per member.
func (c cost) report(name string, of int) {
	GinkgoHelper()
	by := spent()
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	figure(name+": cost", "%.1f reconciles and %s of CPU per member; heap %d MiB, resident at most %d MiB",
		(by.reconciles-c.reconciles)/float64(of), ((by.cpu - c.cpu) / time.Duration(of)).Round(10*time.Microsecond),
		memory.HeapAlloc>>20, by.peakMemory>>20)
}
