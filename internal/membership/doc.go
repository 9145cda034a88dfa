// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package membership decides what a Membership needs next and says where it
// stands: whom to invite, what the person may do, and when the last trace is
// gone. It is pure: it imports neither a client nor net/http, and time comes
// in as an argument.
package membership
