// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"maps"
	"slices"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// Medium holds what the rules need to know about a medium. The Carrier of the medium
// (package notifier) describes it.
type Medium struct {
	// CopyRecognisable reports that a receiver recognises a second copy as the same
	// message, so that copies do no harm. Of other messages, at most mostUnconfirmed
	// are sent without an answer.
	CopyRecognisable bool
	// MessageID reports that a message carries a Message-ID (RFC 5322, section 3.6.4),
	// which the claim names.
	MessageID bool
	// Withdrawable reports that a dead link can be withdrawn.
	Withdrawable bool
	// Recipient returns the recipient of an Invitation's link; empty: there is none. nil:
	// the medium carries no links.
	Recipient func(*accountsv1.Invitation) string
	// RateLimitKey returns a recipient, whose mailings are counted, in a form that is the
	// same for equal recipients. nil: the medium has no rate limit.
	RateLimitKey func(recipient string) string
	// RateLimited begins the sentence that reports a reached limit, such as "The mailbox was mailed".
	RateLimited string
}

// Media are all media, by name.
type Media map[accountsv1.Medium]Medium

// RateLimit is a limit on the messages to a recipient.
type RateLimit struct {
	// Key is the same for all messages that share the limit.
	Key string
	// Reached begins the sentence that reports a reached limit, such as "The mailbox
	// was mailed".
	Reached string
}

// RateLimits returns the limits that apply to an Invitation, in the order of the
// media's names.
func (m Media) RateLimits(inv *accountsv1.Invitation) []RateLimit {
	var limits []RateLimit
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if m[name].Recipient == nil {
			continue
		}
		if limit, is := m.RateLimit(name, m[name].Recipient(inv)); is {
			limits = append(limits, limit)
		}
	}
	return limits
}

// RateLimit returns the limit that applies to the messages to a recipient, and reports
// whether there is one.
func (m Media) RateLimit(name accountsv1.Medium, recipient string) (RateLimit, bool) {
	medium := m[name]
	if medium.RateLimitKey == nil || recipient == "" {
		return RateLimit{}, false
	}
	return RateLimit{Key: string(name) + "/" + medium.RateLimitKey(recipient), Reached: medium.RateLimited}, true
}

// mostUnconfirmed is how many copies of a message are sent without an answer before it
// counts as sent. It applies to media whose receivers do not recognise a copy.
const mostUnconfirmed = 2

// MayNotResend reports whether a message must not be sent again, because it may have
// arrived as often as is acceptable for a person. It is always false for a message whose
// copies are recognisable. Such a message must not be lost, so its copies become rare
// instead.
func (m Media) MayNotResend(d accountsv1.Delivery) bool {
	return !m[d.Medium].CopyRecognisable && d.Unconfirmed >= mostUnconfirmed
}

// End records how the last send of the named delivery ended. It does nothing if there
// is no such delivery. answer is the receiving server's answer to a send that was not
// confirmed.
func (m Media) End(all []accountsv1.Delivery, name string, result accountsv1.DeliveryResult, answer string, now time.Time) {
	d := Find(all, name)
	if d == nil {
		return
	}
	if result == Unconfirmed {
		d.Unconfirmed++
		result = accountsv1.DeliveryTemporaryFailure
		if m.MayNotResend(*d) {
			result = accountsv1.DeliverySent
		}
	}
	d.Holder, d.Result, d.Message = "", result, answer
	if result == accountsv1.DeliverySent {
		sent := second(now)
		d.SentTime = &sent
	}
}
