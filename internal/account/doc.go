// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package account holds the rules of accounts. Of their credentials: which
// passwords are good enough, how they are hashed, and what the Secret that keeps
// them looks like. Of signing in: what is counted, when an Account is locked, and
// which links for a new password are good. And of the Account itself: what the
// controller does about it, mails to its person, and says of it. It is pure: it
// imports neither a client nor net/http.
package account
