// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package servers_test sends through real servers, as Debian ships them. Each runs in
// a directory of its own, on free ports of the loopback interface, and touches no
// other server on the machine.
package servers_test

import (
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestServers(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Real servers")
}

var _ = BeforeSuite(func() {
	SetDefaultEventuallyTimeout(10 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	SetDefaultConsistentlyDuration(500 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(20 * time.Millisecond)
})

// program returns the path of a program from a Debian package. Without the program
// the specs prove nothing, so its absence is a failure and not a skip.
func program(name, debianPackage string) string {
	GinkgoHelper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	// Servers are here; the PATH of most users does not contain it.
	path, err := exec.LookPath(filepath.Join("/usr/sbin", name))
	Expect(err).NotTo(HaveOccurred(), "These specs run %s: install the Debian package %s.", name, debianPackage)
	return path
}

// freePort returns a TCP port of 127.0.0.1 on which no process listens.
func freePort() int {
	GinkgoHelper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	Expect(err).NotTo(HaveOccurred())
	Expect(l.Close()).To(Succeed())
	return l.Addr().(*net.TCPAddr).Port
}
