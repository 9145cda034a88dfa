// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/notifier"
)

// messageSource is the object that a message is about, with the claim of its next try.
type messageSource interface {
	// object returns the Invitation or the Account.
	object() objectWithConditions
	// claim writes the claim into the status, together with what the facts report at that
	// moment. undo reverts both.
	claim() (undo func())
	// report updates the status from the facts as of now.
	report()
	// deliveries returns the deliveries in the status.
	deliveries() []accountsv1.Delivery
	// message returns the message to send.
	message() notifier.Message
}

// deliverer takes messages through claim, send and record.
type deliverer struct {
	clock    clock.PassiveClock
	notifier *notifier.Notifier
	// lanes keep some of the workers free. With nil, no message waits.
	lanes *notifier.Lanes
}

// deliver makes the next try of a message. It writes the claim to the API server before
// it sends anything, and records the result right after the answer. If the lane of the
// message is busy, it claims nothing.
func (c deliverer) deliver(ctx context.Context, status *tracker, s messageSource) (busy bool, err error) {
	undo := s.claim()
	m := s.message()
	leave, free := c.enterLane(s.object(), m)
	if !free {
		undo()
		return true, nil
	}
	defer leave()
	if err := status.save(ctx); err != nil {
		// A save without an answer counts as not claimed.
		undo()
		return false, err
	}
	if inv, is := s.object().(*accountsv1.Invitation); is {
		c.notifier.NoteMailings(inv, c.clock.Now())
	}
	result, answer := c.notifier.Send(ctx, m)
	notifier.Media().End(s.deliveries(), m.Name, result, answer, c.clock.Now())
	c.notifier.KeepEnd(s.object(), m.Name, false)
	s.report()
	if err := status.save(context.WithoutCancel(ctx)); err != nil {
		return false, err
	}
	c.notifier.KeepEnd(s.object(), m.Name, true)
	return false, nil
}

func (c deliverer) enterLane(o client.Object, m notifier.Message) (leave func(), free bool) {
	if c.lanes == nil {
		return func() {}, true
	}
	return c.lanes.Enter(c.notifier.Lane(m), client.ObjectKeyFromObject(o))
}
