// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package pace_test

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// bound is the time within which access must follow 99 of 100 changes.
const bound = 5 * time.Second

// patience is how long a spec waits for so many members. It is longer than the bound,
// so that the spec can report the actual time.
func patience() time.Duration { return time.Minute + time.Duration(size)*60*time.Millisecond }

// bindings tracks Usher's RoleBindings through a watch. For each member it holds the
// access, the expected access, and the time since when the two are equal.
type bindings struct {
	mu      sync.Mutex
	have    map[string]map[string]bool // of each member, such as "view in acme-staging"
	wanted  map[string][]string
	reached map[string]time.Time
}

// follow records all events of RoleBindings until ctx ends.
func (b *bindings) follow(ctx context.Context) {
	GinkgoHelper()
	b.have, b.wanted, b.reached = map[string]map[string]bool{}, map[string][]string{}, map[string]time.Time{}
	follow(ctx, &rbacv1.RoleBindingList{}, func(event watch.Event) {
		if binding, is := event.Object.(*rbacv1.RoleBinding); is {
			b.note(binding, event.Type, time.Now())
		}
	}, client.MatchingLabels{accountsv1.ManagedByLabel: accountsv1.ManagedByValue})
}

// follow calls note for each event of a list, one after the other, until ctx ends. It
// starts the watch again each time the API server ends it.
func follow(ctx context.Context, list client.ObjectList, note func(watch.Event), options ...client.ListOption) {
	GinkgoHelper()
	events, err := admin.Watch(ctx, list, options...)
	Expect(err).NotTo(HaveOccurred())
	go func() {
		defer GinkgoRecover()
		for {
			for event := range events.ResultChan() {
				note(event)
			}
			if ctx.Err() != nil {
				return
			}
			events, err = admin.Watch(ctx, list, options...)
			if ctx.Err() != nil {
				return
			}
			Expect(err).NotTo(HaveOccurred())
		}
	}()
}

func (b *bindings) note(binding *rbacv1.RoleBinding, what watch.EventType, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	member, access := binding.Labels[accountsv1.MembershipNameLabel], binding.RoleRef.Name+" in "+binding.Namespace
	if b.have[member] == nil {
		b.have[member] = map[string]bool{}
	}
	holds := slices.ContainsFunc(binding.Subjects, func(s rbacv1.Subject) bool { return s.Name == accountsv1.AccountUserPrefix+member })
	if what == watch.Deleted || !holds {
		delete(b.have[member], access)
	} else {
		b.have[member][access] = true
	}
	wanted, expected := b.wanted[member]
	if !expected {
		return
	}
	if _, reached := b.reached[member]; !slices.Equal(slices.Sorted(maps.Keys(b.have[member])), wanted) {
		delete(b.reached, member)
	} else if !reached {
		b.reached[member] = at
	}
}

// expect starts to wait for the members to have exactly this access, from the next
// events on.
func (b *bindings) expect(members []string, access ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.Sort(access)
	for _, m := range members {
		b.wanted[m] = access
		delete(b.reached, m)
	}
}

// arrived counts the members who have the expected access.
func (b *bindings) arrived(members []string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	count := 0
	for _, m := range members {
		if _, reached := b.reached[m]; reached {
			count++
		}
	}
	return count
}

// latencies waits until all members have the expected access, and returns how long
// that took after the change of each.
func (b *bindings) latencies(ctx context.Context, members []string, changed map[string]time.Time) latencies {
	GinkgoHelper()
	Eventually(b.arrived).WithContext(ctx).WithArguments(members).Should(Equal(len(members)), "members with the declared access")
	b.mu.Lock()
	defer b.mu.Unlock()
	var all latencies
	for _, m := range members {
		all = append(all, max(0, b.reached[m].Sub(changed[m])))
	}
	slices.Sort(all)
	return all
}

// latencies are the times after which access followed, sorted.
type latencies []time.Duration

// percentile returns the latency that p percent of the changes do not exceed.
func (l latencies) percentile(p float64) time.Duration {
	return l[int(math.Ceil(p/100*float64(len(l))))-1]
}

func (l latencies) report(name string) {
	GinkgoHelper()
	figure(name, "%d members: p50 %s, p99 %s, the slowest %s", len(l), round(l.percentile(50)), round(l.percentile(99)), round(l[len(l)-1]))
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
