// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package sms sends short texts to an SMS gateway over HTTP: to Kannel, or to Twilio. It owns the
// requests to the gateway, the meaning of the answers, the accepted telephone numbers and the maximum
// length of a text. Package wording owns the wording of the texts.
//
// # Outcomes
//
// Like package email, it distinguishes four outcomes:
//
//	nil                the gateway took the message; the networks decide whether it arrives
//	*RefusedError      the gateway refused it permanently: it will refuse the same message again
//	*TemporaryError    the gateway did not take the message; a retry is safe
//	*UnknownError      the request was sent, but no answer came that decides the outcome; if sent
//	                   again, the text can arrive twice
//
// A fifth, *InvalidError, reports that there is no message to send.
//
// An answer that may be about more than this one message is a temporary failure: a wrong password, or
// an account without credit, must not end every invitation. An error never repeats the password, the
// text or the link in it, even if the gateway quoted them.
//
// # Kannel
//
// Kannel needs two settings for the sendsms-user that Usher uses: max-messages = 10 and concatenation =
// true. Without them it cuts off a long text after the first part, including the link, and still
// answers that it took the text.
//
// # Dependencies
//
// The package knows neither Kubernetes nor the API, and must not import either.
package sms
