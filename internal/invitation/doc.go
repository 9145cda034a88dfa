// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package invitation holds the life of an invitation: what to do next (Decide),
// what to say about it (Report), how a link stands (Check), the links and the
// codes. It is pure: it imports neither a client nor net/http, and time comes in
// as an argument.
//
//	         applied by hand, or made for a Membership
//	                           │
//	┌───────────────────────▶ Sending ──────────────────────┐
//	│ a new attempt,           │                            │
//	│ with a new link          ▼ a channel has the link     │
//	├─────────────────────── Pending ────────────────────┐  │
//	│                  "no" │  │    │ time over           │  │
//	│            ┌──────────┘  │    └──────────┐          │  │
//	│            ▼             ▼ "yes"         ▼          ▼  ▼
//	├──────── Declined       Active         Expired      Failed
//	│                                          │            │
//	└──────────────────────────────────────────┴────────────┘
//
// Every way from one state to another, and what leads there:
//
//	Sending  → Pending   a channel has taken the link
//	Sending  → Active    "yes", by a link that was not known to have arrived
//	Sending  → Declined  "no", likewise
//	Sending  → Expired   time over, where a channel has only just taken the link
//	Sending  → Failed    refused for good by every channel, or time over before
//	                     one took it; no such role, no seat, an address that may
//	                     not be invited, or is invited or in already; status lost
//	Pending  → Active    "yes"
//	Pending  → Declined  "no"
//	Pending  → Expired   time over
//	Pending  → Sending   resend
//	Pending  → Failed    no such role, no seat and the like; status lost
//	Declined → Sending   resend
//	Declined → Failed    no such role and the like; status lost
//	Expired  → Sending   resend
//	Expired  → Failed    no such role and the like; status lost
//	Failed   → Sending   resend; repaired before it went out; held mail is released
//	Failed   → Pending   repaired, or a seat comes free
//	Failed   → Declined  repaired, and it was declined before
//	Failed   → Expired   repaired too late, or time over without a seat
//	Failed   → Active    repaired, and it was accepted before
//
// From each of them it gets to be Active where an Account turns out to hold the
// Membership. Active is history: it never changes a Membership again.
//
// While it is Sending, it waits for its Organization, for a seat that has not
// been given yet, for another Invitation to give way, or for a try to succeed. A
// resend waits until nobody is at a try of the attempt before, and until the
// address may be mailed again, and the telephone texted.
//
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
