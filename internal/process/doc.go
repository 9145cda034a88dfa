// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package process wires up the two processes of Usher:
//
//   - The controller may bind roles. It connects only to the API server, mail servers,
//     the SMS gateway and the chats of Organizations.
//   - The portal faces the internet and has almost no permissions.
package process
