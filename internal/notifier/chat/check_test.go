// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chat

import (
	"errors"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/usher-dev/usher/internal/outbound"
)

// Parts of the URLs in these tests that errors must never contain.
const (
	secret    = "s3cretT0kenOfAcme"
	slackHook = "T0AAAAAAA/B0BBBBBBB/" + "s3cretT0kenOfAcme0000000"
	connHook  = "11111111-4444-4444-8444-cccccccccccc@22222222-4444-4444-8444-cccccccccccc/IncomingWebhook/33333333012222222222333333333344/44444444-4444-4444-8444-cccccccccccc/" + secret
	flowHook  = "default0123456789abcdef.01.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/0123456789abcdef0123456789abcdef/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=" + secret
)

// goodURLs are the URLs in the documentation, and variations of them.
var goodURLs = map[string]string{
	"Discord":                                 "discord://" + secret + "@123456789012345678",
	"Discord, a thread":                       "discord://" + secret + "@123456789012345678?thread_id=42",
	"Google Chat":                             "googlechat://chat.googleapis.com/v1/spaces/AAAA/messages?key=k3y&token=" + secret,
	"Matrix":                                  "matrix://:" + secret + "@matrix.example.com/?rooms=!room:example.com",
	"Matrix without TLS":                      "matrix://:" + secret + "@matrix.example.com:8008?rooms=!room:example.com&disableTLS=yes",
	"Mattermost":                              "mattermost://chat.example.com/" + secret,
	"Mattermost, all of it":                   "mattermost://usher@chat.example.com:8443/" + secret + "/town-square?icon=wave&disabletls=yes",
	"Mattermost at an IPv6 address":           "mattermost://[2001:db8::1]:8065/" + secret,
	"Mattermost with an icon that is a URL":   "mattermost://chat.example.com/" + secret + "?icon=https://acme.example.com/icon.png",
	"Mattermost with a line break at the end": "mattermost://chat.example.com/" + secret + "\n",
	"Rocket.Chat":                             "rocketchat://chat.example.com/id123/" + secret,
	"Rocket.Chat, all of it":                  "rocketchat://usher@chat.example.com:8443/id123/" + secret + "/general",
	"Slack":                                   "slack://hook:" + strings.ReplaceAll(slackHook, "/", "-") + "@webhook",
	"Slack, the old form":                     "slack://usher@" + slackHook,
	"Teams, a workflow":                       "teams+https://" + flowHook,
	"Teams, a workflow in a unit":             "teams+https://" + strings.Replace(flowHook, "direct/", "direct/cu/02/", 1),
	"Teams, a connector":                      "teams+https://acme.webhook.office.com/webhookb2/" + connHook,
	"Teams, a connector as shoutrrr has it":   "teams://" + strings.Replace(connHook, "/IncomingWebhook", "", 1) + "?host=acme.webhook.office.com",
	"Telegram":                                "telegram://123456:" + secret + "@telegram?chats=-1001234567890",
	"Telegram, a channel with a thread":       "telegram://123456:" + secret + "@telegram/?chats=@acme_news:7",
	"Zulip":                                   "zulip://usher-bot%40example.com:" + secret + "@acme.zulipchat.com/?stream=general&topic=People",
}

