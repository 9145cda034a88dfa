// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import "strings"

// maxShownBrowser is how much is shown of what an unknown browser calls itself, in characters.
const maxShownBrowser = 60

// token is a part of what a browser calls itself, and what it is known by.
type token struct{ part, name string }

// Browsers call themselves what others are called as well: the first that is found counts.
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

// nameBrowser is what people call a browser, and the system that it is on. Of one
// that it does not know it gives what that calls itself, cut, and no system.
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
