// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package notifier sends deliveries that are due and were claimed.
//
// # Media
//
// Each medium has one Carrier in one file: email.go, sms.go, chat.go, linksecret.go. A Carrier holds
// everything that differs by medium:
//
//   - how it sends, and which lane it uses;
//   - whether the recipient can recognise a second copy;
//   - what its rate limit counts;
//   - which text it takes from package wording.
//
// All Carriers are in one map (carriers.go). CONTRIBUTING.md lists the steps to add a medium.
//
// # Division of work
//
// Package delivery holds the rules: which delivery is due, how a send is claimed and how its result is
// recorded. The controllers write the claim and the record. The Notifier sends what was claimed. It
// also keeps in memory what the API server does not know yet:
//
//   - Lanes keep workers free while a server hangs;
//   - EndedTries guard against sending twice while the cache is stale;
//   - Mailings guard the rate limit against Invitations that are deleted and created again.
//
// The packages below it (email, sms, chat) speak one protocol each and know nothing of Kubernetes.
package notifier
