// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/session"
)

var update = flag.Bool("update", false, "regenerate the lock-out table of docs/spec/accounts.md")

const (
	tableFile  = "../../docs/spec/accounts.md"
	tableBegin = "<!-- lock-out table: drawn by go test ./internal/account -update -->\n"
	tableEnd   = "<!-- end of lock-out table -->\n"
)

// The simulation: an attack without a pause for a day, in steps. The person wants to sign
// in every three hours, and then retries in each step.
const (
	simulated    = 24 * time.Hour
	simulateStep = 30 * time.Second
	signInEvery  = 3 * time.Hour
	// mostCodesADay is the guarantee for the second factor, while the person signs in with
	// a code up to ten times a day.
	mostCodesADay = 100
)

// attacker is what an attacker can do. All guess passwords, and request links in the name
// of the person.
type attacker struct {
	name string
	// perStep is how many forms the portal accepts in a step: 1 a second for an address.
	perStep int
	// mailbox means that the attacker reads the mails, and so sets passwords and guesses
	// codes. password means that the attacker always knows the password, even a new one.
	// manager means that the attacker has the verb assign.
	mailbox, password, manager bool
}

var attackers = []attacker{
	{name: "a stranger with one address", perStep: 30},
	{name: "a botnet of 10,000 addresses", perStep: 300_000},
	{name: "a manager", perStep: 30, manager: true},
	{name: "a thief of each password", perStep: 30, password: true},
	{name: "a manager and a thief of each password", perStep: 30, password: true, manager: true},
	{name: "a thief of the mailbox", perStep: 30, mailbox: true},
	{name: "a manager and a thief of the mailbox", perStep: 30, mailbox: true, manager: true},
}

// victim is the person under attack. They have an authenticator app and no passkey, and no
// admin helps. noLink means that they do not request links for a new password.
type victim struct {
	owner, known, noLink bool
}

// scene is one simulated day.
type scene struct {
	Facts
	attacker
	victim
	// browser is the person's known browser. nil means that none is known.
	browser *session.Browser
	// stolen means that the attacker chose the current password.
	stolen bool
	// passwords and codes count the guesses that were compared.
	passwords, codes int
	// wanted is when the person first wanted the sign-in that has not succeeded yet.
	wanted  time.Time
	longest time.Duration
}

func (s *scene) status() *accountsv1.AccountStatus { return &s.Account.Status }

func (s *scene) second() metav1.Time { return metav1.NewTime(s.Now) }

// openLink reports whether a reset link is open, and requests one if possible.
func (s *scene) openLink() bool {
	if MayRequestReset(*s.status(), s.Now) {
		s.status().ResetTimes = Requested(s.status().ResetTimes, s.second())
	}
	return s.resettable(newest(s.status().ResetTimes))
}

// setPassword uses the open link, if there is one.
func (s *scene) setPassword(stolen bool) {
	if !s.openLink() {
		return
	}
	now := s.second()
	s.status().PasswordTime, s.stolen, s.browser = &now, stolen, nil
	if !stolen {
		s.browser = &session.Browser{}
	}
	ClearPasswords(&s.status().SignIn)
}

// guess makes as many attempts as the portal accepts and compares.
func (s *scene) guess(factor Factor) (compared int) {
	for compared < s.perStep && Count(&s.status().SignIn, factor, s.limits(), s.second()) {
		compared++
	}
	return compared
}

func (s *scene) attack() {
	if s.mailbox {
		s.setPassword(true)
	} else {
		s.openLink() // it only uses up a request
	}
	if s.manager {
		m := s.Belongings[0].Membership
		annotate(m, accountsv1.UnlockAnnotation, s.Now.Format(time.RFC3339))
		annotate(m, accountsv1.ResetAnnotation, s.Now.Format(time.RFC3339))
	}
	if s.stolen || s.password {
		s.codes += s.guess(FactorCode)
	}
	s.passwords += s.guess(FactorPassword)
}

// signIn makes the person try to sign in, and reports whether they are in.
func (s *scene) signIn() bool {
	if !s.enterPassword() {
		if s.noLink {
			return false
		}
		if s.setPassword(false); !s.enterPassword() {
			return false
		}
	}
	if !Count(&s.status().SignIn, FactorCode, s.limits(), s.second()) {
		return false
	}
	CodeRight(&s.status().SignIn)
	if s.browser = nil; s.known {
		s.browser = &session.Browser{}
	}
	return true
}

func (s *scene) enterPassword() bool {
	switch {
	case s.stolen:
		return false
	case s.browser != nil && CountInBrowser(s.browser, s.limits()):
		s.browser.Failures = 0
		return true
	case Count(&s.status().SignIn, FactorPassword, s.limits(), s.second()):
		ClearPasswords(&s.status().SignIn)
		return true
	}
	return false
}

