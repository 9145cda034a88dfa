// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template_test

import (
	"html"
	"strings"
	"testing"
)

const (
	onlyPlaces = "a value can stand between elements or be a whole href in quotes, nowhere else"
	noAddress  = "this value is not an address, so it cannot be a href"
)

// A value stands only where it can do no harm, and the link goes only to the reader.
func TestHTMLThatIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ source, want string }{
		"a value in a script":              {"<script>var a = {{.Name}}</script>", "an element <script> is not allowed in a mail"},
		"a value in a string of a script":  {`<script>var a = "{{.Name}}"</script>`, "an element <script> is not allowed in a mail"},
		"a value in an event":              {`<p onclick="f({{.Name}})">`, onlyPlaces},
		"a value in a style":               {`<p style="color:{{.Name}}">`, onlyPlaces},
		"a value in a style sheet":         {"<style>p { color: {{.Name}} }</style>", "an element <style> is not allowed in a mail"},
		"a value without quotes":           {"<p title={{.Name}}>", onlyPlaces},
		"a link without quotes":            {"<a href={{.Link}}>", onlyPlaces},
		"a value as an attribute":          {"<p {{.Name}}>", onlyPlaces},
		"a value as an attribute's name":   {`<p {{.Name}}="x">`, onlyPlaces},
		"a value in a title":               {`<p title="{{.Name}}">`, onlyPlaces},
		"a value in a comment":             {"<!-- {{.Name}} -->", onlyPlaces},
		"a value in a text area":           {"<textarea>{{.Link}}</textarea>", "an element <textarea> is not allowed in a mail"},
		"a value as a title":               {"<title>{{.Link}}</title>", "an element <title> is not allowed in a mail"},
		"a value in a nested document":     {`<p srcdoc="{{.Link}}">`, onlyPlaces},
		"a value in a refresh":             {`<meta http-equiv="refresh" content="0;url=https://evil.example/{{.Link}}">`, onlyPlaces},
		"a value in a set of images":       {`<img srcset="{{.Link}} 2x">`, "an element <img> is not allowed in a mail"},
		"a link after another address":     {`<a href="https://evil.example/?{{.Link}}">`, onlyPlaces},
		"a link in front of something":     {`<a href="{{.Link}}&x">`, onlyPlaces},
		"a link after a choice":            {`<a href="{{if .Name}}https://evil.example/{{else}}https://evil.example/?{{end}}{{.Link}}">`, ""},
		"a link in a choice":               {`<a href="https://evil.example/?{{if .Name}}{{.Link}}{{end}}">`, onlyPlaces},
		"a link in an image address":       {`<img src="https://evil.example/{{.Link}}">`, "an element <img> is not allowed in a mail"},
		"a link as an image":               {`<img src="{{.Link}}">`, "an element <img> is not allowed in a mail"},
		"a link as a background":           {`<td background="{{.Link}}">`, onlyPlaces},
		"a link in an old attribute":       {`<img lowsrc="https://evil.example/{{.Link}}">`, "an element <img> is not allowed in a mail"},
		"a link in a data attribute":       {`<a data-href="{{.Link}}">`, onlyPlaces},
		"a link in an open attribute":      {`<td background='https://evil.example/?` + "\n{{.Link}}'>", onlyPlaces},
		"a link in other quotes":           {`<a href="{{.Link}}' x="">`, ""},
		"a name as an address":             {`<a href="{{.Name}}">`, noAddress},
		"a text in place of an address":    {`<a href="{{or .Name "https://evil.example"}}">`, noAddress},
		"a name within with":               {`{{with .Name}}<a href="{{.}}">{{end}}`, noAddress},
		"a script":                         {"<SCRIPT src=x></SCRIPT>", "an element <SCRIPT> is not allowed in a mail"},
		"a form":                           {"<form action=x>", "an element <form> is not allowed in a mail"},
		"a frame":                          {"<iframe>", "an element <iframe> is not allowed in a mail"},
		"another base":                     {"<base href=x>", "an element <base> is not allowed in a mail"},
		"an element in a choice":           {"{{if .Name}}<svg/onload=x>{{end}}", "an element <svg> is not allowed in a mail"},
		"half of an element name":          {"<fo{{if .Name}}rm{{end}}>", "write the name of an element as a whole, without {{ in it"},
		"a comment within a name":          {"<fo{{/* */}}rm>", "write the name of an element as a whole, without {{ in it"},
		"a bracket that begins no element": {"1 < {{.Role}}", "write &lt; for a < that begins no element"},
		"two document types":               {"<!doctype html><p>\n<!doctype html>", "write &lt; for a < that begins no element"},
		"a title":                          {"<title>x</title>", "an element <title> is not allowed in a mail"},
		"a tag that does not end":          {`<p class="`, ""},
		"branches that do not fit":         {`{{if .Name}}<p title="{{end}}">`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			templates, errs := parseOwn(ownInvitation("invitation.html", "{{.Link}}\n"+c.source))
			if len(errs) == 0 {
				got, err := templates.Invitation("en", anInvitation())
				t.Fatalf("the template is accepted: %q, %v", got.HTML, err)
			}
			for _, e := range errs {
				if e.Key != "invitation.html" {
					t.Errorf("another template is refused: %v", e)
				}
			}
			if c.want != "" && (errs[0].Reason != c.want || errs[0].Line != 2+strings.Count(c.source, "\n")) {
				t.Errorf("got %v, want line 2: %s", errs, c.want)
			}
		})
	}
}

