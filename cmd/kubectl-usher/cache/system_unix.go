// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package cache

import (
	"io/fs"
	"os"
	"syscall"
)

// exposure says in which way other users can open a file or a directory. It is empty if they
// cannot.
func exposure(info fs.FileInfo) string {
	if owner, known := info.Sys().(*syscall.Stat_t); known && int(owner.Uid) != os.Geteuid() {
		return "belongs to another user"
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "is open to other users"
	}
	return ""
}

// rename replaces a file.
func rename(from, to string) error { return os.Rename(from, to) }
