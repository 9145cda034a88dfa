// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chat

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/matrix"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/mattermost"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/rocketchat"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/zulip"
)

// The chats whose host is in the tenant's URL.

const jsonType = "application/json"

var (
	bearerToken = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`) // RFC 6750, section 2.1
	matrixRoom  = regexp.MustCompile(`^![A-Za-z0-9._~:=-]+$`)
)

func mattermostPlace(u *url.URL) (place, bool) {
	var c mattermost.Config
	if err := c.SetURL(u); err != nil || len(pathParts(u)) > 2 || !tokenText.MatchString(c.Token) ||
		!validHost(u) || !onlyUser(u) || !onlyQuery(u, "icon", "disabletls") {
		return nil, false
	}
	target := url.URL{Scheme: webScheme(c.DisableTLS), Host: u.Host, Path: "/hooks/" + c.Token}
	return func(text string) (post, error) {
		body, err := mattermost.CreateJSONPayload(&c, text, nil)
		return post{method: http.MethodPost, url: target, header: contentType(jsonType), body: body}, err
	}, true
}

func rocketChatPlace(u *url.URL) (place, bool) {
	var c rocketchat.Config
	parts := pathParts(u)
	if err := c.SetURL(u); err != nil || len(parts) < 2 || len(parts) > 3 ||
		!tokenText.MatchString(c.TokenA) || !tokenText.MatchString(c.TokenB) ||
		!validHost(u) || !onlyUser(u) || !onlyQuery(u) {
		return nil, false
	}
	target := url.URL{Scheme: "https", Host: u.Host, Path: "/hooks/" + c.TokenA + "/" + c.TokenB}
	return func(text string) (post, error) {
		body, err := rocketchat.CreateJSONPayload(&c, text, nil)
		return post{method: http.MethodPost, url: target, header: contentType(jsonType), body: body}, err
	}, true
}

// matrixPlace posts over the client-server API. Unlike shoutrrr, it joins no rooms, puts no token in
// the URL and sends a transaction ID.
func matrixPlace(u *url.URL) (place, bool) {
	var c matrix.Config
	if err := c.SetURL(u); err != nil || c.User != "" || !bearerToken.MatchString(c.Password) ||
		len(c.Rooms) != 1 || !matrixRoom.MatchString(c.Rooms[0]) ||
		!validHost(u) || len(pathParts(u)) > 0 || !onlyQuery(u, "rooms", "disabletls") {
		return nil, false
	}
	header := contentType(jsonType)
	header.Set("Authorization", "Bearer "+c.Password)
	return func(text string) (post, error) {
		// The same text has the same transaction ID. A homeserver uses it to recognise a repeat and
		// drops the repeat.
		id := sha256.Sum256([]byte(text))
		target := url.URL{Scheme: webScheme(c.DisableTLS), Host: u.Host}
		target.Path = "/_matrix/client/v3/rooms/" + c.Rooms[0] + "/send/m.room.message/" + hex.EncodeToString(id[:])
		body, err := json.Marshal(map[string]string{"msgtype": "m.text", "body": text})
		return post{method: http.MethodPut, url: target, header: header, body: body}, err
	}, true
}

func zulipPlace(u *url.URL) (place, bool) {
	c, err := zulip.CreateConfigFromURL(u)
	if err != nil || c.BotKey == "" || strings.Contains(c.BotMail, ":") || c.Stream == "" ||
		!validHost(u) || len(pathParts(u)) > 0 || !onlyQuery(u, "stream", "topic") {
		return nil, false
	}
	header := contentType("application/x-www-form-urlencoded")
	header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.BotMail+":"+c.BotKey)))
	target := url.URL{Scheme: "https", Host: u.Host, Path: "/api/v1/messages"}
	return func(text string) (post, error) {
		body := zulip.CreatePayload(c, text).Encode()
		return post{method: http.MethodPost, url: target, header: header, body: []byte(body)}, nil
	}, true
}

func webScheme(disableTLS bool) string {
	if disableTLS {
		return "http"
	}
	return "https"
}

func contentType(value string) http.Header { return http.Header{"Content-Type": {value}} }
