// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package chat hands a short notice to the team chat of an organization. It owns which chat URLs are
// taken, what is posted where, what may be connected to, and the answer to what became of the notice:
//
//	nil                the chat took the notice
//	*InvalidError      nothing was sent; the URL or the notice must change
//	*RefusedError      the chat said no for good: the hook is gone, or does not take the notice
//	*TemporaryError    the chat did not take it; trying later is safe
//	*UnknownError      the notice went out and no answer of the chat's came; a repeat may show it twice
//
// # Whose URL it is
//
// The URL is a secret of a tenant, and it is a tenant who says where the controller connects to. So
// nothing that an error says comes from the URL or from what was answered: a class, a status code, and
// sentences of this package. A tenant that makes up a URL learns which hosts and ports answer and with
// what status code, and nothing more. It cannot reach loopback, link-local addresses, nor the metadata
// of a cloud (see Config), whatever a name resolves to. It can reach every other address that the
// controller can, private ones included, because that is where a Mattermost of one's own lives; the
// request has no credentials but the tenant's, and a path that is none of the API server's. Whoever
// wants less says so in a NetworkPolicy. Through a proxy (HTTPS_PROXY and the like) it is the proxy that
// looks names up, and only the addresses that stand in the URL itself are looked at here.
//
// # Services
//
// The URLs are those of shoutrrr (github.com/nicholas-fedor/shoutrrr), for Discord, Google Chat, Matrix,
// Mattermost, Rocket.Chat, Slack, Microsoft Teams, Telegram and Zulip: one URL, one place in one chat.
// What pushes to somebody's phone is no chat of a team (Gotify, ntfy, Pushover), and what posts
// anything anywhere, sends mail or writes logs is refused as well. Slack takes hooks only: a bot token
// can read what a hook cannot. Matrix takes an access token and the ID of one room: a password would
// make a new session for every notice. Without TLS goes what shoutrrr says can: Mattermost and Matrix.
// For Teams there is one form more, since Microsoft has replaced the hooks that shoutrrr knows by
// workflows: the URL of the workflow with teams+ before it.
//
// Of shoutrrr this package takes the readers of URLs and the shapes of messages, and not the sending:
// most of its services go through http.DefaultClient, which follows redirects, has no deadline and
// connects to anything; some repeat on their own, and Telegram's takes a broken connection for success.
//
// # Text
//
// The text is shown as it is where a service can be told so: Matrix, Slack, Teams and Telegram; Discord
// rings nobody. In Discord, Google Chat, Mattermost, Rocket.Chat and Zulip some markup cannot be turned
// off, and names with an @ may ring: what is not the caller's own wording must come without either.
//
// The package knows neither Kubernetes nor the API: it must not import either.
package chat
