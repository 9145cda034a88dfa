// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package membership decides what a Membership needs next and reports its status: which
// person to invite, what the person may do, and when nothing of the Membership is left.
// It is pure: it imports neither a client nor net/http, and time is an argument.
package membership
