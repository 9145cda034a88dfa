// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization_test

import (
	"fmt"
	"slices"
	"testing"
)

// watch takes steps, and lets something happen before some of them.
func watch(t *testing.T, seed uint64, town *simulatedCluster, steps int, happen func(step int)) {
	t.Helper()
	for step := range steps {
		happen(step)
		town.work()
		if !town.owned() {
			t.Fatalf("seed %d: no owner is left: %q", seed, town.happened)
		}
	}
	if wrong := town.inTheEnd(); wrong != "" {
		t.Fatalf("seed %d: %s: %q", seed, wrong, town.happened)
	}
}

func TestTwoOwnersRemovedInTheSameInstant(t *testing.T) {
	for seed := range uint64(600) {
		town := newTown(seed, 2)
		instant := town.rand.IntN(20)
		watch(t, seed, town, 100, func(step int) {
			if step == instant {
				for _, name := range town.names() {
					town.ask(name, removals)
				}
			}
		})
	}
}

func TestAnOwnerIsRemovedWhileAnotherComesAndGoes(t *testing.T) {
	for seed := range uint64(300) {
		town := newTown(seed, 1)
		old := town.names()[0]
		removal, end := town.rand.IntN(30), 15+town.rand.IntN(30)
		watch(t, seed, town, 100, func(step int) {
			switch step {
			case 0:
				town.add()
			case removal:
				town.ask(old, removals)
			case end:
				town.ask(town.other(old), removals)
			}
		})
	}
}

func TestOwnersAreRemovedWhileOthersCome(t *testing.T) {
	for seed := range uint64(250) {
		town := newTown(seed, 1+int(seed%3))
		watch(t, seed, town, 150, func(int) {
			switch town.rand.IntN(20) {
			case 0:
				if len(town.people) < 6 {
					town.add()
				}
			case 1, 2:
				names := town.names()
				town.ask(names[town.rand.IntN(len(names))], slices.Concat(removals, others))
			}
		})
	}
}

// rounds runs each kind of removal several times, with the names in either order.
func rounds(t *testing.T, round func(t *testing.T, seed uint64, first, second change)) {
	t.Helper()
	for seed := range uint64(10) {
		for _, first := range removals {
			for _, second := range removals {
				t.Run(fmt.Sprintf("%s and %s, seed %d", first.name, second.name, seed), func(t *testing.T) { round(t, seed, first, second) })
			}
		}
	}
}

// A new owner who is removed while joining may already have lost access before the list
// contains the name.
func TestJoiningOwnerDoesNotReplaceTheLastOwner(t *testing.T) {
	rounds(t, func(t *testing.T, seed uint64, first, second change) {
		t.Helper()
		town := newTown(seed, 1)
		old, mayor := town.names()[0], town.mayors[0]
		town.add()
		newcomer := town.other(old)
		town.finish(&town.people[newcomer].warden.step, func() { town.look(newcomer) })

		first.do(town, town.people[old])
		repeat(3, func() { town.govern(mayor) }) // has seen that the newcomer is an owner
		second.do(town, town.people[newcomer])
		repeat(2, func() { town.look(newcomer) }) // has seen that the list does not contain the newcomer
		repeat(3, func() { town.file(newcomer) })
		repeat(3, func() { town.finish(&mayor.step, func() { town.govern(mayor) }) })
		finish(t, town, old, newcomer)
	})
}

// A returning owner can still lose the earlier access for a moment.
func TestReturningOwnerDoesNotReplaceTheLastOwnerTooEarly(t *testing.T) {
	rounds(t, func(t *testing.T, seed uint64, removal, _ change) {
		t.Helper()
		town := newTown(seed, 2)
		back, old, mayor := town.names()[0], town.names()[1], town.mayors[0]
		suspend.do(town, town.people[back])
		town.finish(&mayor.step, func() { town.govern(mayor) }) // removes the owner from the list
		repeat(2, func() { town.look(back) })                   // has seen that, and is about to withdraw access
		resume.do(town, town.people[back])
		repeat(2, func() { town.finish(&mayor.step, func() { town.govern(mayor) }) })
		removal.do(town, town.people[old])
		repeat(2, func() { town.finish(&mayor.step, func() { town.govern(mayor) }) })
		finish(t, town, old, back)
	})
}

// finish releases one owner, if the list does not contain the name. Then it carries out
// the pending decision about another.
func finish(t *testing.T, town *simulatedCluster, first, second string) {
	t.Helper()
	steps := []func(){
		func() { town.finish(&town.people[first].clerk.step, func() { town.file(first) }) },
		func() { town.finish(&town.people[first].warden.step, func() { town.look(first) }) },
		func() { town.finish(&town.people[second].clerk.step, func() { town.file(second) }) },
	}
	for range 5 {
		steps = append(steps, func() { town.look(second) })
	}
	for _, step := range steps {
		step()
		if !town.owned() {
			t.Fatalf("no owner is left: %q", town.happened)
		}
	}
	if wrong := town.inTheEnd(); wrong != "" {
		t.Fatalf("%s: %q", wrong, town.happened)
	}
}

func repeat(times int, do func()) {
	for range times {
		do()
	}
}
