// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chat

import (
	"net/url"
	"regexp"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/teams"
)

var (
	workflowHost  = regexp.MustCompile(`^([a-z0-9-]+\.)+environment\.api\.powerplatform\.com$`)
	workflowQuery = regexp.MustCompile(`^[A-Za-z0-9._~%=&+-]+$`)
	workflowPath  = regexp.MustCompile(`^/powerautomate/automations/direct(/cu/[0-9]+)?/workflows/[A-Za-z0-9]+/triggers/manual/paths/invoke$`)
)

// teamsPlace parses shoutrrr's own form, which is for the connectors that Microsoft has retired.
func teamsPlace(u *url.URL) (place, bool) {
	var c teams.Config
	if err := c.SetURL(u); err != nil || len(pathParts(u)) != 3 || !onlyUser(u) || !onlyQuery(u, "host") {
		return nil, false
	}
	return connector(&c)
}

// teamsHookPlace parses a hook as Teams shows it.
func teamsHookPlace(u *url.URL) (place, bool) {
	hook := *u
	hook.Scheme = "https"
	if u.User != nil {
		return nil, false
	}
	if workflowHost.MatchString(u.Hostname()) {
		if port := u.Port(); port != "" && port != "443" || !workflowPath.MatchString(u.EscapedPath()) ||
			!workflowQuery.MatchString(u.RawQuery) || u.Query().Get("sig") == "" {
			return nil, false
		}
		return jsonPlace(hook, adaptiveCard), true
	}
	c, err := teams.ConfigFromWebhookURL(hook)
	// shoutrrr finds a hook in any string that contains one.
	if err != nil || c.Host != u.Host || !onlyQuery(u) {
		return nil, false
	}
	return connector(c)
}

func connector(c *teams.Config) (place, bool) {
	raw := teams.BuildWebhookURL(c.Host, c.Group, c.Tenant, c.AltID, c.GroupOwner, c.ExtraID)
	target, err := url.Parse(raw)
	if err != nil || teams.ValidateWebhookURL(raw) != nil || !tokenText.MatchString(c.ExtraID) {
		return nil, false
	}
	write := jsonPlace(*target, adaptiveCard)
	return func(text string) (post, error) {
		p, err := write(text)
		// A connector answers 200 even if Teams did not take the message, and reports the failure in
		// the body.
		p.confirmation = "1"
		return p, err
	}, true
}

type (
	cardMessage struct {
		Type        string           `json:"type"`
		Attachments []cardAttachment `json:"attachments"`
	}
	cardAttachment struct {
		ContentType string `json:"contentType"`
		Content     card   `json:"content"`
	}
	card struct {
		Schema  string     `json:"$schema"`
		Type    string     `json:"type"`
		Version string     `json:"version"`
		Body    []cardText `json:"body"`
	}
	cardText struct {
		Type    string    `json:"type"`
		Inlines []textRun `json:"inlines"`
	}
	textRun struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
)

// adaptiveCard returns a message that both workflows and connectors accept. Unlike the TextBlock of
// most examples, a TextRun has no markup.
func adaptiveCard(text string) any {
	return cardMessage{Type: "message", Attachments: []cardAttachment{{
		ContentType: "application/vnd.microsoft.card.adaptive",
		Content: card{
			Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.2",
			Body: []cardText{{Type: "RichTextBlock", Inlines: []textRun{{Type: "TextRun", Text: text}}}},
		},
	}}}
}
