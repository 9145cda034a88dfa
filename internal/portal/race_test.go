// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"fmt"
	"math/rand"
	"runtime"
	"strings"
	"testing"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store"
)

// verdict is what becomes of one call to the API server.
type verdict int

const (
	pass       verdict = iota
	dieBefore          // the process is gone before the call
	dieAfter           // the call takes effect, and then the process is gone
	failBefore         // the call fails
	failAfter          // the call takes effect, but its answer is lost
)

// turnstile lets one call of one request through at a time, in an order that
// only depends on a seed.
type turnstile struct {
	random *rand.Rand
	faulty bool
	// events tell that a request waits at the turnstile, or has ended.
	events  chan int
	tickets []chan verdict
	history []string
}

// tap is the client of request i.
func (s *turnstile) tap(i int) *tapped {
	var current verdict
	return &tapped{
		before: func(call string) error {
			s.events <- i
			current = <-s.tickets[i]
			s.history = append(s.history, fmt.Sprintf("%d: %s %d", i, call, current))
			switch current {
			case dieBefore:
				runtime.Goexit()
			case failBefore:
				return errDown
			case pass, dieAfter, failAfter:
			}
			return nil
		},
		after: func(_ string, err error) error {
			switch current {
			case dieAfter:
				runtime.Goexit()
			case failAfter:
				return errDown
			case pass, dieBefore, failBefore:
			}
			return err
		},
	}
}

// run lets the requests through until all have ended.
func (s *turnstile) run(requests []func()) {
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
		// Who came first does not depend on the seed, but on the scheduler.
		next := minimum(waiting, s.random.Intn(len(waiting)))
		i := waiting[next]
		waiting = append(waiting[:next], waiting[next+1:]...)
		s.tickets[i] <- s.verdict()
	}
}

func (s *turnstile) verdict() verdict {
	if s.faulty && s.random.Intn(8) == 0 {
		return verdict(1 + s.random.Intn(4))
	}
	return pass
}

// minimum is where the nth smallest is.
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

// answerOf is what one request told its person; untold if it died.
type answerOf struct {
	told     bool
	outcome  store.Outcome
	standing invitation.Standing
	err      error
}

func (a answerOf) String() string {
	return fmt.Sprintf("told %t, outcome %d, standing %d, error %v", a.told, a.outcome, a.standing, a.err)
}

// TestAcceptanceInEveryOrder sends some requests for one link through the API
// server in many orders, without and with processes that die and answers that
// are lost, and checks what the package comment promises.
func TestAcceptanceInEveryOrder(t *testing.T) {
	seeds := 1000
	if testing.Short() {
		seeds = 100
	}
	names := [][]string{
		{"jane-doe", "jane-doe"},
		{"jane-doe", "jane-doe", "jane-doe"},
		{"jane-doe", "jdoe", "jane-doe"},
	}
	for seed := range seeds {
		s := &turnstile{random: rand.New(rand.NewSource(int64(seed))), faulty: seed%2 == 1}
		w := aWorldWithoutPages(t)
		wanted := seed%4 > 1
		if wanted {
			w.requireFactor()
		}
		chosenNames := names[seed%len(names)]
		answers := make([]answerOf, len(chosenNames))
		var requests []func()
		for i, name := range chosenNames {
			who := chosen(name, hashOf(i))
			if wanted && i < 2 { // the third has none
				who.Credentials.TOTP.Secret = appOf(i)
			}
			requests = append(requests, func() {
				seen, o, err := w.through(s.tap(i)).Accept(t.Context(), w.parsed(), who)
				answers[i] = answerOf{true, o, seen.Standing, err}
			})
		}
		s.run(requests)
		problem := w.verify(chosenNames, answers, s.faulty)
		if problem == "" && wanted {
			problem = w.verifyFactor()
		}
		if problem != "" {
			t.Fatalf("seed %d: %s\nanswers: %v\ncalls: %q", seed, problem, answers, s.history)
		}
	}
}

func hashOf(request int) string { return fmt.Sprintf("hash %d", request) }

func appOf(request int) string { return fmt.Sprintf("secret %d", request) }

// verifyFactor says what is not as it should be with a second factor that the
// Organization wants, or nothing.
func (w *world) verifyFactor() string {
	acceptance := w.invitation().Status.Acceptance
	if !acceptance.Given() {
		return "nobody is in, although the next try should have succeeded"
	}
	name := string(acceptance.AccountRef.Name)
	if w.account(name).Status.TwoFactor != accountsv1.TwoFactorEnrolled {
		return "accepted with an account whose status says nothing of a second factor"
	}
	// The second factor is that of whoever typed the password.
	c := w.kept(name)
	if c.TOTP.Secret == "" || strings.TrimPrefix(c.TOTP.Secret, "secret ") != strings.TrimPrefix(c.Password, "hash ") {
		return fmt.Sprintf("%q and %q are stored", c.Password, c.TOTP.Secret)
	}
	return ""
}

// verify says what is not as it should be, or nothing.
func (w *world) verify(names []string, answers []answerOf, faulty bool) string {
	winner, problem := winnerOf(answers, faulty)
	if problem != "" {
		return problem
	}
	acceptance := w.invitation().Status.Acceptance
	switch {
	case !acceptance.Given() && winner < 0:
		return w.verifyNothingIsInTheWay(names[0])
	case !acceptance.Given():
		return "somebody was told that their account is ready, and nothing is recorded"
	}
	name := string(acceptance.AccountRef.Name)
	made, secret := w.account(name), w.secret(name)
	switch {
	case made == nil || string(made.UID) != acceptance.AccountRef.UID:
		return "the acceptance names no account"
	case secret == nil || string(secret.Data[account.UIDKey]) != string(made.UID):
		return "the account has no secret"
	}
	stored := string(secret.Data[account.PasswordKey])
	for i, a := range answers {
		if stored == hashOf(i) && a.outcome == store.NotOpen {
			return fmt.Sprintf("the password of request %d is stored, and it was told that it has lost", i)
		}
	}
	if winner >= 0 && (stored != hashOf(winner) || name != names[winner] || len(secret.Data[account.SettledKey]) == 0) {
		return fmt.Sprintf("request %d won, but %q of %s is stored", winner, stored, name)
	}
	return ""
}

// winnerOf gives the request that was told that its account is ready, or -1.
func winnerOf(answers []answerOf, faulty bool) (winner int, problem string) {
	winner = -1
	for i, a := range answers {
		switch {
		case a.outcome == store.Done && winner >= 0:
			return winner, "two were told that their account is ready"
		case a.outcome == store.Done:
			winner = i
		case !faulty && (!a.told || a.err != nil || a.outcome == store.NameTaken):
			return winner, fmt.Sprintf("request %d failed although nothing was wrong", i)
		}
	}
	if winner < 0 && !faulty {
		return winner, "nobody won although nothing was wrong"
	}
	return winner, ""
}

// verifyNothingIsInTheWay tries once more, as the person would.
func (w *world) verifyNothingIsInTheWay(name string) string {
	const hash = "hash of the next try"
	who := chosen(name, hash)
	who.Credentials.TOTP.Secret = "secret of the next try"
	_, o, err := w.store().Accept(w.t.Context(), w.parsed(), who)
	if err != nil || o != store.Done {
		return fmt.Sprintf("the next try ends with %d, %v", o, err)
	}
	if stored := string(w.secret(name).Data[account.PasswordKey]); stored != hash {
		return fmt.Sprintf("the next try won, but %q is stored", stored)
	}
	return ""
}
