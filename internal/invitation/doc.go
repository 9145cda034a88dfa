// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package invitation holds the life of an invitation: what to do next (Decide),
// what to say about it (Report), how a link stands (Check), the links and the
// codes. It is pure: it imports neither a client nor net/http, and time comes in
// as an argument.
//
//	applied by hand, or made for a Membership
//	                 │
//	                 ▼
//	    ┌───────── Sending ◀──────────────────────────────────┐
//	    │ taken      │                                        │
//	    │            │ refused for good by every channel;     │ a new attempt,
//	    ▼            │ no such role, no seat, an address      │ with a new link
//	 Pending ────────┤ that may not be invited, or is         │
//	 │  ▲  │         │ invited or in already; status lost     │
//	 │  │  │         ▼                                        │
//	 │  │  │       Failed ─── resend; held mail is released ──┤
//	 │  │  │         │                                        │
//	 │  └──┼─────────┘ repaired, or a seat comes free         │
//	 │     │                                                  │
//	 │     ├── "no" ──────▶ Declined ───── resend ────────────┤
//	 │     ├── time over ─▶ Expired ────── resend ────────────┤
//	 │     └────────────────────────────── resend ────────────┘
//	 │ "yes"
//	 ▼
//	Active    history from here on: it never changes a Membership again
//
// While it is Sending, it waits for its Organization, for a seat that has not
// been given yet, or for a try to succeed. A resend waits until nothing of the
// attempt before is on its way, and until the address may be mailed again.
// All but Active can lose its status. The table of every state and event is in
// docs/spec/invitations.md, drawn from this code.
//
// An attempt is one numbered mailing with its own link; its deliveries are the
// messages to each recipient. A delivery is claim → send → record. The claim is
// a conditional write of the status that fixes every byte of the message;
// whoever loses that race sends nothing. A try that ended without a record is
// repeated with the same bytes once no earlier holder can still be at it.
//
// A role that is counted needs a seat of the Organization, for each attempt: it
// is mailed, and can be accepted, only while the Organization's list says that
// it has one (package seat).
package invitation
