// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/usher-dev/usher/internal/account"
)

func TestNewRefusesAHalfBuiltConfig(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"BaseURL":   func(c *Config) { c.BaseURL = nil },
		"Namespace": func(c *Config) { c.Namespace = "" },
		"Clock":     func(c *Config) { c.Clock = nil },
		"Reader":    func(c *Config) { c.Reader = nil },
		"Live":      func(c *Config) { c.Live = nil },
		"Writer":    func(c *Config) { c.Writer = nil },
		"Keys":      func(c *Config) { c.Keys = nil },
		"SeedKeys":  func(c *Config) { c.SeedKeys = nil },
		"ResetKeys": func(c *Config) { c.ResetKeys = nil },
		"Hasher":    func(c *Config) { c.Hasher = nil },
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

func TestServerHasAllLimits(t *testing.T) {
	s := Server(http.NotFoundHandler(), ":8443")
	if s.Addr != ":8443" || s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes != 16<<10 {
		t.Errorf("%+v", s)
	}
	if s.WriteTimeout <= account.AcceptanceTimeout {
		t.Errorf("accepting takes up to %v, but the write timeout is %v", account.AcceptanceTimeout, s.WriteTimeout)
	}
}
