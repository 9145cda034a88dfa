// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package storetest is what the tests of the store and of the pages stand on: an API
// server with one Organization and one Invitation, calls to it that fail or lose their
// answer, and several requests in every order.
package storetest
