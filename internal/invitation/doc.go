// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package invitation holds the rules for the life of an invitation:
//
//   - Decide returns what to do next.
//   - Report returns the status to write.
//   - Check returns the status of a link.
//   - Links and codes are derived and verified here.
//
// The package is pure: it imports neither a client nor net/http, and time is an
// argument.
//
// # States
//
//	         applied manually, or created for a Membership
//	                           │
//	┌───────────────────────▶ Sending ──────────────────────┐
//	│ a new attempt,           │                            │
//	│ with a new link          ▼ a channel took the link    │
//	├─────────────────────── Pending ────────────────────┐  │
//	│                  "no" │  │    │ link expired        │  │
//	│            ┌──────────┘  │    └──────────┐          │  │
//	│            ▼             ▼ "yes"         ▼          ▼  ▼
//	├──────── Declined       Active         Expired      Failed
//	│                                          │            │
//	└──────────────────────────────────────────┴────────────┘
//
// These are all transitions and their causes:
//
//	Sending  → Pending   a channel took the link
//	Sending  → Active    "yes", while the send is not yet recorded as successful
//	Sending  → Declined  "no", while the send is not yet recorded as successful
//	Sending  → Expired   a channel took the link, but the link has expired since
//	Sending  → Failed    every channel refused permanently, or the link expired
//	                     before a channel took it; role missing; no seat;
//	                     address not allowed, already invited or already a
//	                     member; status lost
//	Pending  → Active    "yes"
//	Pending  → Declined  "no"
//	Pending  → Expired   the link expired
//	Pending  → Sending   resend
//	Pending  → Failed    role missing, no seat and similar; status lost
//	Declined → Sending   resend
//	Declined → Failed    role missing and similar; status lost
//	Expired  → Sending   resend
//	Expired  → Failed    role missing and similar; status lost
//	Failed   → Sending   resend; repaired before it was sent; held mail released
//	Failed   → Pending   repaired, or a seat became free
//	Failed   → Declined  repaired, and it was declined before
//	Failed   → Expired   repaired after the link expired, or expired without a seat
//	Failed   → Active    repaired, and it was accepted before
//
// In addition, each state changes to Active when an Account holds the Membership. An
// Active Invitation is history: it never changes a Membership again.
//
// While an Invitation is Sending, it waits for one of these:
//
//   - its Organization
//   - a seat that is not assigned yet
//   - another open Invitation to the same address, which must yield but does not show yet
//     that it has
//   - a send that succeeds
//
// A resend waits until no send of the previous attempt is in progress. It also waits
// until the rate limits allow another mail to the address and another text message to
// the telephone.
//
// Every state except Active can lose its status. The table of all states and events is
// in docs/spec/invitations.md, which is generated from this code.
//
// # Attempts and deliveries
//
// An attempt sends the invitation once. It has a number and a link of its own, and one
// delivery for each message to a recipient. A process claims a delivery, sends it and
// records the result. The claim is a conditional write of the status that fixes every
// byte of the message; a process that loses this race sends nothing. If a send ends
// without a record, Usher repeats it with the same bytes, but only once no process that
// claimed it before can still be sending.
//
// # Seats
//
// If the role takes a seat, each attempt needs a seat of the Organization. Usher sends
// the attempt, and the invited person can accept it, only while the Organization's list
// of seats has an entry for it (see package seat).
package invitation
