// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package portal is what people see of Usher: the page behind the link of an
// invitation, where they choose a user name and a password. It faces the
// internet and may do almost nothing: it reads the four kinds, creates
// Accounts, creates and updates Secrets in Usher's own namespace, and writes
// status.acceptance of an Invitation. It deletes nothing, and a GET or a HEAD
// writes nothing. It must not import a controller.
//
// # How an invitation is accepted
//
// Three objects change: the Account is created, its Secret gets the password's
// hash, and the Invitation's status gets the acceptance. No write spans two of
// them, many requests can be at the same link at once, and any of them can die
// between any two calls. The steps of one request, all on live reads:
//
//	1 look    the link must be open.
//	2 name    create the Account. If it exists and was made through this very
//	          Invitation, it is half-made: go on with it. Otherwise the name is taken.
//	3 offer   read the Secret, then look again, then write the own hash on
//	          condition that the Secret is still as it was read.
//	4 record  write status.acceptance on condition that the Invitation is still
//	          as it was looked at. Somebody else's write means: look again.
//	5 settle  mark the Secret as settled, on condition that it is as it was
//	          read. Whoever recorded puts the own hash in; whoever found that
//	          another request recorded the same Account may only settle a
//	          Secret that holds its own hash. What is settled stays.
//
// Only whoever settles tells its person that the account is ready. From that
// follows, whatever the order of the calls:
//
//   - One Account at most wins a link: step 4 is a conditional write of one object.
//   - One request at most reports success, and the password stored is the one
//     that was typed there: step 5 is a conditional write of one object, done
//     once, and step 3 never overwrites what is settled. A request that read
//     the Secret before it was settled fails on the condition.
//   - A request that dies leaves nothing in the way. Before step 4 the link is
//     open, and the next request takes over the name and replaces the hash.
//     After step 4 the link is used, and the Secret holds a hash that some
//     holder of the link typed; whoever else is still at it settles it.
//   - A write that took effect although its answer was lost is found by the
//     look that follows every failure.
//
// One thing is left to time. A request that sleeps in step 3 between its look
// and its write, while another one records and dies before it settles, replaces
// on waking a hash whose owner was told nothing but may try it all the same.
// account.AcceptanceTimeout keeps that window short.
//
// Accounts that lost, or that nobody came back to, are the controller's to
// delete; the portal goes on with none that is being deleted.
package portal
