// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"io/fs"
	"os"
	"time"
)

// exposure is empty: the profile of a Windows user is open to that user only, and the mode
// of a file says nothing about it.
func exposure(fs.FileInfo) string { return "" }

// rename replaces a file. Windows refuses that while another process reads it, so rename
// tries for a second: the issuer ends the sign-in if new tokens are lost.
func rename(from, to string) error {
	err := os.Rename(from, to)
	for range 20 {
		if err == nil {
			break
		}
		time.Sleep(lockPoll)
		err = os.Rename(from, to)
	}
	return err
}
