// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package process wires up what one process of Usher runs: the controller,
// which may bind roles and talks to nobody but the API server and the mail
// server, and the portal, which faces the internet and may do almost nothing.
package process
