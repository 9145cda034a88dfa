// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/usher-dev/usher/internal/account"
)

func TestNewRefusesAHalfBuiltConfig(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"BaseURL":      func(c *Config) { c.BaseURL = nil },
		"Namespace":    func(c *Config) { c.Namespace = "" },
		"OwnNamespace": func(c *Config) { c.OwnNamespace = "" },
		"Clock":        func(c *Config) { c.Clock = nil },
		"Reader":       func(c *Config) { c.Reader = nil },
		"Live":         func(c *Config) { c.Live = nil },
		"Writer":       func(c *Config) { c.Writer = nil },
		"Keys":         func(c *Config) { c.Keys = nil },
		"SeedKeys":     func(c *Config) { c.SeedKeys = nil },
		"ResetKeys":    func(c *Config) { c.ResetKeys = nil },
		"Hasher":       func(c *Config) { c.Hasher = nil },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := aWorld(t).config
			change(&cfg)
			if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "Config."+name) {
				t.Errorf("New without %s: %v", name, err)
			}
		})
	}
	for _, base := range []string{"usher.example.com", "/usher", "ftp://usher.example.com", "https://", "https://u:p@h", "https://h?q=1", "https://h#f"} {
		cfg := aWorld(t).config
		cfg.BaseURL, _ = url.Parse(base)
		if _, err := New(cfg); err == nil {
			t.Errorf("New accepts the base URL %q", base)
		}
	}
}

func TestWideProxiesAreWarnedAbout(t *testing.T) {
	for network, wide := range map[string]bool{
		"10.20.30.40/32": false, "10.20.30.32/28": false, "10.20.30.0/25": false, "2001:db8::7/128": false, "2001:db8::/121": false,
		"10.20.30.0/24": true, "10.0.0.0/8": true, "0.0.0.0/0": true, "2001:db8::/120": true, "fd00::/8": true, "::/0": true,
	} {
		t.Run(network, func(t *testing.T) {
			w := aWorldWithoutPages(t)
			w.config.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix(network)}
			log := w.build().logs.String()
			if warned := strings.Contains(log, "Trusted proxies are too wide"); warned != wide {
				t.Errorf("log:\n%s", log)
			}
			if wide && (strings.Count(log, "\n") != 1 || !strings.Contains(log, network+" has room for all pods of a node") || !strings.Contains(log, "such as 10.20.30.40/32")) {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}

func TestServerHasAllLimits(t *testing.T) {
	s := Server(http.NotFoundHandler(), ":8443")
	if s.Addr != ":8443" || s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes != 16<<10 {
		t.Errorf("%+v", s)
	}
	if s.WriteTimeout <= account.AcceptanceTimeout {
		t.Errorf("accepting takes up to %v, but the write timeout is %v", account.AcceptanceTimeout, s.WriteTimeout)
	}
}