func TestHTMLThatIsTaken(t *testing.T) {
	t.Parallel()
	link := html.EscapeString(anInvitation().Link)
	for name, c := range map[string]struct{ source, want string }{
		"values between elements":     {"<p>{{.Role}} <b>{{.Organization}}</b></p>", "<p>Developer &lt;Staging&gt; <b>Acme &amp; Söhne</b></p>"},
		"a link in double quotes":     {`<a href="{{.Link}}">x</a>`, `<a href="` + link + `">x</a>`},
		"a link in single quotes":     {"<A class=b\nHREF = '{{$.Link}}' >x</A>", `<a class="b" href="` + link + `">x</a>`},
		"a choice within a tag":       {`<p {{if .Name}}class="a"{{end}}>x</p>`, `<p class="a">x</p>`},
		"a choice within a value":     {`<p class="a{{if .Name}} b{{end}}">x</p>`, `<p class="a b">x</p>`},
		"comments, which are removed": {"<!-- <b> -->x{{/* y */}}", "x"},
		"a whole document":            {"<!DOCTYPE html>\n<html lang=\"en\"><body>x</body></html>", "<!doctype html>\n<html lang=\"en\"><body>x</body></html>"},
		"something less than a name":  {"1 &lt; {{.Role}}", "1 &lt; Developer &lt;Staging&gt;"},
		"lines of a message":          {`<p style="white-space:pre-line">{{.Message}}</p>`, "<p style=\"white-space:pre-line\">Dear Ada,\n\nwe&#39;d love to have you with us. See you on Monday!</p>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			templates := parse(t, ownInvitation("invitation.html", c.source+"\n{{.Link}}"))
			got, err := templates.Invitation("en", anInvitation())
			if err != nil || got.HTML != c.want+"\n"+link {
				t.Errorf("got  %q, %v\nwant %q", got.HTML, err, c.want+"\n"+link)
			}
		})
	}
}

func TestOwnConfirmationCanLinkToThePortalAlone(t *testing.T) {
	t.Parallel()
	data := map[string]string{"confirmation.subject": "S", "confirmation.txt": "T"}
	for field, want := range map[string]string{
		"PortalURL": "https://usher.example.org/?a=1&amp;b=2", "SignInURL": "https://usher.example.org/sign-in?a=1&amp;b=2",
	} {
		data["confirmation.html"] = `<a href="{{.` + field + `}}">in</a>`
		c, err := parse(t, data).Confirmation("en", aConfirmation())
		if want := `<a href="` + want + `">in</a>`; err != nil || c.HTML != want {
			t.Errorf("got %q, %v, want %q", c.HTML, err, want)
		}
	}
	data["confirmation.html"] = `<a href="{{.Address}}">mail</a>`
	if _, errs := parseOwn(data); len(errs) != 1 || errs[0].Reason != noAddress {
		t.Errorf("got %v, want an error, because a mail address is not the address of a page", errs)
	}
}
