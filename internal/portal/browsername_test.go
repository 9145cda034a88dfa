// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"strings"
	"testing"
)

func TestWhatABrowserIsCalled(t *testing.T) {
	const apple = " AppleWebKit/537.36 (KHTML, like Gecko) "
	for agent, want := range map[string][2]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                      {"Firefox", "Linux"},
		"Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0":                                                        {"Firefox", "Android"},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/140.0 Safari/605.1.15": {"Firefox", "iPhone"},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" + apple + "Chrome/138.0.0.0 Safari/537.36":                                        {"Chrome", "Windows"},
		"Mozilla/5.0 (Linux; Android 10; K)" + apple + "Chrome/138.0.0.0 Mobile Safari/537.36":                                        {"Chrome", "Android"},
		"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X)" + apple + "CriOS/138.0.7204.33 Mobile/15E148 Safari/604.1":                    {"Chrome", "iPad"},
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)" + apple + "Chrome/138.0.0.0 Safari/537.36":                                         {"Chrome", "ChromeOS"},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)" + apple + "Version/18.5 Safari/605.1.15":                                    {"Safari", "macOS"},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" + apple + "Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0":                          {"Edge", "Windows"},
		"Mozilla/5.0 (Linux; Android 10; HD1913)" + apple + "Chrome/138.0.0.0 Mobile Safari/537.36 EdgA/138.0.0.0":                    {"Edge", "Android"},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)" + apple + "Chrome/138.0.0.0 Safari/537.36 OPR/120.0.0.0":                    {"Opera", "macOS"},
		"Mozilla/5.0 (Linux; Android 10; K)" + apple + "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36":                    {"Samsung Internet", "Android"},
		"curl/8.14.1":                    {"curl/8.14.1", ""},
		"Custom browser on Windows":      {"Custom browser on Windows", ""},
		"Firefox/140.0 on a new system":  {"Firefox/140.0 on a new system", ""},
		strings.Repeat("ü", 60):          {strings.Repeat("ü", 60), ""},
		strings.Repeat("ü", 61):          {strings.Repeat("ü", 60) + "…", ""},
		"<script>alert('a')</script>, x": {"<script>alert('a')</script>, x", ""},
		"":                               {"", ""},
	} {
		if browser, system := nameBrowser(agent); browser != want[0] || system != want[1] {
			t.Errorf("%q: got %q on %q, want %q on %q", agent, browser, system, want[0], want[1])
		}
	}
}
