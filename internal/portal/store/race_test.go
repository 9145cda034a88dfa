// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// answerOf is what one request told its person. told is false if the request died.
type answerOf struct {
	told     bool
	outcome  store.Outcome
	standing invitation.LinkStatus
	err      error
}

func (a answerOf) String() string {
	return fmt.Sprintf("told %t, outcome %d, standing %d, error %v", a.told, a.outcome, a.standing, a.err)
}

// TestAcceptanceInEveryOrder sends requests for one link through the API server in many
// orders, with and without dying processes and lost answers. It checks the guarantees of
// the package comment.
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
		s := &storetest.Turnstile{Random: rand.New(rand.NewSource(int64(seed))), Faulty: seed%2 == 1}
		w := storetest.NewWorld(t)
		wanted := seed%4 > 1
		if wanted {
			w.RequireFactor()
		}
		chosenNames := names[seed%len(names)]
		answers := make([]answerOf, len(chosenNames))
		var requests []func()
		for i, name := range chosenNames {
			who := storetest.Chosen(name, hashOf(i))
			if wanted && i < 2 { // the third has none
				who.Credentials.TOTP.Secret = appOf(i)
			}
			requests = append(requests, func() {
				seen, o, err := w.Through(s.Tap(i)).Accept(t.Context(), w.Parsed(), who)
				answers[i] = answerOf{true, o, seen.Status, err}
			})
		}
		s.Run(requests)
		problem := verify(w, chosenNames, answers, s.Faulty)
		if problem == "" && wanted {
			problem = verifyFactor(w)
		}
		if problem != "" {
			t.Fatalf("seed %d: %s\nanswers: %v\ncalls: %q", seed, problem, answers, s.History)
		}
	}
}

func hashOf(request int) string { return fmt.Sprintf("hash %d", request) }

func appOf(request int) string { return fmt.Sprintf("secret %d", request) }

// verifyFactor returns what is wrong with a second factor that the Organization requires,
// or "".
func verifyFactor(w *storetest.World) string {
	acceptance := w.Invitation().Status.Acceptance
	if !acceptance.Given() {
		return "no account accepted, although the next attempt should have succeeded"
	}
	name := string(acceptance.AccountRef.Name)
	if w.Account(name).Status.TwoFactor != accountsv1.TwoFactorEnrolled {
		return "accepted with an account whose status reports no second factor"
	}
	// The second factor belongs to the same request as the password.
	c := w.Credentials(name)
	if c.TOTP.Secret == "" || strings.TrimPrefix(c.TOTP.Secret, "secret ") != strings.TrimPrefix(c.Password, "hash ") {
		return fmt.Sprintf("%q and %q are stored", c.Password, c.TOTP.Secret)
	}
	return ""
}

// verify returns what is wrong, or "".
func verify(w *storetest.World, names []string, answers []answerOf, faulty bool) string {
	winner, problem := winnerOf(answers, faulty)
	if problem != "" {
		return problem
	}
	acceptance := w.Invitation().Status.Acceptance
	switch {
	case !acceptance.Given() && winner < 0:
		return verifyNothingIsInTheWay(w, names[0])
	case !acceptance.Given():
		return "a request reported success, and nothing is recorded"
	}
	name := string(acceptance.AccountRef.Name)
	made, secret := w.Account(name), w.Secret(name)
	switch {
	case made == nil || string(made.UID) != acceptance.AccountRef.UID:
		return "the acceptance refers to no existing account"
	case secret == nil || string(secret.Data[account.UIDKey]) != string(made.UID):
		return "the account has no secret"
	}
	stored := string(secret.Data[account.PasswordKey])
	for i, a := range answers {
		if stored == hashOf(i) && a.outcome == store.NotOpen {
			return fmt.Sprintf("the password of request %d is stored, although it was told that it lost", i)
		}
	}
	if winner >= 0 && (stored != hashOf(winner) || name != names[winner] || len(secret.Data[account.FinalInvitationKey]) == 0) {
		return fmt.Sprintf("request %d won, but %q of %s is stored", winner, stored, name)
	}
	return ""
}

// winnerOf returns the request that reported success, or -1.
func winnerOf(answers []answerOf, faulty bool) (winner int, problem string) {
	winner = -1
	for i, a := range answers {
		switch {
		case a.outcome == store.Done && winner >= 0:
			return winner, "two requests reported success"
		case a.outcome == store.Done:
			winner = i
		case !faulty && (!a.told || a.err != nil || a.outcome == store.NameTaken):
			return winner, fmt.Sprintf("request %d failed without a fault", i)
		}
	}
	if winner < 0 && !faulty {
		return winner, "no request won without a fault"
	}
	return winner, ""
}

// verifyNothingIsInTheWay tries again, as the person would.
func verifyNothingIsInTheWay(w *storetest.World, name string) string {
	const hash = "hash of the next attempt"
	who := storetest.Chosen(name, hash)
	who.Credentials.TOTP.Secret = "secret of the next attempt"
	_, o, err := w.Store().Accept(w.T.Context(), w.Parsed(), who)
	if err != nil || o != store.Done {
		return fmt.Sprintf("the next attempt ends with %d, %v", o, err)
	}
	if stored := string(w.Secret(name).Data[account.PasswordKey]); stored != hash {
		return fmt.Sprintf("the next attempt won, but %q is stored", stored)
	}
	return ""
}
