// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package chat sends a short notice to the team chat of an organization. It owns the accepted chat
// URLs, the request for each service, and the outcome of the notice:
//
//	nil                the chat took the notice
//	*InvalidError      nothing was sent; the URL or the notice must change
//	*RefusedError      the chat refused permanently: the hook was deleted, or does not take the notice
//	*TemporaryError    the chat did not take the notice; a retry is safe
//	*UnknownError      the notice was sent, but the chat did not answer; a retry can show it twice
//
// # Trust
//
// The URL is a secret of a tenant, and the tenant decides where the controller connects to. So an error
// contains nothing from the URL or from the answer. It contains only a class, a status code and
// sentences of this package.
//
// A tenant that invents URLs learns which hosts and ports answer and with what status code, and nothing
// more:
//
//   - It reaches only addresses of the public internet and of the networks that the platform allows (see
//     Config), even if a name resolves to another address.
//   - It cannot find out whether a name exists in the internal network. The error is the same for such a
//     name and for a name that does not exist.
//   - The request has no credentials except the tenant's, and its path is never a path of the API
//     server.
//
// To allow less, the platform team writes a NetworkPolicy. This package uses no proxy, because a proxy
// would resolve the name and connect without a check of the address.
//
// # Services
//
// The URLs are those of shoutrrr (github.com/nicholas-fedor/shoutrrr), for Discord, Google Chat,
// Matrix, Mattermost, Rocket.Chat, Slack, Microsoft Teams, Telegram and Zulip. One URL is one place in
// one chat.
//
//   - Services that push to a person's phone (Gotify, ntfy, Pushover) are refused, because they are no
//     team chat. Services that post to arbitrary URLs, send mail or write logs are refused as well.
//   - Slack takes hooks only, because a bot token can read what a hook cannot.
//   - Matrix takes an access token and the ID of one room, because a password would create a new
//     session for every notice.
//   - Mattermost and Matrix can be used without TLS, as in shoutrrr.
//   - Teams also accepts the URL of a workflow, with teams+ before it, because Microsoft has replaced
//     the hooks that shoutrrr knows by workflows.
//
// This package uses shoutrrr's URL parsers and message formats, but not its senders. Most of its
// services send with http.DefaultClient, which follows redirects, has no deadline and connects to any
// address. Some retry on their own, and Telegram's counts a broken connection as success.
//
// # Text
//
// Matrix, Slack, Teams and Telegram show the text as it is, because a request to them can turn markup
// off. In Discord, Google Chat, Mattermost, Rocket.Chat and Zulip, some markup cannot be turned off.
// Names with an @ can also notify people there, except in Discord, where this package turns mentions
// off. So text that is not the caller's own wording must contain neither markup nor an @.
//
// # Dependencies
//
// The package knows neither Kubernetes nor the API, and must not import either.
package chat
