// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package sms hands short texts to an SMS gateway over HTTP: to a Kannel, or to Twilio. It owns what
// such a gateway is told, what its answers mean, which telephone numbers are taken, and how long a
// text may be. The wording of the texts is somebody else's.
//
// Like package mail it tells four outcomes apart:
//
//	nil                the gateway took the message; whether it arrives is between it and the networks
//	*RefusedError      it said no for good: the same message will be refused again
//	*TemporaryError    it did not take the message; trying later is safe
//	*UnknownError      the request went out and no answer came: sent again, the text may arrive twice
//
// A fifth, *InvalidError, says that there is no message to send. Whatever is not known to be about this
// one message is temporary: a wrong password or an empty account must not end every invitation. An error
// never repeats the password, the text or the link in it, also where the gateway quoted them.
//
// Kannel needs two settings for the sendsms-user that Usher is: max-messages = 10 and
// concatenation = true. Without them it cuts a long text after the first part, link and all, and still
// answers that it took it.
//
// The package knows neither Kubernetes nor the API: it must not import either.
package sms
