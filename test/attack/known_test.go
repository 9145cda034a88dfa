// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package attack_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// asking is one attempt to find out whether an account exists.
type asking struct {
	name  string
	known bool
	answer
}

// unnamed returns the answer without the typed name, its length and the date.
func (a asking) unnamed() string {
	header := maps.Clone(a.header)
	header.Del("Date")
	header.Del("Content-Length")
	var lines []string
	for name, values := range header {
		lines = append(lines, fmt.Sprintf("%s: %q", name, values))
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d\n%s\n\n%s", a.status, strings.Join(lines, "\n"), strings.ReplaceAll(a.body, a.name, "NAME"))
}

// shuffled asks for existing and for unknown names equally often. Every addressed-th
// request types the address instead of the name.
func shuffled(known []string, each, addressed int) []asking {
	typed := func(i int, name string) string {
		if i%addressed == 0 {
			return name + "@example.com"
		}
		return name
	}
	var all []asking
	for i := range each {
		all = append(all, asking{name: typed(i, known[i%len(known)]), known: true}, asking{name: typed(i, fmt.Sprintf("person-%05d", 50_000+i))})
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// threshold finds the threshold on the response time that tells known from unknown
// names best, in either direction. It returns the share of right guesses and the
// threshold.
func threshold(all []asking) (share float64, at time.Duration) {
	sorted := slices.Clone(all)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].took < sorted[j].took })
	known := 0
	for _, a := range sorted {
		if a.known {
			known++
		}
	}
	// Times up to that of i are guessed to be unknown names, and the rest known ones.
	right := known
	best := max(right, len(sorted)-right)
	for i, a := range sorted {
		if a.known {
			right--
		} else {
			right++
		}
		last := i+1 == len(sorted) || sorted[i+1].took > a.took
		if r := max(right, len(sorted)-right); last && r > best {
			best, at = r, a.took
		}
	}
	return float64(best) / float64(len(sorted)), at
}

// alike checks that these answers do not reveal which accounts exist.
func alike(what string, all []asking) {
	GinkgoHelper()
	answers := map[string]int{}
	steps := map[bool]map[string]int{true: {}, false: {}}
	for _, a := range all {
		answers[a.unnamed()]++
		steps[a.known][a.took.Truncate(500*time.Millisecond).String()]++
	}
	share, at := threshold(all)
	figure(what, "%d, half of them for known names: %d kind(s) of answer; the best threshold on the time, %s, guesses right in %.1f %%; "+
		"times of known ones %v, of unknown ones %v", len(all), len(answers), at.Round(time.Microsecond), 100*share, steps[true], steps[false])
	for text := range answers {
		Expect(answers).To(HaveLen(1), text)
	}
	Expect(share).To(BeNumerically("<=", 0.55))
}

// everySort creates people whose names all have the same length. They cover every
// state that answers must not reveal: some are disabled, some locked, and some asked
// for mail recently, or as often as the daily limit allows.
func everySort(ctx context.Context) []string {
	GinkgoHelper()
	ago := func(d time.Duration) metav1.Time {
		return metav1.NewTime(now.Now().Add(-d).UTC().Truncate(time.Second))
	}
	// There are so many that no account gets enough attempts to be locked by them.
	names := make([]string, 250)
	for i := range names {
		names[i] = fmt.Sprintf("person-%05d", i)
		p := named(names[i])
		switch i % 10 {
		case 0:
			p.state = accountsv1.AccountSwitchDisabled
		case 1, 2:
			failed := ago(time.Minute)
			p.status = &accountsv1.AccountStatus{SignIn: accountsv1.SignIn{Failures: 5, FailureTime: &failed}}
		case 3:
			shortly := []metav1.Time{ago(10 * time.Second)}
			p.status = &accountsv1.AccountStatus{ResetTimes: shortly, UserNameTimes: shortly}
		case 4:
			often := []metav1.Time{ago(20 * time.Minute), ago(2 * time.Hour), ago(3 * time.Hour), ago(4 * time.Hour), ago(5 * time.Hour)}
			p.status = &accountsv1.AccountStatus{ResetTimes: often, UserNameTimes: often}
		}
		p.settle(ctx)
	}
	return names
}

var _ = Describe("Asking which accounts exist", Label("B2", "B3"), func() {
	// As many at a time as two cores answer in time. With more, requests wait for
	// whole steps, whether the name exists or not.
	const (
		each         = 1000
		signInsAtime = 12
		mailsAtime   = 60
		step         = 500 * time.Millisecond
	)

	It("by signing in reveals nothing, neither in the answer nor in its time", func(ctx SpecContext) {
		all, at := shuffled(everySort(ctx), each, 3), portals(ctx)
		answers := inSteps(len(all), signInsAtime, step, func(i int) answer {
			return stranger().signIn(at[i%3], all[i].name, "a wrong password")
		})
		for i := range all {
			all[i].answer = answers[i]
		}
		Expect(all[0].status).To(Equal(http.StatusUnprocessableEntity))
		alike("sign-ins", all)
	})

	DescribeTable("by asking for mail reveals nothing, neither in the answer nor in its time",
		func(ctx SpecContext, page, field string, addressed int) {
			all, at := shuffled(everySort(ctx), each, addressed), portals(ctx)
			answers := inSteps(len(all), mailsAtime, step, func(i int) answer {
				return stranger().post(at[i%3], page, field, all[i].name)
			})
			for i := range all {
				all[i].answer = answers[i]
			}
			Expect(all[0].status).To(Equal(http.StatusOK))
			alike(page, all)
		},
		Entry("for a new password", "/reset", "sign-in-name", 3),
		Entry("for user names", "/user-names", "address", 1),
	)
})
