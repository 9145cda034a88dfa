// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package delivery holds what is the same for every message that Usher tries to
// deliver, whatever it is about: how a try is claimed before it is made, how its
// end is written down, and when the next one is due. It is pure: it imports
// neither a client nor the packages that say which messages there are.
package delivery

import (
	"fmt"
	"hash/fnv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// Waits between tries: doubled from the first to the longest. With these, a
// mail server that is away for an hour is asked 19 times, and is asked again
// within five minutes of its return.
const (
	FirstBackoff   = 10 * time.Second
	LongestBackoff = 270 * time.Second
)

// Unconfirmed is how a try ended that went out and whose answer never came: the
// message may have been taken or not. No status has it: Media.End writes down what
// follows from it.
const Unconfirmed accountsv1.DeliveryResult = "Unconfirmed"

// Process is the one that tries.
type Process struct {
	// Holder names it in claims. Another run of it has another name.
	Holder string
	// Deadline is after which time a try has surely ended, of any process.
	Deadline time.Duration
}

// Try is one try to deliver one message, to be written before it is made.
type Try struct {
	// Name of the delivery that is tried, and the how manieth time.
	Name  string
	Tries int32
	// Holder is who tries, and from when on.
	Holder string
	// Time of the try, cut to the second.
	Time metav1.Time
	// MessageID and Sender of a mail that is tried for the first time. An empty
	// Sender is that of the attempt.
	MessageID, Sender string
}

// Next is the next try of a delivery, without a Message-ID.
func (p Process) Next(d accountsv1.Delivery, now time.Time) Try {
	return Try{Name: d.Name, Tries: d.Tries + 1, Holder: p.Holder, Time: second(now)}
}

// Begin writes a try into the delivery that it is of. What another process was
// at, and never ended, may have gone out. What this one claimed before has not.
func Begin(d *accountsv1.Delivery, try Try) {
	switch {
	case !d.Begun():
		d.ClaimTime, d.MessageID, d.Sender = try.Time.DeepCopy(), try.MessageID, try.Sender
	case d.Holder != "" && d.Holder != try.Holder:
		d.Unconfirmed++
	}
	d.Tries = try.Tries
	d.TryTime = try.Time.DeepCopy()
	d.Holder, d.Result, d.Message = try.Holder, "", ""
}

// Find gives the delivery of that name, which can be changed in its place; nil:
// there is none.
func Find(all []accountsv1.Delivery, name string) *accountsv1.Delivery {
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// Finished tells whether there is nothing left to try.
func Finished(d accountsv1.Delivery) bool {
	return d.Result != "" && d.Result != accountsv1.DeliveryTemporaryFailure
}

// Due gives the first of the deliveries that can be tried now. Where none can, it
// gives the time until the next one can; 0: there is none. The seed tells the
// objects apart that the deliveries are of.
func (p Process) Due(all []accountsv1.Delivery, seed string, now time.Time) (due *accountsv1.Delivery, after time.Duration) {
	for i, d := range all {
		if Finished(d) {
			continue
		}
		wait := p.nextTry(d, seed, now).Sub(now)
		if wait <= 0 {
			return &all[i], 0
		}
		if after == 0 || wait < after {
			after = wait
		}
	}
	return nil, after
}

// nextTry is when a delivery that is not finished may be tried.
func (p Process) nextTry(d accountsv1.Delivery, seed string, now time.Time) time.Time {
	switch {
	case !d.Begun():
		return now
	case d.Result == accountsv1.DeliveryTemporaryFailure:
		return d.TryTime.Add(max(Backoff(d.Tries, seed+d.Name), silence(d.Unconfirmed)))
	case d.Holder == p.Holder:
		return now // this process holds the claim and is not sending: it never began to
	default:
		return d.TryTime.Add(p.Deadline + time.Second) // TryTime is cut to the second
	}
}

// Backoff is how long to wait after the given number of failed tries. It is
// up to a tenth shorter than the doubling says, by an amount that depends on
// the seed, so that many messages do not come back in the same instant.
func Backoff(tries int32, seed string) time.Duration {
	wait := LongestBackoff
	if doublings := tries - 1; doublings < 5 {
		wait = FirstBackoff << max(doublings, 0)
	}
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%s/%d", seed, tries) // a hash never fails to be written to
	return wait - wait*time.Duration(h.Sum32()%100)/1000
}

// silence is how long to wait at the least once a message may have arrived so
// many times: the longest wait between tries, and four times as long each time.
// That makes 7 copies in a week, and 8 in a month.
func silence(unconfirmed int32) time.Duration {
	if unconfirmed == 0 {
		return 0
	}
	const years = 18 // doublings make the wait longer than anything is tried
	return LongestBackoff << min(2*(unconfirmed-1), years)
}

// second is a time as the API server keeps it.
func second(t time.Time) metav1.Time { return metav1.NewTime(t.UTC().Truncate(time.Second)) }
