// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package storetest supports the tests of the store and of the pages. It provides an API
// server with one Organization and one Invitation, calls that fail or lose their answer,
// and concurrent requests in any order.
package storetest
