// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package notifier is everything between "a delivery is due" and "the bytes left the process".
//
// Each medium has one Carrier in one file: email.go, sms.go, chat.go, linksecret.go. A Carrier holds all
// that differs by medium: how it sends, which lane it uses, whether a copy is recognisable, what its rate
// limit counts, and which text it takes from package wording. All Carriers are in one map (carriers.go).
// CONTRIBUTING.md lists the steps of adding a medium.
//
// Which delivery is due, how a try is claimed and how its end is recorded are rules of package delivery.
// The writes of claim and record are the controllers'. The Notifier sends what was claimed, and remembers
// for the process what the API server does not know yet:
//
//   - Lanes keep workers free while a server hangs;
//   - EndedTries guard against a second sending while the cache is stale;
//   - Mailings guard the rate limit against Invitations that are deleted and created again.
//
// The packages below it (email, sms, chat) speak one protocol each and know nothing of Kubernetes.
package notifier
