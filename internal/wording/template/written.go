// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/usher-dev/usher/internal/wording/input"
)

// A template is checked as it is written, with all its branches and without its values. What comes out
// of it is looked at once more, by the rules of the programs that read it: HTML moves a text in a table
// to the front of it, say, and a value can hold half a bracket.

// carries tells why a mail could take its secret to another server; it is empty where it cannot.
func carries(v Vocabulary, l Message, c Content) string {
	for _, name := range v.Secrets {
		for _, file := range []struct{ name, content string }{{fileText, c.Text}, {fileHTML, c.HTML}} {
			if reason := carriesIn(v, l, name, file.name, file.content); reason != "" {
				return reason
			}
		}
	}
	return ""
}

// carriesIn is carries for one file and one secret.
func carriesIn(v Vocabulary, l Message, name, file, content string) string {
	switch file {
	case fileText:
		return readTogether(v, l, name, file, content)
	case fileHTML:
		if isHeavy(content) {
			return "elements such as <b> are open too long; close each of them in the block that it is in"
		}
		document, err := html.ParseWithOptions(strings.NewReader(content), html.ParseOptionEnableScripting(false))
		if err != nil {
			return "the elements are nested too deeply"
		}
		var read reading
		read.node(document)
		if read.reason != "" {
			return read.reason
		}
		return readTogether(v, l, name, file, read.text.String())
	}
	return ""
}

const (
	// repeated are the elements that go on in the next block where nobody closes them.
	repeated = " a b big code em font i s small strike strong tt u "

	// maxWeight is how many such elements and attributes, times tags, are read. It is far more than a
	// letter has, and few enough to fit into memory with all that is repeated.
	maxWeight = 100_000
)

// isHeavy tells whether some HTML could be much larger for a program that reads it than it looks.
func isHeavy(source string) bool {
	tags, weight := 0, 0
	seen := map[string]bool{}
	for z := html.NewTokenizer(strings.NewReader(source)); z.Next() != html.ErrorToken; {
		token := z.Token()
		if token.Type == html.TextToken {
			continue
		}
		tags++
		// Of those that are all alike, three are repeated at the most.
		if tag := token.String(); strings.Contains(repeated, " "+token.Data+" ") && !seen[tag] {
			seen[tag] = true
			weight += 1 + len(token.Attr)
		}
	}
	return weight*tags > maxWeight
}

// readTogether looks for a secret that is read as a part of something longer.
func readTogether(v Vocabulary, l Message, name, file, text string) string {
	secret, text := l.Values[name], input.LineFeeds(text)
	for end := 0; ; {
		at := strings.Index(text[end:], secret)
		if at < 0 {
			return ""
		}
		before := text[:end+at]
		end += at + len(secret)
		after := text[end:]
		if before != "" && !separates(before[len(before)-1]) || after != "" && !separates(after[0]) {
			return mustStandAlone(v, file)
		}
		if bracketed(before, after) {
			return fmt.Sprintf("write {{.%s}} in a line without quotes and outside of < and >: "+
				"there, some mail programs take all that is between for one address", name)
		}
	}
}

// bracketed tells whether angle brackets, or quotes in the same line, stand around a place. Such an
// address may have white space within (RFC 3986, appendix C).
func bracketed(before, after string) bool {
	opening, closing := strings.LastIndexAny(before, "<>"), strings.IndexAny(after, "<>")
	if opening >= 0 && closing >= 0 && before[opening] == '<' && after[closing] == '>' {
		return true
	}
	line := before[strings.LastIndexByte(before, '\n')+1:]
	rest, _, _ := strings.Cut(after, "\n")
	return strings.Contains(line, `"`) && strings.Contains(rest, `"`)
}

var (
	// acting are attributes that do something by themselves, tell a server what is clicked, or hide an
	// edge so that what is on both sides of it reads as one.
	acting = regexp.MustCompile(`^(on.*|ping|hidden|popover)$`)

	// watching is what a style sheet needs to look at attributes and to load something; with a backslash
	// all of it can be written differently.
	watching = regexp.MustCompile(`(?i)[\[\\"']|url\(`)

	// flow are the styles that decide whether a block stands apart from what is beside it.
	flow = regexp.MustCompile(`(?i)(?:^|[^-\w])(all|content|content-visibility|display|float|position|visibility)\s*:\s*([-\w]*)`)
)

// reading is a walk through the HTML of a mail, as mail programs see it.
type reading struct {
	text   strings.Builder // with a line break at each edge of a block
	reason string
}

func (r *reading) node(n *html.Node) {
	switch {
	case n.Type == html.TextNode && n.Parent.Data == "style":
		r.styleSheet(n.Data)
		return
	case n.Type == html.TextNode:
		r.text.WriteString(n.Data)
	case n.Type == html.ElementNode:
		r.attributes(n)
	}
	isBlock := n.Type == html.ElementNode && elements[n.Data] == block
	if isBlock {
		r.text.WriteByte('\n')
	}
	for child := range n.ChildNodes() {
		r.node(child)
	}
	switch text := r.text.String(); {
	case isBlock:
		r.text.WriteByte('\n')
	case n.FirstChild != nil && elements[n.Data] == inline && text != "" && separates(text[len(text)-1]):
		// There are many ways to hide an element, and the white space that it ends with.
		r.text.WriteByte(0)
	}
}

func (r *reading) attributes(n *html.Node) {
	for _, a := range n.Attr {
		switch {
		case acting.MatchString(a.Key):
			r.reason = fmt.Sprintf("an attribute %s is not allowed in a mail", a.Key)
		case a.Key == "style":
			r.style(a.Val, elements[n.Data])
		}
	}
}

func (r *reading) styleSheet(css string) {
	if found := watching.FindString(css); found != "" {
		r.reason = fmt.Sprintf("a style sheet cannot hold %s: with it, another server could be told what is in the mail", found)
		return
	}
	r.style(css, outside)
}

// style looks at styles; those of an inline element, which is no edge anyway, may set it in a block.
func (r *reading) style(css string, of shape) {
	if strings.Contains(css, `\`) || strings.Contains(css, "/*") {
		r.reason = `a style cannot hold \ or a comment`
	}
	for _, found := range flow.FindAllStringSubmatch(css, -1) {
		allowed := []string{"block"}
		if of == inline {
			allowed = append(allowed, "inline-block")
		}
		if property, value := strings.ToLower(found[1]), strings.ToLower(found[2]); property != "display" || !slices.Contains(allowed, value) {
			r.reason = fmt.Sprintf("a style %s:%s is not allowed here: it could make one address of what stands apart", property, value)
		}
	}
}
