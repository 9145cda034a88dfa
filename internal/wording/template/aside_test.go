// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template_test

import (
	"html"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/internal/wording"
	"github.com/usher-dev/usher/internal/wording/input"
	"github.com/usher-dev/usher/internal/wording/template"
)

const (
	apartInText = "write a space or a line break directly before and after {{.Link}}, " +
		"or mail programs take it for part of another address"
	apartInHTML = "write a space, a line break or the edge of a block such as <p> directly before and after {{.Link}}, " +
		"or mail programs take it for part of another address"
)

// reasons returns the faults of a wording, without the keys.
func reasons(errs []template.Error) []string {
	var out []string
	for _, e := range errs {
		out = append(out, e.Reason)
	}
	return out
}

// "https://evil.example/?u={{.Link}}" is one address for a mail program, and one click reveals the
// link.
func TestLinksInTheTextOfAnotherAddress(t *testing.T) {
	t.Parallel()
	const evil = "https://evil.example/?u="
	for name, source := range map[string]string{
		"directly after an address":                "Open " + evil + "{{.Link}} to join.",
		"in front of something":                    "{{.Link}}@evil.example",
		"in brackets":                              "({{.Link}})",
		"after a no-break space":                   evil + "\u00a0{{.Link}}",
		"after a zero-width space":                 evil + "\u200b{{.Link}}",
		"after a line separator":                   evil + "\u2028{{.Link}}",
		"after a form feed":                        evil + "\f{{.Link}}",
		"after a trimmed space":                    evil + "\n {{- .Link}}",
		"in front of a trimmed space":              "{{.Link -}}\n .evil.example",
		"after a comment":                          evil + " {{- /* x */ -}} {{.Link}}",
		"after a value":                            evil + "{{.Name}}{{.Link}}",
		"in front of a value":                      "{{.Link}}{{.Name}}",
		"after a value that can be empty":          evil + "\n{{.Name}}{{.Link}}",
		"after a text as a value":                  "{{`" + evil + "`}}{{.Link}}",
		"after a space as a value":                 evil + "{{` `}}{{.Link}}",
		"after another link":                       "{{.Link}}{{.Link}}",
		"after a branch":                           "{{if .Name}}" + evil + "{{end}}{{.Link}}",
		"after an else":                            "{{if .Name}} {{else}}" + evil + "{{end}}{{.Link}}",
		"after a branch in a branch":               "{{if .Name}}{{if .Role}} {{else}}" + evil + "{{end}}{{else}} {{end}}{{.Link}}",
		"after an empty branch":                    evil + "{{if .Name}} {{end}}{{.Link}}",
		"after a with":                             evil + "{{with .Name}} {{end}}{{.Link}}",
		"in a branch, after a text before it":      evil + "{{if .Name}}{{.Link}}{{end}}",
		"in a branch, before a text after it":      "{{if .Name}}{{.Link}}{{end}}.evil.example",
		"in front of a branch":                     "{{.Link}}{{if .Name}} {{else}}.evil.example{{end}}",
		"in front of an empty branch":              "{{.Link}}{{with .Name}} {{end}}.evil.example",
		"as the dot of a with":                     evil + "{{with .Link}}{{.}}{{end}}",
		"as the dot of an else with":               evil + "{{with and .Name .Role}}{{else with .Link}}{{.}}{{end}}",
		"as the dot of an or":                      evil + "{{with or .Name .Link}}{{.}}{{end}}",
		"as the dot of a with in a with":           evil + "{{with .Link}}{{with .}}{{.}}{{end}}{{end}}",
		"as the dot of an else in a with":          evil + "{{with .Link}}{{with $.Name}}{{else}}{{.}}{{end}}{{end}}",
		"with a dollar":                            evil + "{{$.Link}}",
		"in an or":                                 evil + `{{or .Name .Link}}`,
		"in an and":                                evil + `{{and .Role .Link}}`,
		"in parentheses":                           evil + `{{(or (and .Role (.Link)) .Name)}}`,
		"in a branch that ends with another value": "{{if .Name}}{{.Role}}{{end}}{{.Link}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, errs := parseOwn(ownInvitation("invitation.txt", "Hi!\n{{.Link}}\n"+source))
			if len(errs) == 0 || errs[0].Key != "invitation.txt" || errs[0].Line < 3 || errs[0].Reason != apartInText {
				t.Errorf("got %v, want from line 3: %s", errs, apartInText)
			}
			_, errs = parseOwn(ownInvitation("invitation.html", "Hi!\n{{.Link}}\n"+source))
			if len(errs) == 0 || errs[0].Key != "invitation.html" || errs[0].Line < 3 || errs[0].Reason != apartInHTML {
				t.Errorf("as HTML: got %v, want from line 3: %s", errs, apartInHTML)
			}
		})
	}
}

