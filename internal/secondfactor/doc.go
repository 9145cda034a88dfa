// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package secondfactor implements what a person enters in addition to a password: the
// codes of an authenticator app (TOTP), with the QR code that sets it up, and recovery
// codes.
//
// The package is pure. Time and randomness are arguments, it imports neither a client nor
// net/http nor another package of Usher, and it keeps no state. The caller counts the
// attempts and stores the results.
package secondfactor
