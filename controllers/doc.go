// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package controllers holds one reconciler for each kind. All have one shape:
// observe (all reads, one facts struct) → Decide (pure) → act → Report (pure)
// → one deferred save of the status on every path. What to do, and what to
// say, is decided in internal/; here are the reads, the writes, and the order
// between them. Messages are sent by package notifier.
package controllers
