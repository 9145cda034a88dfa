// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// longestBatch is the maximum number of cases between two measurements.
const longestBatch = 150

// longestReaction is the time after which a gain stays. A user who loses access loses it
// within 5 seconds, and much later only on a machine that is busy with other things.
const longestReaction = 20 * time.Second

// run runs cases, batch by batch. Each case of a batch has objects and accomplices of
// its own, so that the cases do not affect each other.
type run struct {
	policiesInForce bool
	batch           []trial
	// done are the cases of the batch that were accepted.
	done []trial
	// used are the objects and people that an accepted case has changed.
	used map[string]bool
	// gifts are the additional powers that people may have, by user name.
	gifts map[string]holdings

	counts    map[string]*count
	surprises []string
	gains     []string
}

// count is a line of the table.
type count struct{ cases, accepted, refused, gains, batches int }

func newRun(policiesInForce bool) *run {
	return &run{policiesInForce: policiesInForce, used: map[string]bool{}, gifts: map[string]holdings{}, counts: map[string]*count{}}
}

// all runs cases, and fails if a result differs from the expected one.
func (r *run) all(ctx context.Context, cases []trial) {
	GinkgoHelper()
	for _, t := range cases {
		ready, free := r.ready(t)
		if !free || len(r.batch) == longestBatch {
			r.close(ctx)
			ready, free = r.ready(t)
			Expect(free).To(BeTrue(), "no object or person is left for %s", t)
		}
		r.try(ctx, ready)
	}
	r.close(ctx)
	surprises, gains := r.surprises, r.gains
	r.surprises, r.gains = nil, nil
	Expect(gains).To(BeEmpty(), "no user gains anything")
	Expect(surprises).To(BeEmpty(), "each case is accepted or refused as expected")
}

// ready picks an object or person for a case. It returns false if the case needs
// something that was used before.
func (r *run) ready(t trial) (_ trial, free bool) {
	if r.used[t.who.member] && t.who.member != "" {
		return t, false
	}
	candidates := []string{""}
	if t.pool != "" {
		candidates = pools[t.pool]
	}
	for _, picked := range candidates {
		if picked != "" && r.used[picked] {
			continue
		}
		if ready := t.picking(picked); !r.used[ready.key.String()] {
			return ready, true
		}
	}
	return t, false
}

func (r *run) try(ctx context.Context, t trial) {
	GinkgoHelper()
	sent, accepted, err := t.tried(ctx)
	Expect(err).NotTo(HaveOccurred(), t.String())
	r.batch = append(r.batch, t)
	c := r.counted(t.what)
	c.cases++
	expected := sent.expected(r.policiesInForce) && !t.invalid
	if accepted {
		c.accepted++
	} else {
		c.refused++
	}
	if accepted != expected {
		r.surprises = append(r.surprises, fmt.Sprintf("accepted: %t, expected: %t, of %s", accepted, expected, t))
	}
	if !accepted {
		return
	}
	r.done = append(r.done, t)
	r.use(t, sent)
	if !expected || t.empty || !r.policiesInForce {
		return
	}
	gifts := sent.gives()
	if t.who == clusterAdmin && t.role != "" {
		gifts = append(gifts, gift{t.picked, worthOf(t.role)})
	}
	for _, g := range gifts {
		r.gifts[userOf(g.person)] = union(r.gifts[userOf(g.person)], g.has)
	}
}

// use records what an accepted case has changed.
func (r *run) use(t trial, sent request) {
	if sent.after != nil && sent.before != nil && !slices.ContainsFunc(parts, sent.changed) {
		return
	}
	r.used[t.key.String()], r.used[t.picked] = true, true
	if t.kind == memberships && t.key.Namespace == home {
		r.used[t.key.Name] = true
	}
}

func (r *run) counted(what string) *count {
	if r.counts[what] == nil {
		r.counts[what] = &count{}
	}
	return r.counts[what]
}

// close measures the effects of a batch, and restores everything.
func (r *run) close(ctx context.Context) {
	GinkgoHelper()
	if len(r.batch) == 0 {
		return
	}
	batch, done := r.batch, r.done
	more := r.measure(ctx)
	r.counted(batch[0].what).batches++
	if len(done) > 0 {
		restore(ctx)
	}
	r.batch, r.done = nil, nil
	clear(r.used)
	if len(more) > 0 {
		r.attribute(ctx, batch, done, more)
	}
	clear(r.gifts)
}

// measure waits until Usher is done, makes the accomplices accept what is offered to
// them, and returns the users who may do more than they should.
//
// A change of a ClusterRole is no change of the objects that settle looks at. On a busy
// machine, Usher can still be at work on one when the cluster has been quiet for a while.
// A gain counts if it stays.
func (r *run) measure(ctx context.Context) (more []string) {
	GinkgoHelper()
	if len(r.done) > 0 {
		settle(ctx)
		if acceptEverything(ctx) {
			settle(ctx)
		}
	}
	for until := time.Now().Add(longestReaction); ; {
		more = r.gained(ctx)
		if len(more) == 0 || len(r.done) == 0 || time.Now().After(until) {
			return more
		}
	}
}

// gained returns the users who may do more than they should at present.
func (r *run) gained(ctx context.Context) (more []string) {
	GinkgoHelper()
	for user, has := range takeCensus(ctx, watched(r.used)) {
		may := union(baseline[user], r.gifts[user])
		if !r.policiesInForce {
			may = union(may, catalogueWorth())
		}
		if gained := has.without(may); len(gained) > 0 {
			more = append(more, fmt.Sprintf("%s may %v", user, gained))
		}
	}
	slices.Sort(more)
	return more
}

// maxReported is the number of gains that are reported one by one. If there are more,
// they all have one cause.
const maxReported = 5

// attribute finds the case of a batch that caused a gain. It runs the accepted cases
// again, one by one.
func (r *run) attribute(ctx context.Context, batch, done []trial, more []string) {
	GinkgoHelper()
	found := false
	for _, t := range done {
		if len(r.gains) >= maxReported {
			return
		}
		alone := newRun(r.policiesInForce)
		alone.try(ctx, t.picking(t.picked))
		gained := alone.measure(ctx)
		restore(ctx)
		if len(gained) > 0 {
			found = true
			r.counted(t.what).gains++
			r.gains = append(r.gains, fmt.Sprintf("%s: %s", t, strings.Join(gained, "; ")))
		}
	}
	if !found {
		r.counted(batch[0].what).gains++
		r.gains = append(r.gains, fmt.Sprintf("%s and %d more, together: %s", batch[0], len(batch)-1, strings.Join(more, "; ")))
	}
}

// table returns the table of results.
func (r *run) table() string {
	var b strings.Builder
	total := count{}
	line := func(what string, c count) {
		fmt.Fprintf(&b, "%-22s%8d%10d%9d%9d%7d\n", what, c.cases, c.accepted, c.refused, c.batches, c.gains)
	}
	fmt.Fprintf(&b, "%-22s%8s%10s%9s%9s%7s\n", "tried", "cases", "accepted", "refused", "measured", "gains")
	for _, part := range matrix {
		c := r.counts[part.what]
		if c == nil {
			continue
		}
		line(part.what, *c)
		total.cases, total.accepted, total.refused = total.cases+c.cases, total.accepted+c.accepted, total.refused+c.refused
		total.batches, total.gains = total.batches+c.batches, total.gains+c.gains
	}
	line("all", total)
	return b.String()
}

func (r *run) cases() (n int) {
	for _, c := range r.counts {
		n += c.cases
	}
	return n
}
