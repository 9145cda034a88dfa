// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package store is the portal's access to the API server. It reads Invitations and
// Accounts for the pages, creates Accounts, and keeps passwords, second factors and
// sessions in Secrets. It knows no HTTP, no form and no page.
//
// The package creates Accounts, creates and updates the Secrets with credentials, and
// updates the status of Invitations and Accounts. It deletes nothing.
//
// # Writes to an Invitation
//
// Every write is conditional: it fails unless the Invitation is unchanged since a live
// read that found the link open. So each link gets at most one answer, yes or no, however
// many browsers use it. The Invitation holds all state of the conversation. Another
// browser with the link, or another replica, can therefore continue it.
//
// The portal writes these fields of the status:
//
//   - acceptance: written in the second-to-last step of creating an account. It is the
//     only write if a person accepts with an account that they are signed in to.
//   - decline: written only if the person ticked the checkbox of the form, because mail
//     scanners follow links and submit forms.
//   - guesses: incremented before a code is compared, whether or not the code is right. A
//     code that was not counted is not compared, so a limit of ten means ten, however
//     many clients guess at once. Passwords are counted in the same way, on the Account
//     that they belong to.
//   - otherAddress: asks the controller to mail a code to an address that is not the
//     invited one. The right code, entered in the form that creates an account, gives the
//     Account that address.
//
// A write can take effect even though its answer is lost. The read that follows every
// failure finds such a write. The exception is the count of a guess: the read cannot show
// which request incremented it. Then the guess may be counted, but it is not compared.
//
// # Sign-in
//
// Two objects decide. The status of the Account counts the attempts. The Secret of the
// Account holds the hash of the password, the second factor, and a hash of each session's
// token. The browser's cookie holds the token and the Account's name. No portal keeps
// state between two requests, so any replica can answer the next one. A request takes
// these steps, all on live reads:
//
//  1. count: get a slot for hashing. Only then increment the counter in status.signIn, on
//     condition that the Account is unchanged and that passwords are not locked. If the
//     Account knows the browser, increment the browser's counter in the Secret instead.
//  2. compare: compare the password with the hash, in that slot.
//  3. begin: add a session with a new token, which replaces the session of the request.
//     The condition is that the Secret is unchanged and still holds that hash. If the
//     Account has a second factor, the session can only be used to enter that factor.
//  4. forget: reset what step 1 counted in status.signIn, and bring the rest of the status
//     up to date with the Secret. Step 3 resets the counter of a browser.
//
// A second factor takes the same steps with a counter of its own. There, steps 2 and 3
// are one write, which also uses up the code. This guarantees:
//
//   - The portals compare no more guesses than the Account's strictest Organization
//     allows, however many requests and replicas there are. A request that finds no free
//     slot is turned away and is not counted, so a flood of requests locks no Account. If
//     the answer to the counting write is lost, the attempt cannot be compared. It stays
//     counted until the next success.
//   - The right password does not reset the counter of the second factor, and each code
//     works only once.
//   - Session fixation is impossible: each sign-in gets a new token, whatever token the
//     request had.
//   - A request that dies after step 3 leaves a session whose token no browser has, and a
//     counter that is one too high.
//
// If the hash of a right password is outdated and there is no slot for a new hash, the
// rehash waits for a later sign-in. Sessions that still need the second factor and
// sessions that are signed in have separate limits, of 20 each. So an attacker who has
// only the password cannot displace a signed-in session.
//
// Each request looks its session up again. A session ends at every portal with the write
// that does one of these:
//
//   - removes the session from the Secret
//   - disables the Account
//   - ends the Account's sessions
//   - deletes the Account
//   - restores the Account, which gives it another UID
//
// # Changing a password
//
// The member enters the current password and a new one. The portal hashes the new one, and
// then takes steps 1 and 2 with the current one. One conditional write of the Secret then
// replaces the password, ends every other session, and gives this session another token.
// It fails if the session of the request has ended. The recorded time of the new password
// is never earlier than the newest request for a reset link, even if the clock of the
// portal that recorded the request was ahead. So no earlier link works any more.
//
// # Changing second factors
//
// A setup in progress is kept with its session, for example an app whose first code is
// awaited, or a passkey that is being created. No other session can finish it, and it
// cannot be finished twice. Each change is one conditional write of the Secret, which
// fails if that session has ended. The change ends every other session. It gives this
// session another token, but does not extend it.
//
// # Resetting a forgotten password
//
// A request for a reset link or for user names always gets the same page, regardless of
// which accounts exist and of earlier requests. The portal does not store what was typed.
// It writes the time of the request into the status of the Accounts that may be meant,
// and the controller mails to the address on file. No Secret is read for such a request.
//
// When the link is used, the Secret alone decides. One conditional write replaces the
// password, records its time and ends every session. The portal checks the link on the
// version of the Secret that this write replaces. Every link that was requested before the
// recorded time is invalid, so a link sets one password. The reset starts no session. It
// keeps the second factor, which an attacker who reads the mailbox does not have. The
// write also makes the credentials final if an earlier request died before it could do so
// (see below). So the owner of the Account can sign in again. Afterwards, the portal
// removes the lock.
//
// If the Secret is missing, a reset creates it again, without a second factor. So no link
// works if the Account has one, until an admin restores the Secret or deletes the Account.
//
// # Creating an account
//
// Three objects change: the Account is created, its Secret gets the hash of the password,
// and the Invitation's status gets the acceptance. No write spans two objects, many
// requests can use the same link at once, and each can die between any two calls. A
// request takes these steps, all on live reads:
//
//  1. check: the link must be open.
//  2. name: create the Account. If it exists, and is incomplete through this very
//     Invitation and for the same address, continue with it. Otherwise the name is taken.
//     (An Account is incomplete until the controller records a Membership in it.) Then
//     check that the name is not withheld. The controller withholds the name of a deleted
//     Account before it removes the Account. So a check after the creation finds that,
//     and one before it might not.
//  3. offer: read the Secret, then check the link again. Then write the credentials of
//     this request, on condition that the Secret is unchanged.
//  4. enrol: if the Organization requires a second factor, record in the Account's status
//     that one is enrolled, on condition that the Account is unchanged. On a conflict,
//     read again.
//  5. record: write status.acceptance, on condition that the Invitation is unchanged. On
//     a conflict, check the link again. A request without a second factor is refused if
//     the Organization requires one by then.
//  6. finalize: mark the credentials in the Secret as final, on condition that the Secret
//     is unchanged. A request that recorded the acceptance writes its own credentials
//     with the mark. If another request recorded the same Account, this request may mark
//     only a Secret that already holds its own credentials. If the credentials are final
//     already, they stay as they are.
//
// Only the request whose credentials are final tells its person that the account is ready.
// This guarantees, for every order of the calls:
//
//   - At most one Account wins a link, because step 5 is a conditional write of one
//     object.
//   - At most one request reports success, and the stored password, second factor and
//     recovery codes are those of its person. Step 6 is a conditional write of one object
//     that happens once. Step 3 never overwrites final credentials: if they became final
//     after the request read the Secret, the condition of the write fails.
//   - If a second factor is required, a person who accepts has one, and the status reports
//     it. Step 4 comes before step 5 and is never undone.
//   - A request that dies blocks nothing. Before step 5 the link is open, and the next
//     request takes over the name and replaces the credentials. After step 5 the link is
//     used, and the Secret holds credentials that some holder of the link entered.
//     Another request that is still using the link makes them final.
//
// One race is limited only by time. A request can be delayed in step 3, between its check
// and its write, while another one records the acceptance and dies before step 6. When the
// first request continues, it replaces the hash of the second. The person who chose the
// second password was not told that the account is ready, but may try the password anyway.
// account.AcceptanceTimeout keeps that window short.
//
// A password cannot be used to sign in before it is final, and an incomplete Account cannot
// sign in at all.
//
// The controller deletes Accounts that lost a race or were abandoned. The portal never
// continues with an Account that is being deleted.
package store
