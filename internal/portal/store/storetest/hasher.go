// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import "context"

// PlainHasher keeps passwords readable, so a test sees whose password is stored.
type PlainHasher struct{ Err error }

// Hash fails with Err.
func (h PlainHasher) Hash(_ context.Context, password string) (string, error) {
	return "hash of " + password, h.Err
}

// Verify fails with Err.
func (h PlainHasher) Verify(_ context.Context, password string, stored func() string) (bool, error) {
	if h.Err != nil {
		return false, h.Err
	}
	return stored() == "hash of "+password, nil
}
