// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/internal/wording"
)

const (
	elementInside = "an <a> with a dot or // in its text must have no element in it: put the other element around the <a>"
	reversed      = "HTML with an <a> must not contain a character that reverses the order of letters"
)

func leadsElsewhere(word, href string) string {
	return `an <a> that shows "` + word + `" must lead there, but leads to "` + href + `"`
}

func acrossTheEdge(word string) string {
	return `"` + word + `" is only partly in its <a>: put a space between the <a> and the text beside it`
}

func inside(inner, outer string) string {
	return "an element <" + inner + "> must not be in an element <" + outer + ">: its text would be too small"
}

func inALine(name string) string {
	return "an element <" + name + "> must not be in an element with display:inline-block"
}

// An author can hide a part of an address, or spread the address over several elements. The reader must
// not see one address and open another.
func TestAnAddressIsShownAsAWhole(t *testing.T) {
	t.Parallel()
	const (
		evil   = "https://evil.example"
		behind = "https://bank.example.evil.example"
		a      = `<a href="` + evil + `">`
	)
	hidden := func(open, shut string) string {
		return `<a href="` + behind + `">bank.example` + open + ".evil.example" + shut + "</a>"
	}
	ideographic := leadsElsewhere("bank。example", evil)
	for name, c := range map[string]struct{ source, want string }{
		"a transparent end":                {hidden(`<span style="color:transparent">`, "</span>"), elementInside},
		"an end far to the right":          {hidden(`<span style="margin-left:5000px">`, "</span>"), elementInside},
		"a tiny end":                       {hidden("<small>", "</small>"), elementInside},
		"a transparent separator":          {a + `bank.<span style="color:transparent">1</span>example</a>`, elementInside},
		"a transparent part of a scheme":   {a + `https:<b>x</b>//bank</a>`, elementInside},
		"letters in tiny print":            {strings.Repeat("<small>", 2) + "x" + strings.Repeat("</small>", 2), inside("small", "small")},
		"letters in tiny superscript":      {"<sup><b><sub>x</sub></b></sup>", inside("sub", "sup")},
		"letters in tiny headings":         {"<h6><div><h6>x</h6></div></h6>", inside("h6", "h6")},
		"two anchors":                      {a + "bank</a>." + a + "example</a>", acrossTheEdge("bank.example")},
		"two anchors with a whole address": {a + "https</a>:" + a + "//bank</a>." + a + "example</a>", acrossTheEdge("https://bank.example")},
		"an end outside":                   {a + "bank</a>.example", acrossTheEdge("bank.example")},
		"a beginning outside":              {"bank." + a + "example</a>", acrossTheEdge("bank.example")},
		"a beginning in bold print":        {"<b>bank. </b>" + a + "example</a>", acrossTheEdge("bank.example")},
		"a space at the end of an anchor":  {a + "bank. </a>example", acrossTheEdge("bank.example")},
		"parts in another order":           {`<p dir="rtl"><bdi>com</bdi><bdi>.</bdi><bdi>` + a + "1bank</a></bdi></p>", acrossTheEdge("com.1bank")},
		"a block in a line":                {a + `bank</a><span style="display:inline-block"><div>.example</div></span>`, inALine("div")},
		"a line break in a line":           {a + `bank</a><span style="DISPLAY: inline-block"><br>.</span>` + a + "example</a>", inALine("br")},
		"a grapheme joiner":                {a + "bank.&#x34f;example</a>", leadsElsewhere("bank.example", evil)},
		"a variation selector":             {a + "bank.&#xfe0f;example</a>", leadsElsewhere("bank.example", evil)},
		"a Mongolian variation selector":   {a + "bank.&#x180b;example</a>", leadsElsewhere("bank.example", evil)},
		"a Hangul filler":                  {a + "bank.&#x3164;example</a>", leadsElsewhere("bank.example", evil)},
		"a hair space":                     {a + "bank.&#x200a;example</a>", leadsElsewhere("bank.example", evil)},
		"a narrow space":                   {a + "bank.&#x202f;example</a>", leadsElsewhere("bank.example", evil)},
		"a zero-width space before a dot":  {a + "bank&#x200b;.example</a>", leadsElsewhere("bank.example", evil)},
		"a Lisu letter like a dot":         {a + "bank\ua4f8example</a>", leadsElsewhere("bank.example", evil)},
		"a Syriac full stop":               {a + "bank\u0702example</a>", leadsElsewhere("bank.example", evil)},
		"an ideographic full stop":         {a + "bank。example</a>", ideographic},
		"slashes of another kind":          {a + "https:\u2044\u2215bank</a>", leadsElsewhere("https://bank", evil)},
		"a colon of another kind":          {a + "https\uff1a//bank</a>", leadsElsewhere("https://bank", evil)},
		"letters in reverse":               {a + "\u202eelpmaxe.knab</a>", reversed},
		"letters in reverse from outside":  {"\u202e" + a + "moc.1knab</a>", reversed},
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

// A wording that deceives no reader stays, with any title of the Organization and the role.
func TestTitlesDoNotChangeWhichAnchorsAreTaken(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"the link":                 `<p><a href="{{.Link}}">{{.Link}}</a></p>`,
		"the link in bold print":   `<p><b><a href="{{.Link}}">{{.Link}}</a></b></p>`,
		"another page":             `<p><a href="https://www.acme.example">www.acme.example</a> {{.Link}} </p>`,
		"an address in a sentence": `<p>See (<a href="https://users.example/a_(b)">https://users.example/a_(b)</a>). {{.Link}} </p>`,
		"an address in quotes":     `<p>See „<a href="https://acme.example">acme.example</a>“, {{.Link}} </p>`,
		"the title":                `<p><a href="{{.Link}}">Join {{.Organization}}!</a> {{.Link}} </p>`,
		"the title in bold print":  `<p><a href="{{.Link}}">Join <b>{{.Organization}}</b>.</a> {{.Link}} </p>`,
		"the title and a suffix":   `<p><a href="{{.Link}}">{{.Organization}}-Konto, {{.Organization}}'s</a> {{.Link}} </p>`,
		"the role":                 `<p><a href="{{.Link}}">Join as {{.Role}}</a>. {{.Link}} </p>`,
		"text in two lines":        `<p><a href="{{.Link}}">Join us.<br>Now.</a> {{.Link}} </p>`,
		"bold print":               `<p><a href="{{.Link}}">Join <b>us</b>…</a> {{.Link}} </p>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			templates := parse(t, ownInvitation("invitation.html", source))
			for _, title := range []string{"Acme", "acme", "example", "usher", "user", "a", "Acme.example", "Acme.example, Inc.", "The Acme.example"} {
				d := anInvitation()
				d.Organization, d.Role = title, title
				got, err := templates.Invitation("en", d)
				if err != nil || strings.Contains(got.HTML, "<html") {
					t.Errorf("%q: got %q, %v, want its own wording", title, got.HTML, err)
				}
			}
		})
	}
}

// A title can look like an address. It must not make a longer address pass.
func TestATitleIsAWholeWord(t *testing.T) {
	t.Parallel()
	d := anInvitation()
	d.Organization, d.Role = "Acme.example", "a"
	builtIn, err := wording.Templates{}.Invitation("en", d)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{
		"accounts.Acme.example", "Acme.example.bank.example", "Acme.example-bank.example", "my-Acme.example",
		"https://Acme.example", "Acme.example/help", "help@Acme.example", "b<b>a</b>nk.example",
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			templates := parse(t, ownInvitation("invitation.html",
				"{{if eq .Organization `Acme.example`}}<p><a href=\"https://evil.example\">"+word+"</a></p>{{end}}\n{{.Link}}"))
			got, err := templates.Invitation("en", d)
			if diff := cmp.Diff(builtIn, got); err != nil || diff != "" {
				t.Errorf("%v; the mail (-built-in +got):\n%s", err, diff)
			}
		})
	}
}
