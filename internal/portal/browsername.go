// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import "strings"

// maxShownBrowser is the maximum length of the User-Agent text shown for an
// unknown browser, in characters.
const maxShownBrowser = 60

// token is a part of a User-Agent header, and the name that people know it by.
type token struct{ part, name string }

// Browsers also include the names of other browsers, so the first match in this
// order counts.
var (
	browsers = []token{
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"},
		{"Chrome/", "Chrome"},
		{"CriOS/", "Chrome"},
		{"Safari/", "Safari"},
	}
	systems = []token{
		{"Android", "Android"},
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"CrOS", "ChromeOS"},
		{"Windows", "Windows"},
		{"Macintosh", "macOS"},
		{"Linux", "Linux"},
	}
)

// nameBrowser returns the common names of a browser and its operating system. For
// an unknown browser it returns the User-Agent text, cut to maxShownBrowser
// characters, and no system.
func nameBrowser(agent string) (browser, system string) {
	known := func(all []token) string {
		for _, t := range all {
			if strings.Contains(agent, t.part) {
				return t.name
			}
		}
		return ""
	}
	browser, system = known(browsers), known(systems)
	if browser != "" && system != "" {
		return browser, system
	}
	if runes := []rune(agent); len(runes) > maxShownBrowser {
		return string(runes[:maxShownBrowser]) + "…", ""
	}
	return agent, ""
}