var badURLs = map[string]string{
	"nothing":                "",
	"white space":            " \n\t",
	"not a URL":              secret,
	"no service":             "//chat.example.com/" + secret,
	"a web page":             "https://hooks.slack.com/services/" + slackHook,
	"only a colon":           "mattermost:" + secret,
	"a fragment":             "mattermost://chat.example.com/" + secret + "#x",
	"a bad escape":           "mattermost://chat.example.com/" + secret + "%zz",
	"a line break inside":    "mattermost://chat.example.com/" + secret + "\r\nHost: 10.0.0.1",
	"a URL that is too long": "mattermost://chat.example.com/" + strings.Repeat(secret, 200),
	"invalid UTF-8":          "mattermost://chat.example.com/\xff\xfe" + secret,

	"two URLs with a comma between": "mattermost://chat.example.com/" + secret + ",slack://" + slackHook,
	"two URLs with a space between": "mattermost://chat.example.com/" + secret + " slack://" + slackHook,
	"two URLs on two lines":         "mattermost://chat.example.com/" + secret + "\nmattermost://chat.example.com/" + secret,
	"two URLs with a pipe between":  "slack://" + slackHook + "|logger://",

	"any HTTP endpoint":                 "generic://10.0.0.1/" + secret,
	"any HTTP endpoint, the short form": "generic+https://10.0.0.1/" + secret,
	"mail":                              "smtp://user:" + secret + "@mail.example.com/?from=a@example.com&to=b@example.com",
	"the log":                           "logger://" + secret,
	"a phone":                           "ntfy://ntfy.example.com/" + secret,
	"Gotify":                            "gotify://gotify.example.com/" + secret,
	"Pushover":                          "pushover://shoutrrr:" + secret + "@user/",
	"Signal":                            "signal://signal.example.com/+12025550123/" + secret,
	"a pager":                           "pagerduty://" + secret + "@events.pagerduty.com",
	"a script":                          "script://" + secret,
	"a file":                            "file:///var/run/secrets/" + secret,
	"a service in a service":            "mattermost+https://chat.example.com/" + secret,
	"a good service in a bad one":       "generic+mattermost://chat.example.com/" + secret,

	"Discord with a custom payload":                              "discord://" + secret + "@123456789012345678/raw",
	"Discord with a custom payload as a parameter":               "discord://" + secret + "@123456789012345678?json=yes",
	"Discord with a title":                                       "discord://" + secret + "@123456789012345678?title=" + secret,
	"Discord with a parameter for a thread":                      "discord://" + secret + "@123456789012345678?thread_id=1%26wait=" + secret,
	"Discord at another path":                                    "discord://" + secret + "@..%2f..%2fusers",
	"Discord at another host":                                    "discord://" + secret + "@evil.example.com",
	"Discord without a token":                                    "discord://123456789012345678",
	"Google Chat at another host":                                "googlechat://10.0.0.1/v1/spaces/AAAA/messages?key=k3y&token=" + secret,
	"Google Chat at another path":                                "googlechat://chat.googleapis.com/v1/media/" + secret + "?key=k3y&token=" + secret,
	"Google Chat with a user":                                    "googlechat://a@chat.googleapis.com/v1/spaces/AAAA/messages?key=k3y&token=" + secret,
	"Google Chat without a token":                                "googlechat://chat.googleapis.com/v1/spaces/AAAA/messages?key=" + secret,
	"Hangouts":                                                   "hangouts://chat.googleapis.com/v1/spaces/AAAA/messages?key=k3y&token=" + secret,
	"Matrix with a password":                                     "matrix://usher:" + secret + "@matrix.example.com/?rooms=!room:example.com",
	"Matrix without a room":                                      "matrix://:" + secret + "@matrix.example.com/",
	"Matrix with an empty room name, which makes shoutrrr panic": "matrix://:" + secret + "@matrix.example.com/?rooms=",
	"Matrix with two rooms":                                      "matrix://:" + secret + "@matrix.example.com/?rooms=!a:example.com,!b:example.com",
	"Matrix with a room alias":                                   "matrix://:" + secret + "@matrix.example.com/?rooms=general:example.com",
	"Matrix with a path for a room":                              "matrix://:" + secret + "@matrix.example.com/?rooms=!a/../../../admin",
	"Matrix with a header for a token":                           "matrix://:" + secret + "%0d%0aX-Evil:1@matrix.example.com/?rooms=!a:example.com",
	"Mattermost without a token":                                 "mattermost://" + secret,
	"Mattermost, shoutrrr's example":                             "mattermost://dummy@dummy.com",
	"Mattermost without a host":                                  "mattermost:///" + secret,
	"Mattermost with a path for a token":                         "mattermost://chat.example.com/..%3f" + secret,
	"Mattermost with a query for a token":                        "mattermost://chat.example.com/" + secret + "%3fx=1",
	"Mattermost with a deeper path":                              "mattermost://chat.example.com/a/b/" + secret,
	"Mattermost with a password":                                 "mattermost://usher:" + secret + "@chat.example.com/token",
	"Mattermost with another parameter":                          "mattermost://chat.example.com/token?title=" + secret,
	"Mattermost with a parameter twice":                          "mattermost://chat.example.com/" + secret + "?disabletls=no&disabletls=yes",
	"Mattermost with a parameter in two spellings":               "mattermost://chat.example.com/" + secret + "?disabletls=no&DisableTLS=yes",
	"Mattermost with half a parameter":                           "mattermost://chat.example.com/" + secret + "?icon=a;disabletls=yes",
	"Mattermost with another word for yes":                       "mattermost://chat.example.com/" + secret + "?disabletls=" + secret,
	"Mattermost with a space in the host":                        "mattermost://chat%20.example.com/" + secret,
	"Mattermost with an invalid host name":                       "mattermost://chat_.example.com/" + secret,
	"Mattermost with port 0":                                     "mattermost://chat.example.com:0/" + secret,
	"Mattermost with a port too high":                            "mattermost://chat.example.com:65536/" + secret,
	"Mattermost with half a port":                                "mattermost://chat.example.com:/" + secret,
	"Mattermost on an interface":                                 "mattermost://[fe80::1%25eth0]/" + secret,
	"Rocket.Chat with one token":                                 "rocketchat://chat.example.com/" + secret,
	"Rocket.Chat with another path":                              "rocketchat://chat.example.com/..%2f..%2fapi/v1/" + secret,
	"Rocket.Chat with a deeper path":                             "rocketchat://chat.example.com/id123/" + secret + "/general/" + secret,
	"Rocket.Chat with a path for an ID":                          "rocketchat://chat.example.com/id%3f/" + secret,
	"Rocket.Chat with a query for a token":                       "rocketchat://chat.example.com/id123/" + secret + "%3fx=1",
	"Rocket.Chat without TLS":                                    "rocketchat://chat.example.com/id123/" + secret + "?disabletls=yes",
	"Slack with a bot":                                           "slack://xoxb:123456789012-1234567890123-" + secret + "0000000@C001CH4NN3L",
	"Slack with a user":                                          "slack://xoxp-123456789012-1234567890123-" + secret + "0000000@C001CH4NN3L",
	"Slack with a bot in place of a hook":                        "slack://xoxb:" + strings.ReplaceAll(slackHook, "/", "-") + "@webhook",
	"Slack, the old form with a password":                        "slack://usher:" + secret + "@" + slackHook,
	"Slack to another channel":                                   "slack://hook:" + strings.ReplaceAll(slackHook, "/", "-") + "@C001CH4NN3L",
	"Slack with more around the token":                           "slack://hook:x-" + strings.ReplaceAll(slackHook, "/", "-") + "@webhook",
	"Slack with less than a token":                               "slack://hook:A-B-C@webhook",
	"Slack with a title":                                         "slack://hook:" + strings.ReplaceAll(slackHook, "/", "-") + "@webhook?title=" + secret,
	"Slack, shoutrrr's example":                                  "slack://dummy@dummy.com",
	"Slack, less than any token":                                 "slack://a@",
	"Teams at another host":                                      "teams+https://10.0.0.1/powerautomate/automations/direct/workflows/a/triggers/manual/paths/invoke?sig=" + secret,
	"Teams at a host with a similar end":                         "teams+https://evilenvironment.api.powerplatform.com/powerautomate/automations/direct/workflows/a/triggers/manual/paths/invoke?sig=" + secret,
	"Teams at a host with a similar beginning":                   "teams+https://a.environment.api.powerplatform.com.evil.example.com/powerautomate/automations/direct/workflows/a/triggers/manual/paths/invoke?sig=" + secret,
	"Teams at another port":                                      "teams+https://" + strings.Replace(flowHook, ":443", ":6443", 1),
	"Teams at another path":                                      "teams+https://a.environment.api.powerplatform.com/powerautomate/flows/" + secret,
	"Teams with a path that climbs up":                           "teams+https://" + strings.Replace(flowHook, "direct/", "direct/%2e%2e/", 1),
	"Teams without a signature":                                  "teams+https://" + strings.Replace(flowHook, "sig=", "x=", 1),
	"Teams with a space":                                         "teams+https://" + flowHook + " HTTP/1.0",
	"Teams with a user":                                          "teams+https://a@" + flowHook,
	"Teams without TLS":                                          "teams+http://" + flowHook,
	"Teams, a connector at another host":                         "teams://" + strings.Replace(connHook, "/IncomingWebhook", "", 1) + "?host=10.0.0.1",
	"Teams, a connector inside a query":                          "teams+https://evil.example.com/?https://acme.webhook.office.com/webhookb2/" + connHook,
	"Teams, a connector inside a path":                           "teams+https://evil.example.com/https://acme.webhook.office.com/webhookb2/" + connHook,
	"Teams, shoutrrr's example":                                  "teams://dummy@dummy.com",
	"Telegram without a chat":                                    "telegram://123456:" + secret + "@telegram",
	"Telegram to two chats":                                      "telegram://123456:" + secret + "@telegram?chats=@acme,@other",
	"Telegram with markup":                                       "telegram://123456:" + secret + "@telegram?chats=@acme_news&parsemode=HTML",
	"Telegram with a path for a token":                           "telegram://123456:" + secret + "%2f..@telegram?chats=@acme_news",
	"Telegram at another host":                                   "telegram://123456:" + secret + "@evil.example.com?chats=@acme_news",
	"Zulip without a stream":                                     "zulip://usher-bot%40example.com:" + secret + "@acme.zulipchat.com/",
	"Zulip with an empty key":                                    "zulip://" + secret + ":@acme.zulipchat.com/?stream=general",
	"Zulip without a key":                                        "zulip://" + secret + "@acme.zulipchat.com/?stream=general",
	"Zulip with a path":                                          "zulip://usher-bot%40example.com:" + secret + "@acme.zulipchat.com/api?stream=general",
}

