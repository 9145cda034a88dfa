// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/internal/wording"
	"github.com/usher-dev/usher/internal/wording/template"
)

// A reader trusts a mail about an invitation. So its HTML acts on nothing, loads nothing, and each of
// its links leads where it says.
func TestHTMLThatDeceivesIsRefused(t *testing.T) {
	t.Parallel()
	const (
		evil     = "https://evil.example/"
		elsewise = "an <a> that shows {{.Link}} must have href=\"{{.Link}}\""
	)
	element := func(name string) string { return "an element <" + name + "> is not allowed in a mail" }
	attribute := func(name, value, of string) string {
		return "an attribute " + name + "=" + strconv.Quote(value) + " is not allowed in <" + of + ">"
	}
	scheme := func(href string) string {
		return `href="` + href + `" is not allowed: it must begin with https://, http:// or mailto:`
	}
	style := func(style string) string { return "a style " + strconv.Quote(style) + " is not allowed in <p>" }
	for name, c := range map[string]struct{ source, want string }{
		"an anchor around the link that leads elsewhere":    {`<p><a href="` + evil + `">{{.Link}}</a></p>`, elsewise},
		"an anchor around a block with the link":            {`<a href="` + evil + `"><p>{{.Link}}</p></a>`, elsewise},
		"an anchor that is not closed":                      {`<p><a href="` + evil + `">Hi</p><p>{{.Link}}</p>`, elsewise},
		"an anchor in an anchor":                            {`<a href="` + evil + `"><table><tr><td><a href="{{.Link}}"> {{.Link}} </a></td></tr></table></a>`, elsewise},
		"an anchor around the link by a with":               {`<p><a href="` + evil + `">{{with .Link}}{{.}}{{end}}</a></p>`, elsewise},
		"an anchor around another address":                  {`<a href="` + evil + `">https://bank.example/</a>`, leadsElsewhere("https://bank.example/", evil)},
		"an anchor around a host":                           {`<a href="` + evil + `">our <b>bank</b>.example</a>`, leadsElsewhere("bank.example", evil)},
		"an anchor around a host in a sentence":             {`<a href="` + evil + `">Go to www.bank.example!</a>`, leadsElsewhere("www.bank.example", evil)},
		"an anchor around a host that begins the same":      {`<a href="https://bank.example.evil.example/">bank.example</a>`, leadsElsewhere("bank.example", "https://bank.example.evil.example/")},
		"an anchor around a host before a user":             {`<a href="https://bank.example@evil.example/">bank.example</a>`, leadsElsewhere("bank.example", "https://bank.example@evil.example/")},
		"an anchor around a mail address":                   {`<a href="mailto:eve@evil.example">help@bank.example</a>`, leadsElsewhere("help@bank.example", "mailto:eve@evil.example")},
		"an anchor with the link around another address":    {`<a href="{{.Link}}">https://bank.example/</a>`, leadsElsewhere("https://bank.example/", "https://usher.example.com/invitation/sample")},
		"an anchor around an address in two parts":          {`<a href="` + evil + `">bank<b> </b>.example</a>`, leadsElsewhere("bank.example", evil)},
		"an anchor around letters in reverse":               {`<a href="` + evil + "\">\u202eelpmaxe.knab//:sptth</a>", reversed},
		"letters in reverse":                                {`<bdo dir="rtl">elpmaxe.knab//:sptth</bdo>`, element("bdo")},
		"a script":                                          {`<script>x()</script>`, element("script")},
		"a refresh":                                         {`<meta http-equiv="refresh" content="0;url=` + evil + `">`, attribute("http-equiv", "refresh", "meta")},
		"a refresh in other letters":                        {`<META CONTENT="0;url=` + evil + `" HTTP-EQUIV=REFRESH>`, attribute("http-equiv", "REFRESH", "meta")},
		"another base":                                      {`<base href="` + evil + `">`, element("base")},
		"a link to a style sheet":                           {`<link rel="stylesheet" href="` + evil + `">`, element("link")},
		"a style sheet":                                     {"<style>p { color: red }</style>", element("style")},
		"a drawing":                                         {`<svg><a href="` + evil + `">x</a></svg>`, element("svg")},
		"a formula":                                         {`<math href="` + evil + `">x</math>`, element("math")},
		"a form":                                            {`<form action="` + evil + `"></form>`, element("form")},
		"a button":                                          {`<button formaction="` + evil + `">x</button>`, element("button")},
		"an event":                                          {`<p onclick="x()">x</p>`, attribute("onclick", "x()", "p")},
		"an event of the page":                              {`<body onload="x()">`, attribute("onload", "x()", "body")},
		"javascript":                                        {`<a href="javascript:alert(1)">x</a>`, scheme("javascript:alert(1)")},
		"javascript in entities":                            {`<a href=" JaVa&#115;cript&colon;alert(1)">x</a>`, scheme("JaVascript:alert(1)")},
		"javascript with a line break":                      {"<a href=\"java\nscript:alert(1)\">x</a>", scheme("java script:alert(1)")},
		"data":                                              {`<a href="data:text/html,x">x</a>`, scheme("data:text/html,x")},
		"an address without a scheme":                       {`<a href="//evil.example/">x</a>`, scheme("//evil.example/")},
		"a relative address":                                {`<a href="evil">x</a>`, scheme("evil")},
		"a ping":                                            {`<a href="` + evil + `" ping="` + evil + `">x</a>`, attribute("ping", evil, "a")},
		"an image":                                          {`<img src="` + evil + `1.gif" width="1" height="1">`, element("img")},
		"an image as data":                                  {`<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">`, element("img")},
		"a background":                                      {`<body background="` + evil + `">`, attribute("background", evil, "body")},
		"a background of a cell":                            {`<table><tr><td background="` + evil + `">x</td></tr></table>`, attribute("background", evil, "td")},
		"a background in a style":                           {`<p style="color:red;background:url(` + evil + `)">x</p>`, style("background:url(" + evil + ")")},
		"an image in an allowed style":                      {`<p style="color:url(//evil.example)">x</p>`, style("color:url(//evil.example)")},
		"an address in a style, in disguise":                {`<p style="list-style-type:u\72l(//evil.example)">x</p>`, style(`list-style-type:u\72l(//evil.example)`)},
		"an expression":                                     {`<p style="width:expression(alert(1))">x</p>`, style("width:expression(alert(1))")},
		"an import":                                         {`<p style="@import '` + evil + `'">x</p>`, style("@import '" + evil + "'")},
		"a style with a comment":                            {`<p style="color:red/**/">x</p>`, style("color:red/**/")},
		"a style that moves a text over another":            {`<p style="margin:-40px 0 0">x</p>`, style("margin:-40px 0 0")},
		"a style that hides a text":                         {`<p style="font-size:0">x</p>`, style("font-size:0")},
		"a position":                                        {`<p style="position:absolute">x</p>`, style("position:absolute")},
		"a quotation of another page":                       {`<blockquote cite="` + evil + `">x</blockquote>`, attribute("cite", evil, "blockquote")},
		"a video":                                           {`<video poster="` + evil + `"></video>`, element("video")},
		"a comment for one mail program":                    {`<!--[if mso]><p><![endif]-->`, "write &lt; for a < that begins no element"},
		"a name of a meta that acts":                        {`<meta name="referrer" content="unsafe-url">`, attribute("name", "referrer", "meta")},
		"an encoding that hides tags":                       {`<meta charset="utf-7">`, attribute("charset", "utf-7", "meta")},
		"an encoding with modes":                            {`<meta charset="iso-2022-jp">`, attribute("charset", "iso-2022-jp", "meta")},
		"an attribute of another namespace":                 {`<a xlink:href="` + evil + `">x</a>`, attribute("xlink:href", evil, "a")},
		"a data attribute":                                  {`<p data-x="1">x</p>`, attribute("data-x", "1", "p")},
		"an attribute that is only in the sample with more": {`{{if .Name}}<p onclick="x()">x</p>{{end}}`, attribute("onclick", "x()", "p")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			templates, errs := parseOwn(ownInvitation("invitation.html", "{{.Link}}\n"+c.source))
			if diff := cmp.Diff([]string{c.want}, reasons(errs)); diff != "" {
				got, err := templates.Invitation("en", anInvitation())
				t.Errorf("faults (-want +got):\n%s\nThe mail: %q, %v", diff, got.HTML, err)
			}
		})
	}
}

