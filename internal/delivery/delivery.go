// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package delivery holds the rules that are the same for all messages that Usher sends.
// They determine how a send is claimed beforehand, how its result is recorded, and when
// the next send is due. The package is pure: it imports neither a client nor the
// packages that define the messages.
package delivery

import (
	"fmt"
	"hash/fnv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// The waits between sends double from the first to the longest. With these values,
// Usher tries a mail server that is down for an hour 19 times, and tries again within
// five minutes after it returns.
const (
	FirstBackoff   = 10 * time.Second
	LongestBackoff = 270 * time.Second
)

// Unconfirmed is the result of a message that was sent but never answered: the receiver
// may or may not have taken it. No status contains it: Media.End records what follows
// from it.
const Unconfirmed accountsv1.DeliveryResult = "Unconfirmed"

// Process is the process that sends.
type Process struct {
	// ClaimOwner is its name in claims. Each run of the process has another name.
	ClaimOwner string
	// Deadline is the time after which a send of any process has certainly ended.
	Deadline time.Duration
}

// Try is one send of one message. It is written before the message is sent.
type Try struct {
	// Name of the delivery, and the number of this send.
	Name  string
	Tries int32
	// ClaimOwner is the process that sends.
	ClaimOwner string
	// Time at which it begins, truncated to the second.
	Time metav1.Time
	// MessageID and Sender of a mail that is sent for the first time. If Sender is
	// empty, the sender of the attempt applies.
	MessageID, Sender string
}

// Next returns the next send of a delivery, without a Message-ID.
func (p Process) Next(d accountsv1.Delivery, now time.Time) Try {
	return Try{Name: d.Name, Tries: d.Tries + 1, ClaimOwner: p.ClaimOwner, Time: second(now)}
}

// Begin writes a send into its delivery. If another process claimed a send and never
// ended it, that message may have been sent. What this process claimed before was not
// sent.
func Begin(d *accountsv1.Delivery, try Try) {
	switch {
	case !d.Claimed():
		d.ClaimTime, d.MessageID, d.Sender = try.Time.DeepCopy(), try.MessageID, try.Sender
	case d.Holder != "" && d.Holder != try.ClaimOwner:
		d.Unconfirmed++
	}
	d.Tries = try.Tries
	d.TryTime = try.Time.DeepCopy()
	d.Holder, d.Result, d.Message = try.ClaimOwner, "", ""
}

// Find returns a pointer to the delivery of that name in the slice; nil: there is none.
func Find(all []accountsv1.Delivery, name string) *accountsv1.Delivery {
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// Finished reports whether nothing is left to send.
func Finished(d accountsv1.Delivery) bool {
	return d.Result != "" && d.Result != accountsv1.DeliveryTemporaryFailure
}

// Due returns the first of the deliveries that can be sent now. If none can, it returns
// the time until the next one can; 0: there is none. The seed differs between the
// objects that own the deliveries.
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

// nextTry returns when a delivery that is not finished can be sent.
func (p Process) nextTry(d accountsv1.Delivery, seed string, now time.Time) time.Time {
	switch {
	case !d.Claimed():
		return now
	case d.Result == accountsv1.DeliveryTemporaryFailure:
		return d.TryTime.Add(max(Backoff(d.Tries, seed+d.Name), unconfirmedBackoff(d.Unconfirmed)))
	case d.Holder == p.ClaimOwner:
		return now // this process holds the claim and is not sending: it never began to
	default:
		return d.TryTime.Add(p.Deadline + time.Second) // TryTime is truncated to the second
	}
}

// Backoff returns how long to wait after the given number of failed sends. It is up to
// a tenth shorter than the doubled wait. The difference depends on the seed, so that
// many messages do not retry at the same instant.
func Backoff(tries int32, seed string) time.Duration {
	wait := LongestBackoff
	if doublings := tries - 1; doublings < 5 {
		wait = FirstBackoff << max(doublings, 0)
	}
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%s/%d", seed, tries) // writing to a hash never fails
	return wait - wait*time.Duration(h.Sum32()%100)/1000
}

// unconfirmedBackoff returns the minimum wait after the given number of sends that were
// not confirmed. It starts with the longest wait between sends and quadruples each time.
// So at most 7 copies of a message arrive in a week, and 8 in a month.
func unconfirmedBackoff(unconfirmed int32) time.Duration {
	if unconfirmed == 0 {
		return 0
	}
	const years = 18 // doublings after which the wait is longer than any message is retried
	return LongestBackoff << min(2*(unconfirmed-1), years)
}

// second returns a time as the API server stores it.
func second(t time.Time) metav1.Time { return metav1.NewTime(t.UTC().Truncate(time.Second)) }
