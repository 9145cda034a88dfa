// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package account holds the rules of an account's credentials: which passwords
// are good enough, how they are hashed, and what the Secret that keeps the hash
// looks like. It is pure: it imports neither a client nor net/http.
package account