// The reader types a code, so it belongs in no link.
func TestCodesInAnAnchorAreRefused(t *testing.T) {
	t.Parallel()
	_, errs := parseOwn(map[string]string{
		"code.subject": "S", "code.txt": "{{.Code}}", "code.html": `<p><a href="https://evil.example/">{{.Code}}</a></p>`,
	})
	if diff := cmp.Diff([]string{"{{.Code}} must not be in an <a>"}, reasons(errs)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// Messages without a secret come from the same sender and to the same people.
func TestHTMLOfEveryMessageIsChecked(t *testing.T) {
	t.Parallel()
	for message, must := range map[string]string{"invitation": "{{.Link}}", "code": "{{.Code}}", "confirmation": "", "joined": "", "declined": ""} {
		for source, want := range map[string]string{
			`<p onclick="x()">x</p>`:                               `an attribute onclick="x()" is not allowed in <p>`,
			`<a href="javascript:x()">x</a>`:                       `href="javascript:x()" is not allowed: it must begin with https://, http:// or mailto:`,
			`<a href="https://evil.example">https://b.example</a>`: `an <a> that shows "https://b.example" must lead there, but leads to "https://evil.example"`,
		} {
			_, errs := parseOwn(map[string]string{
				message + ".subject": "S", message + ".txt": "T\n" + must, message + ".html": must + "\n" + source,
			})
			if diff := cmp.Diff([]string{want}, reasons(errs)); diff != "" {
				t.Errorf("%s: faults (-want +got):\n%s", message, diff)
			}
		}
	}
	_, errs := parseOwn(map[string]string{
		"confirmation.subject": "S", "confirmation.txt": "T", "confirmation.html": `<a href="https://evil.example/"> {{.SignInURL}} </a>`,
	})
	if diff := cmp.Diff([]string{`an <a> that shows {{.PortalURL}} must have href="{{.PortalURL}}"`}, reasons(errs)); diff != "" {
		t.Errorf("confirmation: faults (-want +got):\n%s", diff)
	}
}

func TestHTMLThatDeceivesNoReaderIsTaken(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"a button":                            `<a href="{{.Link}}" style="display:inline-block;padding:12px 24px;border-radius:6px;background-color:#1d4ed8;color:rgb(255, 255, 255);text-decoration:none">Join</a>`,
		"another page":                        `<a href="https://acme.example/help">Help</a>`,
		"another page with its address":       `<a href="https://acme.example/help">https://acme.example/help</a>`,
		"a host":                              `<a href="https://acme.example/">Visit acme.example.</a>`,
		"a mail address":                      `<a href="mailto:help@acme.example">help@acme.example</a>`,
		"fonts":                               `<p style="font-family:'Segoe UI',system-ui,-apple-system,sans-serif; font-size: 16px; line-height: 1.5;">x</p>`,
		"fonts in other quotes":               `<p style="font-family:&quot;Segoe UI&quot;">x</p>`,
		"a table":                             `<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" align="center" bgcolor="#ffffff"><tbody><tr><td valign="top" colspan="2" style="padding:0">x</td></tr></tbody></table>`,
		"a language":                          `<div lang="de-CH" dir="ltr" class="a b">x</div>`,
		"a document":                          `<html lang="en"><head><meta charset="UTF-8"><meta name="viewport" content="width=device-width"></head><body style="margin:0">x</body></html>`,
		"an entity":                           `<p>1 &lt; 2 &amp; 3 &quot;</p>`,
		"an Organization's name in an anchor": `<a href="{{.Link}}">Join {{.Organization}}</a>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			templates := parse(t, ownInvitation("invitation.html", source+"\n{{.Link}}"))
			d := anInvitation()
			d.Organization = "Acme.example"
			got, err := templates.Invitation("en", d)
			want := strings.NewReplacer("'", "&#39;", "&quot;", "&#34;").Replace(strings.SplitN(source, "{{", 2)[0])
			if err != nil || !strings.HasPrefix(got.HTML, want) {
				t.Errorf("got %q, %v, want its own wording", got.HTML, err)
			}
		})
	}
}

// Mail programs differ in which of two attributes they follow.
func TestAnAnchorHasOneAddress(t *testing.T) {
	t.Parallel()
	templates := parse(t, ownInvitation("invitation.html", `<a href="{{.Link}}" href="https://evil.example/"> {{.Link}} </a>`))
	got, err := templates.Invitation("en", anInvitation())
	if err != nil || strings.Count(got.HTML, "href") != 1 || strings.Contains(got.HTML, "evil") {
		t.Errorf("got %q, %v, want one address", got.HTML, err)
	}
}

// A sample does not show all branches. So each mail is checked too, and none is lost.
func TestMailsThatWouldDeceiveAreInTheBuiltInWording(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"an event":                    `<p onclick="x()">x</p>`,
		"javascript":                  `<a href="javascript:x()">x</a>`,
		"a link that leads elsewhere": `<a href="https://evil.example/"> {{.Link}} </a>`,
		"another address":             `<a href="https://evil.example/">https://bank.example</a>`,
		"a style":                     `<p style="position:absolute">x</p>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			templates := parse(t, ownInvitation("invitation.html", "{{if eq .Name `Ada Lovelace`}}"+source+"{{end}}\n{{.Link}}"))
			builtIn, err := wording.Templates{}.Invitation("en", anInvitation())
			if err != nil {
				t.Fatal(err)
			}
			got, err := templates.Invitation("en", anInvitation())
			if diff := cmp.Diff(builtIn, got); err != nil || diff != "" {
				t.Errorf("%v; the mail (-built-in +got):\n%s", err, diff)
			}
		})
	}
}

// The platform's sender vouches for its mails, so a tenant's HTML needs the tenant's own mail server.
func TestOwnHTMLNeedsAnOwnMailServer(t *testing.T) {
	t.Parallel()
	const want = "own HTML needs the Organization's own mail server: set spec.mail of the Organization, or delete this key to send plain text"
	templates, errs := wording.ParseTemplates(ownInvitation("joined.subject", "S", "joined.txt", "T"), template.PlatformServer)
	if len(errs) != 1 || errs[0].Key != "invitation.html" || errs[0].Reason != want {
		t.Errorf("got %v, want invitation.html: %s", errs, want)
	}
	builtIn, err := wording.Templates{}.Invitation("en", anInvitation())
	if err != nil {
		t.Fatal(err)
	}
	got, err := templates.Invitation("en", anInvitation())
	if diff := cmp.Diff(builtIn, got); err != nil || diff != "" {
		t.Errorf("%v; the mail (-built-in +got):\n%s", err, diff)
	}
	templates, errs = wording.ParseTemplates(without(ownInvitation(), "invitation.html"), template.PlatformServer)
	got, err = templates.Invitation("en", anInvitation())
	if len(errs) > 0 || err != nil || !strings.HasPrefix(got.Text, "Hi Ada Lovelace!") || got.HTML != "" {
		t.Errorf("got %v, %+v, %v, want their own text", errs, got, err)
	}
}
