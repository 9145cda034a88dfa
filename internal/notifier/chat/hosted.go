// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chat

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/discord"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/googlechat"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/slack"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
)

// The chats with a fixed host, which the tenant cannot change. Teams has its own file.

var (
	googleSpace  = regexp.MustCompile(`^/v1/spaces/[A-Za-z0-9_-]+/messages$`)
	telegramChat = regexp.MustCompile(`^(@[A-Za-z0-9_]+|-?[0-9]+)(:[0-9]{1,9})?$`)

	// https://docs.slack.dev/messaging/formatting-message-text#escaping
	slackText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
)

func discordPlace(u *url.URL) (place, bool) {
	var c discord.Config
	if err := c.SetURL(u); err != nil || c.JSON || !digits.MatchString(c.WebhookID) || !tokenText.MatchString(c.Token) ||
		c.ThreadID != "" && !digits.MatchString(c.ThreadID) || !onlyUser(u) || !onlyQuery(u, "thread_id") {
		return nil, false
	}
	target, err := url.Parse(discord.CreateAPIURLFromConfig(&c))
	if err != nil {
		return nil, false
	}
	type mentions struct {
		Parse []string `json:"parse"`
	}
	type payload struct {
		discord.WebhookPayload

		AllowedMentions mentions `json:"allowed_mentions"`
	}
	return jsonPlace(*target, func(text string) any {
		return payload{discord.WebhookPayload{Content: text}, mentions{Parse: []string{}}}
	}), true
}

func googleChatPlace(u *url.URL) (place, bool) {
	var c googlechat.Config
	if err := c.SetURL(u); err != nil || c.Host != "chat.googleapis.com" || !googleSpace.MatchString(c.Path) ||
		c.Key == "" || c.Token == "" || u.User != nil || !onlyQuery(u, "key", "token") {
		return nil, false
	}
	target := url.URL{
		Scheme: "https", Host: c.Host, Path: c.Path,
		RawQuery: url.Values{"key": {c.Key}, "token": {c.Token}}.Encode(),
	}
	return jsonPlace(target, func(text string) any { return googlechat.JSON{Text: text} }), true
}

func slackPlace(u *url.URL) (place, bool) {
	var c slack.Config
	if err := c.SetURL(u); err != nil || c.Token.IsAPIToken() || c.Channel != "webhook" || !onlyQuery(u) {
		return nil, false
	}
	// The parser finds a token in any string that contains one.
	written := u.User.String()
	if len(u.Path) > 1 {
		written = slack.HookTokenIdentifier + ":" + strings.ReplaceAll(u.Host+u.Path, "/", "-")
	}
	target, err := url.Parse(c.Token.WebhookURL())
	if err != nil || written != c.Token.String() || !onlyUser(u) && len(u.Path) > 1 {
		return nil, false
	}
	type payload struct {
		slack.MessagePayload

		Markdown bool `json:"mrkdwn"`
	}
	return jsonPlace(*target, func(text string) any {
		return payload{MessagePayload: slack.MessagePayload{Text: slackText.Replace(text), BotName: c.BotName}}
	}), true
}

func telegramPlace(u *url.URL) (place, bool) {
	var c telegram.Config
	if err := c.SetURL(u); err != nil || u.Host != telegram.Scheme || len(pathParts(u)) > 0 ||
		len(c.Chats) != 1 || !telegramChat.MatchString(c.Chats[0]) || !onlyQuery(u, "chats") {
		return nil, false
	}
	payload := telegram.SendMessagePayload{DisablePreview: true}
	chat, thread, threaded := strings.Cut(c.Chats[0], ":")
	payload.ID = chat
	if id, err := strconv.Atoi(thread); threaded && err == nil {
		payload.MessageThreadID = &id
	}
	target := url.URL{Scheme: "https", Host: "api.telegram.org", Path: "/bot" + c.Token + "/sendMessage"}
	return jsonPlace(target, func(text string) any {
		payload := payload
		payload.Text = text
		return payload
	}), true
}

// jsonPlace returns a place that takes a POST of JSON.
func jsonPlace(target url.URL, payload func(text string) any) place {
	return func(text string) (post, error) {
		body, err := json.Marshal(payload(text))
		return post{method: http.MethodPost, url: target, header: contentType(jsonType), body: body}, err
	}
}
