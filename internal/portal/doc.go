// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package portal is what people see of Usher: the page behind the link of an
// invitation, where they make an account, sign in with one that they have, or
// decline, and the pages of those who have an account. It faces the internet and
// may do almost nothing: it reads the four kinds, creates Accounts, creates and
// updates Secrets in Usher's own namespace, and writes the status of Invitations
// and of Accounts. It deletes nothing, and a GET or a HEAD writes nothing but that
// a session is in use. It must not import a controller.
//
// # What is not told
//
// Only whoever holds a genuine link learns anything. They learn whether a user
// name is taken, because they choose one. Whether somebody has an account is
// told for the invited address, which is where the link was sent to, for another
// one after its code, and for a user name after its password: an answer is the
// same, after as many reads and as many hashes, for names and addresses that
// nobody has. Only whoever is signed in reads to which other company their account
// belongs.
//
// Whoever signs in and is not let in reads one page, with one status and the same
// headers, whether there is no such Account, the password is another, or the
// Account is locked, disabled, half-made or just gone. So they do where the API server
// reads and does not write, so that no try can be counted, and where the hash is
// damaged: to say that something failed would say that there is an Account, and it is
// only logged. The page comes after as many hashes, one for a user name and five for an
// address, and at the next multiple of half a second. An Organization's support contact is told to whoever names
// the Organization.
//
// # How a passkey signs in
//
// A passkey verifies its person, so that it signs in alone. Nobody can guess it:
// nothing is counted, and a lock keeps nobody out. The challenge is in a cookie of
// the browser that asked for it, under a MAC that every portal can check; the
// write that begins the session also uses the challenge up and keeps the counter
// of the passkey.
//
// # How a second factor comes with it
//
// A GET keeps nothing, and neither does a form that is wrong. So the secret that
// the page shows for an app, and the challenge for a passkey, are derived: with a
// key that every replica has, from a random number that only a cookie of this
// browser holds, and from the Invitation and its attempt. Whoever else has the
// link is shown something else.
package portal
