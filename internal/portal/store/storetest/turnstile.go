// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"runtime"
)

// verdict is what happens to one call to the API server.
type verdict int

const (
	pass       verdict = iota
	dieBefore          // the process dies before the call
	dieAfter           // the call takes effect, and then the process dies
	failBefore         // the call fails
	failAfter          // the call takes effect, but its answer is lost
)

// Turnstile lets through one call of one request at a time. The order depends only on a
// seed.
type Turnstile struct {
	// Random decides whose turn it is.
	Random interface{ Intn(n int) int }
	// Faulty makes some calls fail and some requests die.
	Faulty bool
	// History lists the calls that went through, in order.
	History []string
	// events report that a request waits at the turnstile, or has ended.
	events  chan int
	tickets []chan verdict
}

// Tap returns the client of request i.
func (s *Turnstile) Tap(i int) *Tapped {
	var current verdict
	return &Tapped{
		Before: func(call string) error {
			s.events <- i
			current = <-s.tickets[i]
			s.History = append(s.History, fmt.Sprintf("%d: %s %d", i, call, current))
			switch current {
			case dieBefore:
				runtime.Goexit()
			case failBefore:
				return ErrDown
			case pass, dieAfter, failAfter:
			}
			return nil
		},
		after: func(_ string, err error) error {
			switch current {
			case dieAfter:
				runtime.Goexit()
			case failAfter:
				return ErrDown
			case pass, dieBefore, failBefore:
			}
			return err
		},
	}
}

// Run lets the requests through until all have ended.
func (s *Turnstile) Run(requests []func()) {
	s.events = make(chan int)
	running, waiting := len(requests), []int{}
	for range requests {
		s.tickets = append(s.tickets, make(chan verdict))
	}
	const ended = -1
	for _, request := range requests {
		go func() {
			defer func() { s.events <- ended }()
			request()
		}()
	}
	for running > 0 {
		for len(waiting) < running {
			if i := <-s.events; i == ended {
				running--
			} else {
				waiting = append(waiting, i)
			}
		}
		if running == 0 {
			return
		}
		// Pick by number: the order of arrival depends on the scheduler, not on the seed.
		next := minimum(waiting, s.Random.Intn(len(waiting)))
		i := waiting[next]
		waiting = append(waiting[:next], waiting[next+1:]...)
		s.tickets[i] <- s.verdict()
	}
}

func (s *Turnstile) verdict() verdict {
	if s.Faulty && s.Random.Intn(8) == 0 {
		return verdict(1 + s.Random.Intn(4))
	}
	return pass
}

// minimum returns the index of the nth smallest number.
func minimum(of []int, n int) int {
	for at, candidate := range of {
		smaller := 0
		for _, other := range of {
			if other < candidate {
				smaller++
			}
		}
		if smaller == n {
			return at
		}
	}
	return 0
}