func TestLinksInTheHTMLOfAnotherAddress(t *testing.T) {
	t.Parallel()
	const evil = "<p>https://evil.example/?u="
	for name, source := range map[string]string{
		"directly after an address":              evil + "{{.Link}}</p>",
		"in the middle of an address":            evil + "{{.Link}}.evil.example</p>",
		"in an inline element":                   evil + "<b>{{.Link}}</b></p>",
		"in two inline elements":                 evil + "<span class='a > b'><a href=x>{{.Link}}</a></span></p>",
		"after the end of an inline element":     "<p><i>" + evil + "</i>{{.Link}}</p>",
		"after a break opportunity":              evil + "<wbr>{{.Link}}</p>",
		"after a comment":                        evil + "<!-- -->{{.Link}}</p>",
		"after a block in a comment":             evil + "<!-- <p> -->{{.Link}}</p>",
		"after a space in a comment":             evil + "<!-- --><b><!-- -->{{.Link}}</b></p>",
		"after a block in an attribute":          evil + `<b title="<p> ">{{.Link}}</b></p>`,
		"after the end of the page":              evil + "</body></html>{{.Link}}",
		"after a row without a cell":             "<table><td>" + evil + "</td></tr><tr>x{{.Link}}</tr></table>",
		"after an entity for a space":            evil + "&#32;{{.Link}}</p>",
		"after an entity for a no-break space":   evil + "&nbsp;{{.Link}}</p>",
		"after an entity for a zero-width space": evil + "&#8203;{{.Link}}</p>",
		"in front of an entity":                  "<p>{{.Link}}&#46;evil.example</p>",
		"in front of an inline element":          "<p>{{.Link}}<b>.evil.example</b></p>",
		"after the end of a link":                `<p><a href="{{.Link}}">` + evil + "</a>{{.Link}}</p>",
		"in a branch after an element":           evil + "{{if .Name}}<b>{{else}}<i>{{end}}{{.Link}}</p>",
		"after a block in one branch":            evil + "{{if .Name}}<br>{{end}}{{.Link}}</p>",
		"after a block in the other branch":      evil + "{{if .Name}}{{else}}<br>{{end}}{{.Link}}</p>",
		"after another doctype":                  "https://evil.example/?u=<!doctype html>{{.Link}}",
		"within with, after a tag with more":     evil + `<b {{if .Name}}title="a"{{end}}>{{with .Link}}{{.}}{{end}}</b></p>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			templates, errs := parseOwn(ownInvitation("invitation.html", "{{if .Name}}\n{{end}}"+source+"\n<p>{{.Link}}</p>"))
			if diff := cmp.Diff([]string{apartInHTML}, reasons(errs)); diff != "" {
				got, err := templates.Invitation("en", anInvitation())
				t.Fatalf("faults (-want +got):\n%s\nThe mail: %q, %v", diff, got.HTML, err)
			}
			if want := 2 + strings.Count(source[:strings.LastIndex(source, ".Link")], "\n"); errs[0].Line != want {
				t.Errorf("the fault is in line %d, want %d", errs[0].Line, want)
			}
		})
	}
}

func TestCodesInTheTextOfAnAddress(t *testing.T) {
	t.Parallel()
	data := map[string]string{
		"code.subject": "S", "code.txt": "Type\n{{.Code}}, or open https://evil.example/?{{.Code}}",
		"code.html": "<p>Open https://evil.example/?<b>{{.Code}}</b></p>",
	}
	_, errs := parseOwn(data)
	var got []string
	for _, e := range errs {
		got = append(got, strings.TrimSuffix(e.Error(), ", or mail programs take it for part of another address"))
	}
	want := []string{
		"code.html line 1: write a space, a line break or the edge of a block such as <p> directly before and after {{.Code}}",
		"code.txt line 2: write a space or a line break directly before and after {{.Code}}",
		"code.txt line 2: write a space or a line break directly before and after {{.Code}}",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// A copy of the built-in wording is valid as a tenant's own wording, except for the title.
func TestLinksAsInTheBuiltInWording(t *testing.T) {
	t.Parallel()
	builtIn, err := wording.Templates{}.Invitation("en", anInvitation())
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(builtIn.HTML, "<title>")
	_, tail, _ := strings.Cut(rest, "</title>")
	parse(t, ownInvitation(
		"invitation.txt", strings.ReplaceAll(builtIn.Text, anInvitation().Link, "{{.Link}}"),
		"invitation.html", strings.ReplaceAll(head+tail, html.EscapeString(anInvitation().Link), "{{.Link}}")))
}

func TestLinksThatStandAlone(t *testing.T) {
	t.Parallel()
	link := html.EscapeString(anInvitation().Link)
	for name, c := range map[string]struct{ source, want string }{
		"in a sentence":                       {"Open {{.Link}} to join.", "Open LINK to join."},
		"between tabs":                        {"a\t{{.Link}}\tb", "a\tLINK\tb"},
		"in lines with CRLF":                  {"a\r\n{{.Link}}\r\nb", "a\r\nLINK\r\nb"},
		"alone in the template":               {"{{.Link}}", "LINK"},
		"in either branch":                    {"a {{if .Name}}{{.Link}}{{else}}b {{.Link}}{{end}} or {{.Link}}", "a LINK or LINK"},
		"after branches with spaces":          {"{{if .Name}}a {{else}}b\n{{end}}{{.Link}}", "a LINK"},
		"after branches only":                 {"{{if not .Name}} {{end}}{{.Link}}{{if not .Name}} {{end}}", "LINK"},
		"as the dot of a with":                {"a {{with .Link}}{{.}}{{end}}\nor\n{{.Link}}", "a LINK\nor\nLINK"},
		"after a trimmed comment":             {"a\n{{- /* b */}} {{.Link}}", "a LINK"},
		"in conditions, which do not show it": {"a{{if .Link}}b{{end}}{{if eq .Link .Name}}c{{end}}\n{{.Link}}", "ab\nLINK"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parse(t, ownInvitation("invitation.txt", c.source, "invitation.html", c.source)).Invitation("en", anInvitation())
			want := strings.ReplaceAll(c.want, "LINK", anInvitation().Link)
			if err != nil || got.Text != want || got.HTML != input.LineFeeds(strings.ReplaceAll(c.want, "LINK", link)) {
				t.Errorf("got %q, %q, %v\nwant %q", got.Text, got.HTML, err, want)
			}
		})
	}
	for name, c := range map[string]struct{ source, want string }{
		"in a block":            {"<p>{{.Link}}</p>", "<p>LINK</p>"},
		"between blocks":        {"a<p>{{.Link}}</p>b", "a<p>LINK</p>b"},
		"in bold print":         {"<p>Open <b>{{.Link}}</b></p>", "<p>Open <b>LINK</b></p>"},
		"as a link with itself": {`<p><a href="{{.Link}}">{{.Link}}</a></p>`, `<p><a href="LINK">LINK</a></p>`},
		"between line breaks":   {"Open<br>{{.Link}}<br/>now", "Open<br>LINK<br/>now"},
		"in a cell":             {"<TABLE><tr><td>{{.Link}}</td><td>a</td></tr></TABLE>", "<table><tr><td>LINK</td><td>a</td></tr></table>"},
		"after a comment":       {"<p>a <!-- b -->{{.Link}}</p>", "<p>a LINK</p>"},
		"in its own button":     {`<p>a</p><div style="margin:0"><a style="display:inline-block" href="{{.Link}}">b</a></div>{{.Link}}`, `<p>a</p><div style="margin:0"><a style="display:inline-block" href="LINK">b</a></div>LINK`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := parse(t, ownInvitation("invitation.html", c.source+" {{.Link}}")).Invitation("en", anInvitation())
			if want := strings.ReplaceAll(c.want+" LINK", "LINK", link); err != nil || got.HTML != want {
				t.Errorf("got  %q, %v\nwant %q", got.HTML, err, want)
			}
		})
	}
}
