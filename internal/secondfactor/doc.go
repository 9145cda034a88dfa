// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package secondfactor owns what a person shows besides a password: the codes
// of an authenticator app (TOTP) with the QR code that sets it up, and recovery
// codes. It is pure: time and randomness come in as arguments, it imports
// neither a client nor net/http nor anything of Usher, and it keeps nothing.
// Who calls it counts the attempts and stores what is left.
package secondfactor
