// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// requestValidity is how long a request by annotation counts. A manifest that is
// applied again, or that comes back with a restore, does not reset a password.
const requestValidity = time.Hour

// maxRequest is how long the value of such an annotation may be.
const maxRequest = 64

// Asked is one value of an annotation by which somebody asks for a reset or an
// unlock.
type Asked struct {
	// Membership that is annotated; nil: the Account itself is.
	Membership *accountsv1.Membership
	// Annotation is accountsv1.ResetAnnotation or accountsv1.UnlockAnnotation.
	Annotation string
	// Value of the annotation.
	Value string
}

// time is that of the request, cut to the second as a status keeps it.
func (a Asked) time() (metav1.Time, error) {
	if len(a.Value) > maxRequest {
		return metav1.Time{}, fmt.Errorf("a time has at most %d characters", maxRequest)
	}
	t, err := time.Parse(time.RFC3339, a.Value)
	return metav1.NewTime(t.UTC().Truncate(time.Second)), err
}

// asked are all such values: of the Account, and of the Memberships that it holds
// in the home namespaces of their Organizations.
func (f Facts) asked() []Asked {
	var all []Asked
	of := func(m *accountsv1.Membership, annotations map[string]string) {
		for _, annotation := range []string{accountsv1.UnlockAnnotation, accountsv1.ResetAnnotation} {
			if value, found := annotations[annotation]; found {
				all = append(all, Asked{m, annotation, value})
			}
		}
	}
	of(nil, f.Account.Annotations)
	for _, b := range f.Belongings {
		if string(b.Organization.Spec.Namespace) == b.Membership.Namespace {
			of(b.Membership, b.Membership.Annotations)
		}
	}
	return all
}

// Unreadable are the values that are no times.
func Unreadable(f Facts) []Asked {
	var all []Asked
	for _, a := range f.asked() {
		if _, err := a.time(); err != nil {
			all = append(all, a)
		}
	}
	return all
}

// request is something that was asked for and is not carried out yet.
type request struct {
	Asked
	at metav1.Time
}

// requests are those that count now, and the time of the next one that will, zero
// if there is none: who asks may have a clock that is ahead.
func (f Facts) requests() (now []request, next time.Time) {
	for _, a := range f.asked() {
		at, err := a.time()
		if err != nil || !f.wants(a, at) {
			continue
		}
		switch age := f.Now.Sub(at.Time); {
		case age < 0:
			next = earliest(next, at.Time)
		case age < requestValidity:
			now = append(now, request{a, at})
		}
	}
	return now, next
}

// wants tells whether a request was not carried out yet. One to unlock is for the
// lock that it found, so that its value is spent with that lock; one to reset is
// noted down.
func (f Facts) wants(a Asked, at metav1.Time) bool {
	status := f.Account.Status
	if a.Annotation == accountsv1.UnlockAnnotation {
		return f.lock().Reached && !at.Before(status.SignIn.FailureTime)
	}
	return !Disabled(f.Account) && (status.RequestTime == nil || status.RequestTime.Before(&at))
}

// ownerElsewhere tells whether those who manage a Membership may not ask for
// anything: the person is an owner in another namespace, and what happens to the
// Account happens to that Organization.
func (f Facts) ownerElsewhere(a Asked) bool {
	return a.Membership != nil && slices.ContainsFunc(f.Belongings, func(b Belonging) bool {
		return b.Membership.Namespace != a.Membership.Namespace && IsOwner(b)
	})
}

// limited tells whether those who manage a Membership have to wait for a link:
// they may ask as often as the person may at the portal, or they could fill the
// mailbox, and replace each link before it is read. A cluster admin never waits.
func (f Facts) limited(a Asked) bool {
	return a.Membership != nil && a.Annotation == accountsv1.ResetAnnotation && !MayRequestReset(f.Account.Status, f.Now)
}

// Blocked is the first request that is not carried out, and the reason why, which
// is one of the condition RequestBlocked; nil: there is none.
func Blocked(f Facts) (asked *Asked, reason string) {
	requests, _ := f.requests()
	for _, r := range requests {
		switch {
		case f.ownerElsewhere(r.Asked):
			return &r.Asked, accountsv1.ReasonOwnerElsewhere
		case f.limited(r.Asked):
			return &r.Asked, accountsv1.ReasonResetLimited
		}
	}
	return nil, ""
}

// nextAnswer is when what is blocked now may be so no longer; zero: nothing is.
func (f Facts) nextAnswer() time.Time {
	var next time.Time
	requests, _ := f.requests()
	for _, r := range requests {
		switch {
		case f.ownerElsewhere(r.Asked):
			next = earliest(next, r.at.Add(requestValidity))
		case f.limited(r.Asked):
			next = earliest(next, earliest(r.at.Add(requestValidity), nextReset(f.Account.Status)))
		}
	}
	return next
}

// answer carries out what was asked for. One link is the answer to all who asked
// for one by then.
func (f Facts) answer() {
	status := &f.Account.Status
	requests, _ := f.requests()
	var newest *metav1.Time
	due := false
	for _, r := range requests {
		switch {
		case f.ownerElsewhere(r.Asked):
		case r.Annotation == accountsv1.UnlockAnnotation:
			Open(&status.SignIn, f.limits())
		default:
			newest = later(newest, &r.at)
			due = due || !f.limited(r.Asked)
		}
	}
	if due {
		status.ResetTimes = Requested(status.ResetTimes, metav1.NewTime(f.Now.UTC()))
		status.RequestTime = later(status.RequestTime, newest)
	}
}
