// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chat

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/usher-dev/usher/internal/outbound"
)

// loopback is where the servers of these tests are.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func TestAChatInABlockedNetworkIsNotPostedTo(t *testing.T) {
	t.Parallel()
	requests := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { requests <- r.URL.Path }))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := New(Config{})
	// The answer is the same for a name that does not exist.
	want := "temporary: the chat could not be reached: " + outbound.ErrUnreachable.Error()
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"} {
		got := outcome(t, c.Send(t.Context(), fmt.Sprintf("mattermost://%s:%s/%s?disabletls=yes", host, port, secret), notice))
		if got != want {
			t.Errorf("%s: got %s", host, got)
		}
	}
	if len(requests) > 0 {
		t.Errorf("a request to %s arrived", <-requests)
	}
}

// A proxy resolves the name and connects without a check.
func TestAChatIsPostedToWithoutAProxy(t *testing.T) {
	t.Parallel()
	if transportOf(t, New(Config{})).Proxy != nil {
		t.Error("a proxy is used")
	}
}
