// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package attack_test

import (
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
)

// atOnce does something n times, all at the same moment, and gives what came of it.
func atOnce[T any](n int, do func(i int) T) []T {
	all, ready := make([]T, n), make(chan struct{})
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() {
			defer GinkgoRecover()
			<-ready
			all[i] = do(i)
		})
	}
	close(ready)
	done.Wait()
	return all
}

// inSteps does something n times, so many at a time, and gives what came of it.
// Whoever is done begins anew with the next step, so that what is faster does not
// make more work; they begin spread over a step.
func inSteps[T any](n, atATime int, step time.Duration, do func(i int) T) []T {
	all, next := make([]T, n), make(chan int)
	var done sync.WaitGroup
	for worker := range atATime {
		done.Go(func() {
			defer GinkgoRecover()
			<-time.After(step * time.Duration(worker) / time.Duration(atATime))
			steps := time.NewTicker(step)
			defer steps.Stop()
			for i := range next {
				all[i] = do(i)
				<-steps.C
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	done.Wait()
	return all
}

// aFewAtOnce does something n times, few at a time, and gives what came of it.
func aFewAtOnce[T any](n int, do func(i int) T) []T {
	return inSteps(n, 20, time.Nanosecond, do)
}