func TestCheckTakesTheURLsOfTheDocumentation(t *testing.T) {
	t.Parallel()
	for name, raw := range goodURLs {
		if err := Check(raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckRefusesWhatIsNotOneChat(t *testing.T) {
	t.Parallel()
	for name, raw := range badURLs {
		err := Check(raw)
		var invalid *InvalidError
		if !errors.As(err, &invalid) || invalid.Field != urlField {
			t.Errorf("%s: got %v, want an *InvalidError about the URL", name, err)
			continue
		}
		if !slices.Contains(sentences(), err.Error()) {
			t.Errorf("%s: %q is not one of the known sentences", name, err)
		}
	}
}

func TestCheckSaysWhatToWrite(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                                 "write one, such as mattermost://HOST/TOKEN",
		"https://chat.example.com/hooks/x": "does not begin with a supported chat",
		"slack://a,slack://b":              "more than one URL",
		"mattermost://chat.example.com":    "for the hook https://HOST/hooks/TOKEN",
		"teams://a":                        "with teams+ before its https://",
		"slack://xoxb:1-2-3@C1":            "bot and user tokens are not supported",
	} {
		if err := Check(raw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", raw, err, want)
		}
	}
}

// The API allows 256 characters.
func TestEverySentenceIsShort(t *testing.T) {
	t.Parallel()
	texts := append(sentences(), (&RefusedError{Code: 302}).Error(), (&RefusedError{Code: 404}).Error(),
		(&UnknownError{}).Error(), temporary(503).Error(), describe(outbound.ErrUnreachable))
	for _, text := range texts {
		if n := utf8.RuneCountInString(text); n > 256 {
			t.Errorf("%d characters: %s", n, text)
		}
	}
}

// sentences returns every error text of Check.
func sentences() []string {
	reasons := []string{reasonEmpty, reasonSeveral, reasonUnreadable, reasonService}
	for s := range maps.Values(services) {
		reasons = append(reasons, s.reason())
	}
	for i, reason := range reasons {
		reasons[i] = (&InvalidError{urlField, reason}).Error()
	}
	return reasons
}

// placesOf are the allowed hosts and paths of the target for each scheme. An empty host means the host
// in the URL.
var placesOf = map[string]struct{ host, path string }{
	"discord":     {`^discord\.com$`, `^/api/webhooks/[0-9]+/[A-Za-z0-9_-]+$`},
	"googlechat":  {`^chat\.googleapis\.com$`, `^/v1/spaces/[A-Za-z0-9_-]+/messages$`},
	"matrix":      {``, `^/_matrix/client/v3/rooms/[^/]+/send/m\.room\.message/[0-9a-f]{64}$`},
	"mattermost":  {``, `^/hooks/[A-Za-z0-9_-]+$`},
	"rocketchat":  {``, `^/hooks/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$`},
	"slack":       {`^hooks\.slack\.com$`, `^/services/[A-Z0-9]+/[A-Z0-9]+/[A-Za-z0-9]+$`},
	"teams":       {`\.webhook\.office\.com$`, `^/webhookb2/[0-9a-f@-]+/IncomingWebhook/[0-9a-f]+/[0-9a-f-]+/[A-Za-z0-9_-]+$`},
	"teams+https": {`\.(environment\.api\.powerplatform|webhook\.office)\.com(:443)?$`, `^/(powerautomate/automations/direct/(cu/[0-9]+/)?workflows/[A-Za-z0-9]+/triggers/manual/paths/invoke|webhookb2/[0-9a-f@-]+/IncomingWebhook/[0-9a-f]+/[0-9a-f-]+/[A-Za-z0-9_-]+)$`},
	"telegram":    {`^api\.telegram\.org$`, `^/bot[0-9]+:[A-Za-z0-9_-]+/sendMessage$`},
	"zulip":       {``, `^/api/v1/messages$`},
}

func FuzzCheck(f *testing.F) {
	for _, urls := range []map[string]string{goodURLs, badURLs} {
		for raw := range maps.Values(urls) {
			f.Add(raw)
		}
	}
	known := sentences()
	f.Fuzz(func(t *testing.T, raw string) {
		err := Check(raw)
		if err != nil {
			if !slices.Contains(known, err.Error()) {
				t.Fatalf("%q is not one of the known sentences", err)
			}
			return
		}
		p, err := compose(raw, "Jane Doe has joined Acme as Developer")
		if err != nil {
			t.Fatalf("Check accepted a URL that compose refuses: %v", err)
		}
		leadsWhereItShould(t, raw, p)
	})
}

func leadsWhereItShould(t *testing.T, raw string, p post) {
	t.Helper()
	written, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(p.url.String())
	if err != nil {
		t.Fatalf("the target cannot be parsed again: %v", err)
	}
	plain := written.Scheme == "matrix" || written.Scheme == "mattermost"
	if target.Scheme != "https" && (!plain || target.Scheme != "http") || target.User != nil || target.Fragment != "" {
		t.Errorf("a target with another form: %s", target)
	}
	want := placesOf[written.Scheme]
	if want.host == "" && target.Host != written.Host || !regexp.MustCompile(want.host).MatchString(target.Host) {
		t.Errorf("a target at another host: %s", target)
	}
	if !regexp.MustCompile(want.path).MatchString(target.Path) {
		t.Errorf("a target at another path: %s", target)
	}
	for name, values := range p.header {
		for _, value := range values {
			if strings.ContainsAny(name+value, "\r\n\x00") {
				t.Errorf("a header with more than one line: %q: %q", name, value)
			}
		}
	}
}

func TestEveryGoodURLLeadsWhereItShould(t *testing.T) {
	t.Parallel()
	for name, raw := range goodURLs {
		p, err := compose(raw, "Jane Doe has joined Acme as Developer")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		leadsWhereItShould(t, raw, p)
	}
}
