// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package email sends messages to an SMTP server, and signs them with DKIM if there is a key. It owns
// the bytes of a message and the connections. It also answers the one question that matters afterwards:
// did the server take the message?
//
// SMTP cannot deliver exactly once (RFC 1047), so Send distinguishes four outcomes:
//
//	nil                the server took the message; what happened afterwards does not matter
//	*RefusedError      the server refused it permanently: it will refuse the same message again
//	*TemporaryError    the server did not take the message; a retry is safe
//	*UnknownError      no reply after the final dot; send only the same bytes again
//
// A fifth, *input.InvalidError, reports that the input cannot be written as a message, so there is
// nothing to send.
//
// The bytes of a Message depend only on the Message, so the caller can always build the same bytes
// again. The package knows neither Kubernetes nor the API, and must not import either.
package email
