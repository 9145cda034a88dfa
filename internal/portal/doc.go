// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package portal serves the web pages of Usher. There are two groups of pages:
//
//   - The page behind the link of an invitation. There the invited person creates
//     an account, signs in with an existing account, or declines.
//   - The pages of people who have an account.
//
// The portal faces the internet and has almost no rights:
//
//   - It reads the four kinds.
//   - It creates Accounts.
//   - It creates and updates the Secrets with credentials.
//   - It writes the status of Invitations and of Accounts.
//
// It deletes nothing. GET and HEAD requests write nothing, except that they record
// that a session is in use. The package must not import a controller.
//
// # What the portal does not reveal
//
// Only a client with a genuine link learns whether a user name is taken, because
// the invited person chooses one.
//
// The portal reveals that an account exists only after proof:
//
//   - for the invited address: the link, which was sent to that address;
//   - for another address: the code that was sent to it;
//   - for a user name: its password.
//
// Without that proof, the answer is the same as for a name or an address that has
// no account. It also takes the same number of reads and of hashes. The portal
// names the other company that an account belongs to only to a person who is
// signed in to that account.
//
// # What a failed sign-in reveals
//
// A failed sign-in gets the same page, with the same status code and headers, for all
// of these causes:
//
//   - There is no such Account.
//   - The password is wrong.
//   - Passwords of the Account are locked.
//   - The Account is disabled or incomplete, or was deleted a moment ago.
//   - The API server accepts reads but no writes, so the portal cannot count the
//     attempt.
//   - The stored hash is damaged.
//
// In the last two cases, an error page would reveal that the Account exists, so
// the portal only logs the failure.
//
// Each attempt computes one hash, also for an address that several Accounts have. The
// portal answers at the next multiple of half a second.
//
// The support contact of an Organization is not secret: the portal shows it to
// every client that names the Organization.
//
// # Known browsers
//
// A browser in which a person has signed in keeps a cookie by which their Accounts know
// it. Wrong passwords from it have a counter of their own, so strangers cannot lock the
// person out of it. The cookie gives no access.
//
// For the same input, only these clients can get another answer than a client without
// cookies:
//
//   - a client with a token that the Account knows, because of that counter;
//   - a client with a reserve, because an address with several Accounts means the one
//     that the browser signed in to last, and because it has limits of its own.
//
// A reserve comes from a sign-in, and a token from a sign-in or a reset.
//
// # How a passkey signs in
//
// A passkey verifies its user, so no password is needed to sign in with one. An
// attacker cannot guess a signature. Therefore the portal counts no failures, and a
// lock does not block a passkey.
//
// The challenge is in a cookie of the browser that requested it, with a MAC that
// every replica can verify. A single write begins the session, marks the challenge
// as used and saves the counter of the passkey.
//
// # How a second factor is set up with an invitation
//
// Neither a GET nor a form with errors stores anything. So the portal does not store
// the secret for an authenticator app and the challenge for a passkey: it derives
// them for each page, with a key that every replica has, from these values:
//
//   - a random number that only a cookie of this browser holds;
//   - the Invitation and its attempt.
//
// Another client with the same link therefore sees another secret and another
// challenge.
package portal
