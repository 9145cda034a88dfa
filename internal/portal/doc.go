// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package portal is what people see of Usher: the page behind the link of an
// invitation, where they make an account, sign in with one that they have, or
// decline. It faces the internet and may do almost nothing: it reads the four
// kinds, creates Accounts, creates and updates Secrets in Usher's own namespace,
// and writes acceptance, decline, otherAddress and guesses in the status of an
// Invitation. It deletes nothing, and a GET or a HEAD writes nothing. It must not
// import a controller.
//
// # What is written into an Invitation
//
// Every write is conditional on the Invitation being as it was looked at, live,
// with the link open at that moment. So there is one answer at the most, yes or
// no, whoever else is at the same link; and all state of a conversation is in
// the Invitation, so that another browser with the link, or another replica, can
// go on with it.
//
//	acceptance    the last but one step of making an account, and the last of
//	              signing in with one.
//	decline       written for a form with the tick that a person sets: mail
//	              scanners follow links and send forms.
//	guesses       counted up before a password or a code is looked at, whether or
//	              not it is right. Who was not counted is not looked at, so that a
//	              limit of ten means ten, however many guess at once.
//	otherAddress  asks the controller for a code to an address that is not the
//	              invited one. A right code in the form that makes an account
//	              gives the Account that address.
//
// A write that took effect although its answer was lost is found by the look
// that follows every failure. A guess cannot be found: it is lost then.
//
// # What is not told
//
// Only whoever holds a genuine link learns anything. They learn whether a user
// name is taken, because they choose one. Whether somebody has an account is
// told for the invited address, which is where the link was sent to, for another
// one after its code, and for a user name after its password: an answer is the
// same, after as many reads and as many hashes, for names and addresses that
// nobody has.
//
// # How an account is made
//
// Three objects change: the Account is created, its Secret gets the password's
// hash, and the Invitation's status gets the acceptance. No write spans two of
// them, many requests can be at the same link at once, and any of them can die
// between any two calls. The steps of one request, all on live reads:
//
//	1 look    the link must be open.
//	2 name    create the Account. If it exists, half-made through this very
//	          Invitation and for the same address: go on with it. Otherwise the
//	          name is taken.
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
//
// One thing is left to time. A request that sleeps in step 3 between its look
// and its write, while another one records and dies before it settles, replaces
// on waking a hash whose owner was told nothing but may try it all the same.
// account.AcceptanceTimeout keeps that window short.
//
// Nobody signs in with a password before it is settled, nor with an Account that
// is half-made.
//
// Accounts that lost, or that nobody came back to, are the controller's to
// delete; the portal goes on with none that is being deleted.
package portal
