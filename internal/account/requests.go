// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
)

// requestValidity is how long a request by annotation counts. So a manifest that is
// applied again, or that comes back with a restore, does not reset a password.
const requestValidity = time.Hour

// maxRequest is the maximum length of such an annotation's value.
const maxRequest = 64

// Request is one value of an annotation that requests a reset or an unlock.
type Request struct {
	// Membership that has the annotation. Nil means that the Account has it.
	Membership *accountsv1.Membership
	// Annotation is accountsv1.ResetAnnotation or accountsv1.UnlockAnnotation.
	Annotation string
	// Value of the annotation.
	Value string
}

// time returns the time of the request, truncated to the second as in a status.
func (a Request) time() (metav1.Time, error) {
	if len(a.Value) > maxRequest {
		return metav1.Time{}, fmt.Errorf("a time has at most %d characters", maxRequest)
	}
	t, err := time.Parse(time.RFC3339, a.Value)
	return metav1.NewTime(t.UTC().Truncate(time.Second)), err
}

// asked returns all such values: of the Account, and of the Memberships that it holds in
// the home namespaces of their Organizations.
func (f Facts) asked() []Request {
	var all []Request
	of := func(m *accountsv1.Membership, annotations map[string]string) {
		for _, annotation := range []string{accountsv1.UnlockAnnotation, accountsv1.ResetAnnotation} {
			if value, found := annotations[annotation]; found {
				all = append(all, Request{m, annotation, value})
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

// Unreadable returns the values that are not times.
func Unreadable(f Facts) []Request {
	var all []Request
	for _, a := range f.asked() {
		if _, err := a.time(); err != nil {
			all = append(all, a)
		}
	}
	return all
}

// pendingRequest is a request that is not carried out yet.
type pendingRequest struct {
	Request
	at metav1.Time
}

// requests returns the requests that count now, and the time of the next one that will. A
// request can lie in the future because the requester's clock may be ahead, and an unlock
// waits until the lock is certain. So each lock is known, and mailed, before it is opened.
// next is zero if there is none.
func (f Facts) requests() (now []pendingRequest, next time.Time) {
	for _, a := range f.asked() {
		at, err := a.time()
		if err != nil || !f.isPending(a, at) {
			continue
		}
		switch from := f.countsFrom(a, at); {
		case f.Now.Before(from):
			next = earliest(next, from)
		case f.Now.Sub(at.Time) < requestValidity:
			now = append(now, pendingRequest{a, at})
		}
	}
	return now, next
}

// isPending reports whether a request was not carried out yet. An unlock request applies to
// the locks that existed when it was made, so its value is used up with those locks. The
// portal records a reset request in the status, and one link answers all requests before
// it.
func (f Facts) isPending(a Request, at metav1.Time) bool {
	status := f.Account.Status
	if a.Annotation == accountsv1.UnlockAnnotation {
		return slices.ContainsFunc(factors, func(factor Factor) bool { return f.opens(factor, at) })
	}
	recorded := newest(status.ResetTimes)
	return !Disabled(f.Account) && (recorded == nil || recorded.Before(&at))
}

// opens reports whether an unlock request from that time applies to the lock of a factor.
func (f Facts) opens(factor Factor, at metav1.Time) bool {
	lock := f.lock(factor)
	return lock.Locked(f.Now) && !at.Time.Before(lock.Since)
}

// countsFrom returns the time from which a request counts.
func (f Facts) countsFrom(a Request, at metav1.Time) time.Time {
	from := at.Time
	if a.Annotation != accountsv1.UnlockAnnotation {
		return from
	}
	for _, factor := range factors {
		if certain := f.lock(factor).CertainFrom(); f.opens(factor, at) && certain.After(from) {
			from = certain
		}
	}
	return from
}

// ownerElsewhere reports whether the managers of a Membership may not request anything.
// That is so if the person is an owner in another namespace, because anything that
// affects the Account affects that Organization.
func (f Facts) ownerElsewhere(a Request) bool {
	return a.Membership != nil && slices.ContainsFunc(f.Belongings, func(b Belonging) bool {
		return b.Membership.Namespace != a.Membership.Namespace && IsOwner(b)
	})
}

// allowedFrom returns the time from which a request may be carried out. Managers of a
// Membership may request links and unlocks as often as the member may request mail.
// Otherwise they could fill the mailbox, replace each link before it is read, and open
// locks while an attacker guesses. Zero means always: a cluster admin never waits.
func (f Facts) allowedFrom(a Request) time.Time {
	switch {
	case a.Membership == nil:
		return time.Time{}
	case a.Annotation == accountsv1.UnlockAnnotation:
		return nextRequest(f.Account.Status.UnlockTimes)
	default:
		return nextReset(f.Account.Status)
	}
}

// limited reports whether a request has to wait.
func (f Facts) limited(a Request) bool { return f.Now.Before(f.allowedFrom(a)) }

// Blocked returns the first request that is not carried out, and the reason for the
// condition RequestBlocked. It returns nil if there is none.
func Blocked(f Facts) (asked *Request, reason string) {
	requests, _ := f.requests()
	for _, r := range requests {
		switch {
		case f.ownerElsewhere(r.Request):
			return &r.Request, accountsv1.ReasonOwnerElsewhere
		case f.limited(r.Request) && r.Annotation == accountsv1.UnlockAnnotation:
			return &r.Request, accountsv1.ReasonUnlockLimited
		case f.limited(r.Request):
			return &r.Request, accountsv1.ReasonResetLimited
		}
	}
	return nil, ""
}

// nextAnswer returns when a request that is blocked now may become unblocked. Zero means
// that no request is blocked.
func (f Facts) nextAnswer() time.Time {
	var next time.Time
	requests, _ := f.requests()
	for _, r := range requests {
		switch {
		case f.ownerElsewhere(r.Request):
			next = earliest(next, r.at.Add(requestValidity))
		case f.limited(r.Request):
			next = earliest(next, earliest(r.at.Add(requestValidity), f.allowedFrom(r.Request)))
		}
	}
	return next
}

// open carries out the pending requests to unlock the Account.
func (f Facts) open() {
	requests, _ := f.requests()
	var unlocks []pendingRequest
	for _, r := range requests {
		if r.Annotation == accountsv1.UnlockAnnotation && !f.ownerElsewhere(r.Request) && !f.limited(r.Request) {
			unlocks = append(unlocks, r)
		}
	}
	f.unlock(unlocks)
}

// DueReset reports whether an annotation requests a reset link that the portal must record
// now. Otherwise next is when that may become so; zero means that only a change of an object
// can. It uses Now, Account and Belongings. The controller derives links but cannot record
// requests, so it cannot make a link that was not requested.
func DueReset(f Facts) (due bool, next time.Time) {
	if !f.inUse() {
		return false, time.Time{}
	}
	requests, next := f.requests()
	for _, r := range requests {
		switch {
		case r.Annotation != accountsv1.ResetAnnotation || f.ownerElsewhere(r.Request):
		case f.limited(r.Request):
			next = earliest(next, nextReset(f.Account.Status))
		default:
			due = true
		}
	}
	return due, next
}

// AffectsResets reports whether a change of an Account can make a request for a reset link
// due. The condition RequestBlocked also shows changes of the Organizations: it changes
// when a request becomes unblocked.
func AffectsResets(before, after *accountsv1.Account) bool {
	blocked := func(a *accountsv1.Account) string {
		c := meta.FindStatusCondition(a.Status.Conditions, accountsv1.ConditionRequestBlocked)
		if c == nil {
			return ""
		}
		return c.Reason + " " + c.Message
	}
	same := func(a, b metav1.Time) bool { return a.Equal(&b) }
	return before.Generation != after.Generation ||
		!maps.Equal(before.Annotations, after.Annotations) ||
		!slices.EqualFunc(before.Status.ResetTimes, after.Status.ResetTimes, same) ||
		!before.Status.PasswordTime.Equal(after.Status.PasswordTime) ||
		blocked(before) != blocked(after)
}

// unlock opens the locks that requests apply to. It first adds the mails about them to the
// deliveries, because the status loses the locks. A cluster admin clears everything that
// was counted. Managers do not clear the locks by codes: the next one is longer, as if
// this one had expired. So a manager who works with a thief of the password gives the
// thief only a few more codes.
func (f Facts) unlock(requests []pendingRequest) {
	status := &f.Account.Status
	if len(requests) == 0 {
		return
	}
	for _, o := range f.occasions() {
		if isAboutLock(o.purpose) && o.open && delivery.Find(status.Deliveries, o.name) == nil {
			status.Deliveries = append(status.Deliveries, f.newDelivery(o))
		}
	}
	for _, r := range requests {
		for _, factor := range factors {
			if f.opens(factor, r.at) {
				openByManager(&status.SignIn, factor, f.limits())
			}
		}
		if r.Membership == nil {
			Open(&status.SignIn)
		}
	}
	status.UnlockTimes = Requested(status.UnlockTimes, metav1.NewTime(f.Now.UTC()))
}
