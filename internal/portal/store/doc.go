// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package store is what the pages of the portal read from the API server, and write
// there: it looks at the Invitation of a link, makes Accounts, and keeps passwords,
// second factors and sessions in their Secrets. It knows no HTTP, no form and no page.
// It creates Accounts, creates and updates Secrets in Usher's own namespace, and writes
// the status of Invitations and of Accounts. It deletes nothing.
//
// # What is written into an Invitation
//
// Every write is conditional on the Invitation being as it was looked at, live,
// with the link open at that moment. So there is one answer at the most, yes or
// no, whoever else is at the same link; and all state of a conversation is in
// the Invitation, so that another browser with the link, or another replica, can
// go on with it.
//
//	acceptance    the last but one step of making an account, and all that is
//	              written where somebody accepts with one that they are signed
//	              in with.
//	decline       written for a form with the tick that a person sets: mail
//	              scanners follow links and send forms.
//	guesses       counted up before a code is looked at, whether or not it is
//	              right. Who was not counted is not looked at, so that a limit of
//	              ten means ten, however many guess at once. Passwords are counted
//	              in the same way, for the Account that they are of.
//	otherAddress  asks the controller for a code to an address that is not the
//	              invited one. A right code in the form that makes an account
//	              gives the Account that address.
//
// A write that took effect although its answer was lost is found by the look
// that follows every failure. A guess cannot be found: it is lost then.
//
// # How somebody signs in
//
// Two objects decide. The status of the Account counts what is tried; its Secret
// holds the hash of the password, the second factor, and a hash of the token of
// each session, which the browser's cookie holds together with the Account's name.
// No portal remembers anything between two requests, so that any of them can
// answer the next one. The steps of one request, all on live reads:
//
//	1 count   take one of the places to hash in, and only then add one to
//	          status.signIn, on condition that the Account is as it was read and
//	          is not locked.
//	2 look    compare the password with the hash, in that place.
//	3 begin   add a session with a new token, in place of the one that the
//	          browser came with, on condition that the Secret is as it was read
//	          and still holds that hash. Where there is a second factor, nothing
//	          can be done with the session but to give it.
//	4 forget  take out of status.signIn what was counted, and bring the rest of
//	          the status up to date with the Secret.
//
// A second factor takes the same steps with a count of its own, and there 2 and 3
// are one write, which also uses the code up. From that follows:
//
//   - Of any number of guesses at any number of portals as many are looked at as
//     the Account's strictest Organization allows. Whoever finds no place to hash in
//     is turned away, and nothing is counted: a crowd at the door locks nobody out.
//     What was counted and could not be looked at, because the answer to the write
//     was lost, stays counted until the next success.
//   - The right password gives no new tries for the second factor, and a code lets
//     in once.
//   - No browser can hand its session to somebody else before they sign in: a
//     token is never the one that a request came with.
//   - A request that dies after step 3 leaves a session whose token nobody holds,
//     and a count that is one too high.
//
// A new hash, where that of a right password is outdated, waits for another time if
// there is no place for it. Sessions that are halfway and those that are signed in are
// limited apart, to 20 each: whoever has the password alone pushes nobody out.
//
// A session is looked up anew at each request. It ends at every portal with the
// write that takes it out of the Secret, that locks or disables the Account or
// ends its sessions, with the deletion of the Account, and with a restore, which
// gives the Account another UID.
//
// # How a password is changed
//
// By the current one, which takes the steps 1 and 2, after the new one was hashed. One
// conditional write of the Secret, in which the session of the request must not have
// been ended, replaces the password, ends every other session and gives this one
// another token. Its time is no earlier than the newest request for a link, which may
// come from a clock that is ahead: every link from before is dead.
//
// # How second factors change
//
// What was begun, such as an app whose first code is awaited or a passkey that is
// being made, is kept with its session: no other session can finish it, and nobody
// can twice. Each change is one conditional write of the Secret, in which that
// session must still be alive. It ends every other session, and gives this one
// another token but no more time.
//
// # How a forgotten password is replaced
//
// Whoever asks for a link, or for their user names, reads one page, whoever exists
// and whatever was asked for before. What they typed is kept nowhere: the time of
// the request goes into the status of the Accounts that they may mean, and the
// controller mails to the address on file. No Secret is read for it.
//
// With the link, the Secret alone decides. One conditional write of it, made on a
// state for which the link was looked at anew, replaces the password, writes down
// its time, from which on every link that was asked for before is dead, and ends
// every session. So a link gives one password. Nobody is signed in by it, and a
// second factor stays: whoever reads somebody's mail still lacks that. The write
// also settles a password that a request died before it could settle (see below),
// so that its person can come back. The lock is opened afterwards.
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
//	3 offer   read the Secret, then look again, then write the own credentials
//	          on condition that the Secret is still as it was read.
//	4 enrol   where the Organization wants a second factor: write into the
//	          Account's status that there is one, on condition that the Account
//	          is as it was read. Somebody else's write means: read again.
//	5 record  write status.acceptance on condition that the Invitation is still
//	          as it was looked at. Somebody else's write means: look again. Who
//	          brings no second factor is refused where one is wanted by then.
//	6 settle  mark the Secret as settled, on condition that it is as it was
//	          read. Whoever recorded puts the own credentials in; whoever found
//	          that another request recorded the same Account may only settle a
//	          Secret that holds the own ones. What is settled stays.
//
// Only whoever settles tells its person that the account is ready. From that
// follows, whatever the order of the calls:
//
//   - One Account at most wins a link: step 5 is a conditional write of one object.
//   - One request at most reports success, and the password, the second factor
//     and the recovery codes that are stored are those of its person: step 6 is
//     a conditional write of one object, done once, and step 3 never overwrites
//     what is settled. A request that read the Secret before it was settled
//     fails on the condition.
//   - Whoever accepts where a second factor is wanted has one, and the status
//     says so: step 4 comes before step 5, and takes nothing back.
//   - A request that dies leaves nothing in the way. Before step 5 the link is
//     open, and the next request takes over the name and replaces the
//     credentials. After step 5 the link is used, and the Secret holds
//     credentials that some holder of the link typed; whoever else is still at
//     it settles them.
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
package store
