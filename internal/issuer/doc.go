// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package issuer is the OpenID provider of the portal: it decides what clients may ask, and
// which tokens they get. The library zitadel/oidc reads the requests and writes the answers.
//
// # Where the state is
//
// The issuer keeps none in memory, so every replica can answer every request:
//
//   - A request that waits for a person is sealed in a cookie. A sign-out of a client is
//     sealed in the address of its page, and a device code in the hands of the device.
//   - An access token is sealed. It names a sign-in, and works only as long as that.
//   - Codes and refresh tokens are random. The Secret of the Account has their hashes, and
//     one conditional write uses each of them up.
//
// Each purpose is sealed with a key of its own, so none of these texts passes for another.
//
// # What a person decides
//
// A person approves each sign-in on a page that names the client and the host that it leads
// to. No request is answered without it, not even with prompt=none. A GET changes nothing.
// So another site can send a person to these pages, but cannot approve or sign out for them.
package issuer
