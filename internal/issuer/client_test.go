// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import "testing"

func TestWhereCodesOfKubectlGo(t *testing.T) {
	for _, uri := range []string{
		"http://127.0.0.1:8000", "http://127.0.0.1:8000/", "http://127.0.0.1:1/", "http://127.0.0.1:65535/", "http://127.0.0.1", "http://127.0.0.1/",
		"http://localhost:8000", "http://localhost:18000/", "http://[::1]:8000/",
	} {
		if !Kubectl().Allows(uri) {
			t.Errorf("%q is refused", uri)
		}
	}
	for _, uri := range []string{
		"", "/", "//127.0.0.1:8000/", "127.0.0.1:8000", "https://127.0.0.1:8000/", "HTTP://127.0.0.1:8000/", "http:/127.0.0.1:8000/", "http:127.0.0.1:8000/",
		"http://127.0.0.1:0/", "http://127.0.0.1:08000/", "http://127.0.0.1:+8000/", "http://127.0.0.1:-1/", "http://127.0.0.1:65536/", "http://127.0.0.1:/",
		"http://127.0.0.1:8000/callback", "http://127.0.0.1:8000//", "http://127.0.0.1:8000/.", "http://127.0.0.1:8000/..", "http://127.0.0.1:8000/%2f",
		"http://127.0.0.1:8000/?x=y", "http://127.0.0.1:8000?x=y", "http://127.0.0.1:8000/#x", "http://127.0.0.1:8000#", "http://127.0.0.1:8000/\n",
		"http://127.0.0.1:8000\\@evil.example/", "http://127.0.0.1:8000@evil.example/", "http://127.0.0.1@evil.example/", "http://evil.example@127.0.0.1:8000/",
		"http://user:pass@127.0.0.1:8000/", "http://127.0.0.1.evil.example/", "http://127.0.0.1.:8000/", "http://127.0.0.2:8000/", "http://127.1:8000/",
		"http://0.0.0.0:8000/", "http://2130706433:8000/", "http://0x7f.0.0.1:8000/", "http://[::]:8000/", "http://[::ffff:127.0.0.1]:8000/", "http://[0:0:0:0:0:0:0:1]:8000/",
		"http://LOCALHOST:8000/", "http://localhost.evil.example:8000/", "http://localhost.:8000/", "http://evil.example/127.0.0.1:8000/", "http://%3127.0.0.1:8000/",
		" http://127.0.0.1:8000/", "http://127.0.0.1:8000/ ", "http://127.0.0.1 :8000/", "http://127.0.0.1:80 00/", "http://127.0.0.1:８０００/",
		"javascript:alert(1)", "data:text/html,x", "urn:ietf:wg:oauth:2.0:oob", "kubectl://127.0.0.1:8000/", "file:///etc/passwd",
	} {
		if Kubectl().Allows(uri) {
			t.Errorf("%q is allowed", uri)
		}
	}
}

func TestWhereCodesOfOtherClientsGo(t *testing.T) {
	c := Client{RedirectURIs: []string{"https://app.example.com/callback", "http://127.0.0.1/callback"}}
	for uri, want := range map[string]bool{
		"https://app.example.com/callback": true, "http://127.0.0.1:8000/callback": true,
		"https://app.example.com/callback/": false, "https://app.example.com/callback?x": false, "https://app.example.com:443/callback": false,
		"http://app.example.com/callback": false, "https://app.example.com/": false, "https://APP.example.com/callback": false,
		"http://127.0.0.1:8000/": false, "http://localhost:8000/callback": false,
	} {
		if c.Allows(uri) != want {
			t.Errorf("%q: %t", uri, !want)
		}
	}
}

func TestWhichAddressesAreOnThisComputer(t *testing.T) {
	for uri, want := range map[string]bool{
		"http://127.0.0.1:8000/": true, "http://localhost": true, "http://localhost/callback": true, "http://[::1]:8000/": true,
		"http://localhost.evil.example/": false, "http://127.0.0.1.evil.example": false, "http://127.0.0.1@evil.example/": false, "https://app.example.com/": false,
	} {
		if IsThisComputer(uri) != want {
			t.Errorf("%q: %t", uri, !want)
		}
	}
}