// simulate lets a day pass. In half of the steps, the person is faster than the attacker.
func simulate(a attacker, v victim) *scene {
	s := &scene{Facts: janes(), attacker: a, victim: v}
	if v.owner {
		s.Belongings[0] = memberOf("acme", "boss")
	}
	if v.known {
		s.browser = &session.Browser{}
	}
	begin := noon
	for s.Now = begin; s.Now.Before(begin.Add(simulated)); s.Now = s.Now.Add(simulateStep) {
		passed := s.Now.Sub(begin)
		if passed > 0 && passed%signInEvery == 0 && s.wanted.IsZero() {
			s.wanted = s.Now
		}
		personFirst := passed/simulateStep*7919%13 < 6
		if !personFirst {
			s.attack()
		}
		if !s.wanted.IsZero() && s.signIn() {
			s.longest, s.wanted = max(s.longest, s.Now.Sub(s.wanted)), time.Time{}
		}
		if personFirst {
			s.attack()
		}
		*s.status() = Report(s.Facts)
		s.status().Deliveries = nil // they are sent
	}
	if !s.wanted.IsZero() {
		s.longest = simulated
	}
	return s
}

// keptOut returns for how long the person is kept out, with links by mail and without.
func keptOut(with, without time.Duration) string {
	if with == without {
		return inWords(with)
	}
	return inWords(with) + "; without a link: " + inWords(without)
}

func inWords(d time.Duration) string {
	switch {
	case d == 0:
		return "not at all"
	case d == simulated:
		return "all the time"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
	}
	return fmt.Sprintf("%.3g h", d.Hours())
}

func drawLockouts(t *testing.T) string {
	t.Helper()
	var table strings.Builder
	table.WriteString("| attacker | member, known browser | member, new browser | owner, known browser | owner, new browser | passwords a day | codes a day |\n")
	table.WriteString("|---|---|---|---|---|---|---|\n")
	for _, a := range attackers {
		passwords, codes := 0, 0
		table.WriteString("| " + a.name)
		for _, v := range []victim{{known: true}, {}, {owner: true, known: true}, {owner: true}} {
			s := simulate(a, v)
			v.noLink = true
			without := simulate(a, v)
			passwords, codes = max(passwords, s.passwords, without.passwords), max(codes, s.codes, without.codes)
			table.WriteString(" | " + keptOut(s.longest, without.longest))
			if stranger := !a.mailbox && !a.password; stranger && s.longest > time.Minute || stranger && v.known && without.longest > 0 {
				t.Errorf("%s keeps %+v out for %s, and without a link for %s", a.name, v, s.longest, without.longest)
			}
		}
		fmt.Fprintf(&table, " | %d | %d |\n", passwords, codes)
		if codes > mostCodesADay {
			t.Errorf("%s guesses %d codes in a day", a.name, codes)
		}
	}
	return table.String()
}

// TestWhoCanKeepWhomOut simulates attacks with the rules of the portal and the controller.
func TestWhoCanKeepWhomOut(t *testing.T) {
	drawn := drawLockouts(t)
	page, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), tableBegin)
	shown, after, ended := strings.Cut(rest, tableEnd)
	if !found || !ended {
		t.Fatalf("%s has no place for the table:\n%s", tableFile, drawn)
	}
	if want := "\n" + drawn + "\n"; shown != want {
		if !*update {
			t.Fatalf("regenerate the table with go test ./internal/account -update: -page +rules\n%s", cmp.Diff(shown, want))
		}
		if err := os.WriteFile(tableFile, []byte(before+tableBegin+want+tableEnd+after), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCodesADay checks random days of an attacker who has the password and the help of a
// manager, while the person signs in up to ten times.
func TestCodesADay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := janes(func(f *Facts) { f.Belongings[0] = limit(100, memberOf("acme", "boss")) })
		signIn := &f.Account.Status.SignIn
		compared, signIns := 0, 0
		for begin := f.Now; f.Now.Before(begin.Add(simulated)); {
			compared += tried(signIn, FactorCode, f.limits(), f.Now, rapid.IntRange(0, 6).Draw(t, "codes"))
			if signIns < 10 && rapid.Bool().Draw(t, "the person signs in") && Count(signIn, FactorCode, f.limits(), metav1.NewTime(f.Now)) {
				CodeRight(signIn)
				signIns++
			}
			f.Now = f.Now.Add(rapid.SampledFrom([]time.Duration{time.Minute, 15 * time.Minute, time.Hour}).Draw(t, "pause"))
			annotate(f.Belongings[0].Membership, accountsv1.UnlockAnnotation, f.Now.Format(time.RFC3339))
			f.Account.Status = Report(f)
			f.Account.Status.Deliveries = nil
			signIn = &f.Account.Status.SignIn
		}
		if compared > mostCodesADay {
			t.Fatalf("%d codes compared", compared)
		}
	})
}
