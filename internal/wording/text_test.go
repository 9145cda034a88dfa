// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/usher-dev/usher/internal/wording"
	"github.com/usher-dev/usher/internal/wording/input"
	"github.com/usher-dev/usher/internal/wording/language"
)

// gsm is the default alphabet of short messages without its extension table (3GPP TS 23.038, section 6.2.1).
const gsm = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
	"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"

func TestInvitationSMS(t *testing.T) {
	t.Parallel()
	d := anInvitation()
	d.Organization, d.Link = "Acme", "https://usher.example.org/invitation/MDEyMzQ1Njc4OWFiY2RlZg-_x"
	bare := d
	bare.InvitedBy = ""
	for tag, want := range map[language.Tag][2]string{
		"en": {"Grace Hopper invites you to Acme. Accept by 2026-11-28 18:10 UTC: ", "You are invited to Acme. Accept by 2026-11-28 18:10 UTC: "},
		"it": {"Grace Hopper La invita a entrare in Acme. Accetti entro il 2026-11-28 18:10 UTC: ", "Invito a entrare in Acme. Accetti entro il 2026-11-28 18:10 UTC: "},
		"fr": {"Grace Hopper vous invite à rejoindre Acme. Acceptez avant le 2026-11-28 18:10 UTC : ", "Invitation à rejoindre Acme. Acceptez avant le 2026-11-28 18:10 UTC : "},
		"de": {"Grace Hopper lädt Sie zu Acme ein. Annehmen bis 2026-11-28 18:10 UTC: ", "Einladung zu Acme. Annehmen bis 2026-11-28 18:10 UTC: "},
		"es": {"Grace Hopper le invita a unirse a Acme. Acepte antes del 2026-11-28 18:10 UTC: ", "Le han invitado a unirse a Acme. Acepte antes del 2026-11-28 18:10 UTC: "},
		"pt": {"Convite de Grace Hopper para Acme. Aceite até 2026-11-28 18:10 UTC: ", "Convite para Acme. Aceite até 2026-11-28 18:10 UTC: "},
	} {
		for i, data := range []wording.InvitationData{d, bare} {
			got, err := wording.InvitationSMS(tag, data)
			if err != nil {
				t.Fatal(err)
			}
			if got != want[i]+d.Link {
				t.Errorf("%s: got %q, want %q", tag, got, want[i]+d.Link)
			}
			if len([]rune(got)) > 160 || strings.ContainsFunc(got, func(r rune) bool { return !strings.ContainsRune(gsm, r) }) {
				t.Errorf("%s: does not fit into one short message: %q", tag, got)
			}
		}
	}
}

func TestJoinedChat(t *testing.T) {
	t.Parallel()
	d := wording.JoinedData{Organization: "Acme", Role: "Developer", Name: "Jane Doe", Address: "jane.doe@example.com", UserName: "jane"}
	for tag, want := range map[language.Tag]string{
		"en": "Welcome! Jane Doe has joined Acme as Developer.",
		"it": "Diamo il benvenuto a Jane Doe, che ora fa parte dell'organizzazione Acme con il ruolo Developer.",
		"fr": "Bienvenue\u00a0! Jane Doe a rejoint Acme avec le rôle Developer.",
		"de": "Willkommen! Jane Doe ist Acme mit der Rolle Developer beigetreten.",
		"es": "Damos la bienvenida a Jane Doe, que se ha unido a Acme con el rol Developer.",
		"pt": "Damos as boas-vindas a Jane Doe, que aderiu à organização Acme com a função Developer.",
	} {
		got, err := wording.JoinedChat(tag, d)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", tag, got, err, want)
		}
	}
}

func TestNamesCannotBreakOutOfTheChat(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ name, said string }{
		"a mention":              {"@here @channel", "＠here ＠channel"},
		"a Slack mention":        {"<!channel> <@U123>", "＜！channel＞ ＜＠U123＞"},
		"a mention, escaped":     {"&lt;!here&gt;", "＆lt；！here＆gt；"},
		"a Markdown link":        {"[x](evil)", "［x］（evil）"},
		"a Slack link":           {"<evil|x>", "＜evil｜x＞"},
		"an image":               {"![x](y)", "！［x］（y）"},
		"bold and strikethrough": {"*a* _b_ ~c~ `d`", "＊a＊ ＿b＿ ～c～ ｀d｀"},
		"HTML markup":            {"<b>a</b>", "＜b＞a＜／b＞"},
		"a heading and a quote":  {"# a > b", "＃ a ＞ b"},
		"an escape":              {`\a`, "＼a"},
		"a scheme":               {"mailto:x", "mailto：x"},
		"a host name":            {"evil.example", "evil. example"},
		"an ordinary name":       {"Zoë O'Neil-李, Jr.", "Zoë O'Neil-李, Jr."},
		"no name":                {"", "jane"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := wording.JoinedData{Organization: "Acme", Role: "Developer", Name: c.name, Address: "jane.doe@example.com", UserName: "jane"}
			got, err := wording.JoinedChat("en", d)
			if want := "Welcome! " + c.said + " has joined Acme as Developer."; err != nil || got != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
	got, err := wording.JoinedChat("en", wording.JoinedData{
		Organization: "@Acme", Role: "*Dev*", Name: "Jane", Address: "jane.doe@example.com", UserName: "jane",
	})
	if want := "Welcome! Jane has joined ＠Acme as ＊Dev＊."; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestTextsRefuse(t *testing.T) {
	t.Parallel()
	invitation := anInvitation()
	invitation.InvitedBy = "Grace\nhttps"
	_, sms := wording.InvitationSMS("en", invitation)
	_, chat := wording.JoinedChat("en", wording.JoinedData{Organization: "a\nb", Role: "r", Address: "jane@example.com", UserName: "jane"})
	for name, err := range map[string]error{"short message": sms, "chat": chat} {
		if _, ok := errors.AsType[*input.InvalidError](err); !ok {
			t.Errorf("%s with a line break: got %v, want an InvalidError", name, err)
		}
	}
}
