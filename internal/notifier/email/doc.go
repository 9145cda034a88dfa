// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package email passes messages to an SMTP server, signed with DKIM where there is a key. It owns the
// bytes of a message, the connections, and the answer to the one question that matters afterwards: did
// the server take the message?
//
// SMTP cannot give exactly-once delivery (RFC 1047), so Send tells four outcomes apart:
//
//	nil                the server took the message; whatever happened afterwards does not matter
//	*RefusedError      it said no for good: the same message will be refused again
//	*TemporaryError    it did not take the message; trying later is safe
//	*UnknownError      silence after the final dot; only the very same bytes may go again
//
// A fifth, *input.InvalidError, says that there is no message to send because its input cannot be written.
// The bytes of a Message depend on nothing but the Message, so the very same bytes can always be made
// again. The package knows neither Kubernetes nor the API: it must not import either.
package email
