// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/netip"
	"net/url"
	"testing"

	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/issuer/usercode"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// planned is a source of random bytes whose next token is known.
type planned struct{ next []byte }

func (p *planned) Read(into []byte) (int, error) {
	if len(p.next) == len(into) {
		defer func() { p.next = nil }()
		return copy(into, p.next), nil
	}
	return io.ReadFull(rand.Reader, into)
}

// twins returns two secrets whose devices have the same user code.
func twins(t *testing.T) [2][]byte {
	t.Helper()
	seen := map[string][]byte{}
	for i := range uint64(1 << 20) {
		secret := binary.BigEndian.AppendUint64(make([]byte, 24), i)
		text := base64.RawURLEncoding.EncodeToString(secret)
		code := usercode.New([]byte(text), netip.MustParseAddr("192.0.2.1"), storetest.Start).String()
		if first, found := seen[code]; found {
			return [2][]byte{first, secret}
		}
		seen[code] = secret
	}
	t.Fatal("no two secrets have the same user code")
	return [2][]byte{}
}

// An attacker in the network of a device can request codes until one is that of the device.
func TestTwoDevicesCannotUseOneApproval(t *testing.T) {
	w := memberWorld(t)
	random := &planned{}
	w.config.Random = random
	b := w.build().signedInAs("jane")
	var devices []tokenAnswer
	for _, secret := range twins(t) {
		random.next = secret
		devices = append(devices, w.ask(issuer.PathDevice, url.Values{"client_id": {"kubectl"}, "scope": {"openid offline_access"}}))
	}
	if devices[0].UserCode != devices[1].UserCode || devices[0].DeviceCode == devices[1].DeviceCode {
		t.Fatalf("devices: %+v", devices)
	}
	expect(t, b.fill(issuer.PathDevicePage, url.Values{fieldCode: {devices[0].UserCode}}), 200, "The device is approved")
	poll := func(device tokenAnswer) url.Values {
		return url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"kubectl"}, "device_code": {device.DeviceCode}}
	}
	first := w.ask(issuer.PathToken, poll(devices[0]))
	expect(t, w.userInfo(first.Access), 200)
	other := w.signedInAs("jane")
	other.visit(toAuthorize + authorization().Encode())
	other.fill(toApprove, approving(other.shownRequest()))

	expect(t, w.submit(issuer.PathToken, poll(devices[1])), 400, `"invalid_grant"`, "!access_token")
	expect(t, w.userInfo(first.Access), 401)
	expect(t, w.submit(issuer.PathToken, refreshing(first.Refresh)), 400, `"invalid_grant"`)
	expect(t, w.submit(issuer.PathToken, poll(devices[0])), 400, `"invalid_grant"`)
	if left := w.credentials("jane").Clients; len(left) != 1 || left[0].Code == nil {
		t.Errorf("sign-ins that are left: %+v", left)
	}
}
