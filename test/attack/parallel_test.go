// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package attack_test

import (
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
)

// atOnce calls do n times, all at the same moment, and returns the results.
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

// inSteps calls do n times, atATime at once, and returns the results. A worker that
// is done starts its next call with the next step, so faster calls do not cause more
// load. The workers start spread over one step.
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

// aFewAtOnce calls do n times, a few at a time, and returns the results.
func aFewAtOnce[T any](n int, do func(i int) T) []T {
	return inSteps(n, 20, time.Nanosecond, do)
}
