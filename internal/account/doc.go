// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package account holds the rules of accounts. It is pure: it imports neither a client
// nor net/http. The rules cover three things:
//
//   - Credentials: which passwords are strong enough, how they are hashed, and the format
//     of the Secret that keeps them.
//   - Sign-in: what is counted, when an Account is locked, and which reset links are
//     valid.
//   - The Account itself: what the controller does next, which mails it sends to the
//     member, and what it reports in the status.
package account
