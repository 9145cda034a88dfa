// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package membership decides what a Membership needs next and reports its status: which
// person to invite, what the person may do, and when everything of a deleted Membership
// was removed. It is pure: it imports neither a client nor net/http, and time is an
// argument.
package membership
