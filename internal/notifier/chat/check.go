// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chat

import (
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxURL is in bytes. The longest hooks, those of Teams, have about 400.
	maxURL = 2048

	urlField = "chat URL"

	reasonEmpty      = "is empty: write one, such as mattermost://HOST/TOKEN"
	reasonSeveral    = "is more than one URL: write one"
	reasonUnreadable = "cannot be read: write one URL without a # part, with special characters percent-encoded, of at most 2048 bytes"
	reasonService    = "does not begin with a supported chat: discord://, googlechat://, matrix://, mattermost://, rocketchat://, slack://, teams://, teams+https://, telegram:// or zulip://"
)

// A service parses the URLs of one scheme.
type service struct {
	// form says what to write. An error about a URL contains only form and name.
	name, form string
	// read returns false for a URL that does not fit the form. It can panic: some parsers of shoutrrr
	// do.
	read func(*url.URL) (place, bool)
}

// A place is one channel of one chat. It builds the request for a notice as the chat expects it.
type place func(text string) (post, error)

// A post is one HTTP request.
type post struct {
	method string
	url    url.URL
	header http.Header
	body   []byte
	// confirmation is the body that a 2xx answer must have. Empty means any body.
	confirmation string
}

var services = map[string]service{
	"discord":     {"Discord", "write discord://TOKEN@ID for the hook https://discord.com/api/webhooks/ID/TOKEN; you can add only thread_id", discordPlace},
	"googlechat":  {"Google Chat", "write the hook that the space shows, with googlechat:// in place of https://", googleChatPlace},
	"matrix":      {"Matrix", "write matrix://:ACCESS-TOKEN@HOST/?rooms=!ROOM-ID with the ID of one room that the user has joined; you can add only disableTLS=yes", matrixPlace},
	"mattermost":  {"Mattermost", "write mattermost://HOST/TOKEN for the hook https://HOST/hooks/TOKEN; you can add only USER@ before HOST, /CHANNEL after TOKEN, icon and disabletls=yes", mattermostPlace},
	"rocketchat":  {"Rocket.Chat", "write rocketchat://HOST/ID/TOKEN for the hook https://HOST/hooks/ID/TOKEN; you can add only USER@ before HOST and /CHANNEL after TOKEN", rocketChatPlace},
	"slack":       {"Slack", "write slack://hook:A-B-C@webhook for the hook https://hooks.slack.com/services/A/B/C; bot and user tokens are not supported, and you cannot add anything", slackPlace},
	"teams":       {"Microsoft Teams", teamsForm, teamsPlace},
	"teams+https": {"Microsoft Teams", teamsForm, teamsHookPlace},
	"telegram":    {"Telegram", "write telegram://TOKEN@telegram?chats=CHAT with one chat: its number, or its @name; you can add only :THREAD after it", telegramPlace},
	"zulip":       {"Zulip", "write zulip://BOT%40EXAMPLE.COM:KEY@HOST/?stream=STREAM with the address and the key of the bot; you can add only topic", zulipPlace},
}

const teamsForm = "write the URL that the workflow in Teams shows (\"when a webhook request is received\") with teams+ before its https://"

// Check returns nil for a URL that Send can post to. Otherwise it returns an *InvalidError that says
// what to write and repeats nothing of the URL. It connects to nothing, so the hook can still be wrong.
// It ignores white space around the URL, because Secrets often end in a line break.
func Check(rawURL string) error {
	_, err := parse(rawURL)
	return err
}

func parse(rawURL string) (place, error) {
	raw := strings.TrimSpace(rawURL)
	switch {
	case raw == "":
		return nil, &InvalidError{urlField, reasonEmpty}
	case severalURLs.MatchString(raw):
		return nil, &InvalidError{urlField, reasonSeveral}
	case len(raw) > maxURL:
		return nil, &InvalidError{urlField, reasonUnreadable}
	}
	u, err := url.Parse(raw)
	if err != nil || strings.Contains(raw, "#") {
		return nil, &InvalidError{urlField, reasonUnreadable}
	}
	s, known := services[u.Scheme]
	if !known {
		return nil, &InvalidError{urlField, reasonService}
	}
	p, ok := s.readSafely(u)
	if !ok {
		return nil, &InvalidError{urlField, s.reason()}
	}
	return p, nil
}

func (s service) reason() string { return "is not right for " + s.name + ": " + s.form }

func (s service) readSafely(u *url.URL) (p place, ok bool) {
	defer func() {
		// The panic value can contain the URL.
		if recover() != nil {
			p, ok = nil, false
		}
	}()
	return s.read(u)
}

var (
	severalURLs = regexp.MustCompile(`[\s,;|][A-Za-z][A-Za-z0-9+.-]*://`)
	hostName    = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	tokenText   = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	digits      = regexp.MustCompile(`^[0-9]+$`)
)

// validHost reports whether the URL names a host name or an IP address, perhaps with a port.
func validHost(u *url.URL) bool {
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		return addr.Zone() == ""
	}
	return len(u.Hostname()) <= 253 && hostName.MatchString(u.Hostname())
}

// onlyQuery reports whether each parameter is one of names, in lower case, and occurs once. Of two
// values, it would be unclear which one counts.
func onlyQuery(u *url.URL, names ...string) bool {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return false
	}
	seen := make([]string, 0, len(query))
	for name, values := range query {
		name = strings.ToLower(name)
		if !slices.Contains(names, name) || slices.Contains(seen, name) || len(values) != 1 {
			return false
		}
		seen = append(seen, name)
	}
	return true
}

// onlyUser reports whether the URL has no password, so that at most a user name stands before the host.
func onlyUser(u *url.URL) bool {
	_, has := u.User.Password()
	return !has
}

// pathParts returns the parts of the path, without a slash at its end.
func pathParts(u *url.URL) []string {
	path := strings.Trim(u.Path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}
