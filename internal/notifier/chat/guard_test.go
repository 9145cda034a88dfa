// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chat

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
)

func TestGuardedAddresses(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "127.8.9.10": true, "::1": true, "::ffff:127.0.0.1": true, "64:ff9b::7f00:1": true,
		"0.0.0.0": true, "0.1.2.3": true, "::": true, "::127.0.0.1": true,
		"169.254.169.254": true, "169.254.170.2": true, "::ffff:169.254.169.254": true, "64:ff9b::a9fe:a9fe": true,
		"fe80::1": true, "fe80::1%eth0": true, "fd00:ec2::254": true, "fd00:ec2::23": true, "fd20:ce::254": true,
		"100.100.100.200": true, "168.63.129.16": true,
		"224.0.0.1": true, "239.255.255.250": true, "255.255.255.255": true, "240.0.0.1": true, "ff02::1": true,

		// A self-hosted chat runs in such networks.
		"10.96.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "100.64.0.1": false, "fd00::1": false,
		"203.0.113.1": false, "2001:db8::1": false, "64:ff9b::cb00:7101": false,
	} {
		if got := isBlocked(netip.MustParseAddr(addr), false); got != want {
			t.Errorf("%s: got %t", addr, got)
		}
	}
}

func TestLoopbackIsAllThatCanBeAllowed(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"127.0.0.1": false, "::1": false, "::ffff:127.0.0.1": false,
		"169.254.169.254": true, "0.0.0.0": true, "::": true, "fe80::1": true, "ff02::1": true,
	} {
		if got := isBlocked(netip.MustParseAddr(addr), true); got != want {
			t.Errorf("%s: got %t", addr, got)
		}
	}
}

func TestGuardedPlacesAreNotPostedTo(t *testing.T) {
	t.Parallel()
	requests := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { requests <- r.URL.Path }))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := New(Config{})
	transportOf(t, c)
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "169.254.169.254"} {
		got := outcome(t, c.Send(t.Context(), fmt.Sprintf("mattermost://%s:%s/%s?disabletls=yes", host, port, secret), notice))
		if got != "invalid chat URL" {
			t.Errorf("%s: got %s", host, got)
		}
	}
	if len(requests) > 0 {
		t.Errorf("a request to %s arrived", <-requests)
	}
}

// A proxy connects without the client's knowledge.
func TestGuardedPlacesAreNotPostedToByAProxy(t *testing.T) {
	t.Parallel()
	requests := make(chan string, 10)
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { requests <- r.Host }))
	t.Cleanup(proxy.Close)
	c := New(Config{AllowLoopback: true})
	transportOf(t, c).Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	for host, want := range map[string]string{"169.254.169.254": "invalid chat URL", "[::ffff:a9fe:a9fe]": "invalid chat URL", "chat.example.com": "taken"} {
		got := outcome(t, c.Send(t.Context(), "mattermost://"+host+"/"+secret+"?disabletls=yes", notice))
		if got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
	if len(requests) != 1 {
		t.Errorf("%d requests reached the proxy, want 1", len(requests))
	}
}
