// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"errors"
	"fmt"
	"testing"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/notifier/chat"
	"github.com/usher-dev/usher/internal/notifier/email"
	"github.com/usher-dev/usher/internal/notifier/sms"
	"github.com/usher-dev/usher/internal/wording/input"
)

func TestResultOf(t *testing.T) {
	cases := map[accountsv1.DeliveryResult]map[string]error{
		accountsv1.DeliveryRefused: {
			"the mail server refused it":              &email.RefusedError{},
			"it cannot be written as a mail":          &input.InvalidError{},
			"the SMS gateway refused it":              &sms.RefusedError{},
			"it cannot be written as a short message": &sms.InvalidError{},
			"the chat refused it":                     &chat.RefusedError{},
			"it cannot be posted to a chat":           &chat.InvalidError{},
			"the Secret has another owner":            &foreignSecretError{},
			"there is no SMS gateway":                 errNoGateway,
			"the key of its link was deleted":         invitation.ErrKeyGone,
			"the refusal is wrapped in another error": fmt.Errorf("again: %w", &email.RefusedError{}),
		},
		delivery.Unconfirmed: {
			"the mail server did not answer": &email.UnknownError{Err: errors.New("timeout")},
			"the SMS gateway did not answer": &sms.UnknownError{},
			"the chat did not answer":        &chat.UnknownError{},
		},
		accountsv1.DeliveryTemporaryFailure: {
			"the mail server failed temporarily": &email.TemporaryError{},
			"the SMS gateway failed temporarily": &sms.TemporaryError{},
			"the chat failed temporarily":        &chat.TemporaryError{},
			"the API server failed":              errors.New("no answer"),
		},
	}
	for want, errs := range cases {
		for name, err := range errs {
			t.Run(name, func(t *testing.T) {
				if got := resultOf(err); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		}
	}
}
