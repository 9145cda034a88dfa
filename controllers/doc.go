// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package controllers contains one reconciler for each kind of Usher's API.
//
// All reconcilers have the same shape:
//
//  1. observe does all reads and returns one facts struct.
//  2. Decide, a pure function, returns a plan.
//  3. act carries out the plan.
//  4. Report, a pure function, returns the new status.
//  5. One deferred call saves the status on every path.
//
// The packages under internal decide what to do and what to report. This package has the
// reads, the writes and their order. Package notifier sends the messages.
package controllers
