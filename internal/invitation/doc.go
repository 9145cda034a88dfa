// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package invitation holds the life of an invitation: what to do next (Decide),
// what to say about it (Report), the links, and the user names to propose. It
// is pure: it imports neither a client nor net/http, and time comes in as an
// argument.
//
//	 applied by hand, or made for a Membership
//	                  │
//	                  ▼                      no Organization yet: waits
//	   ┌────────── Sending ◀──────────┐
//	   │ 250          │ 5xx, or no    │ 4xx, broken connection,
//	   │              │ such role     │ no answer: the same bytes again
//	   ▼              ▼               │
//	Pending        Failed ────────────┘ (a manifest or the platform changes)
//	   │  └──── validity over ───▶ Expired
//	   │ accepted
//	   ▼
//	Active    history from here on: it never changes a Membership again
//
// A mailing is claim → send → record. The claim is a conditional write of
// status.delivery that fixes every byte of the mail; whoever loses that race
// sends nothing. A try that ended without a record is repeated with the same
// bytes once no earlier holder can still be at it.
package invitation
