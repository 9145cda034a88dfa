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

// parseTree checks a template as it is written, with all its branches and without its values. The
// checks in this file look at the output once more, by the rules of the programs that read it. For
// example, HTML moves a text in a table to the front of the table, and a value can contain half a
// bracket.

// carries returns why a mail could carry its secret to another server. It is empty if the mail cannot.
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

// carriesIn is like carries, for one file and one secret.
func carriesIn(v Vocabulary, l Message, name, file, content string) string {
	switch file {
	case fileText:
		return secretInAddress(v, l, name, file, content)
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
		return secretInAddress(v, l, name, file, read.text.String())
	}
	return ""
}

const (
	// repeated are the elements that continue in the next block if they are not closed.
	repeated = " a b big code em font i s small strike strong tt u "

	// maxWeight limits the number of such elements and attributes, times tags. It is far more than a
	// letter has, and small enough that everything with its repetitions fits into memory.
	maxWeight = 100_000
)

// isHeavy reports whether some HTML could become much larger in the memory of a program that reads it.
func isHeavy(source string) bool {
	tags, weight := 0, 0
	seen := map[string]bool{}
	for z := html.NewTokenizer(strings.NewReader(source)); z.Next() != html.ErrorToken; {
		token := z.Token()
		if token.Type == html.TextToken {
			continue
		}
		tags++
		// Of identical elements, at most three are repeated.
		if tag := token.String(); strings.Contains(repeated, " "+token.Data+" ") && !seen[tag] {
			seen[tag] = true
			weight += 1 + len(token.Attr)
		}
	}
	return weight*tags > maxWeight
}

// secretInAddress finds a secret that is read as a part of something longer.
func secretInAddress(v Vocabulary, l Message, name, file, text string) string {
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
				"otherwise some mail programs take everything in between for one address", name)
		}
	}
}

// bracketed reports whether angle brackets, or quotes in the same line, surround a place. An address in
// them can contain white space (RFC 3986, appendix C).
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
	// acting matches attributes that do something by themselves, report clicks to a server, or hide an
	// edge so that the text on both sides is read as one.
	acting = regexp.MustCompile(`^(on.*|ping|hidden|popover)$`)

	// watching matches what a style sheet needs to read attributes and to load something. A backslash
	// can encode all of these differently.
	watching = regexp.MustCompile(`(?i)[\[\\"']|url\(`)

	// flow matches the styles that decide whether a block is separate from the text beside it.
	flow = regexp.MustCompile(`(?i)(?:^|[^-\w])(all|content|content-visibility|display|float|position|visibility)\s*:\s*([-\w]*)`)
)

// reading walks through the HTML of a mail in the way that mail programs read it.
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
		// There are many ways to hide an element together with the white space at its end.
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
		r.reason = fmt.Sprintf("a style sheet must not contain %s, because it could tell another server what is in the mail", found)
		return
	}
	r.style(css, outside)
}

// style checks styles. The styles of an inline element, which is never an edge, can set it in a block.
func (r *reading) style(css string, of shape) {
	if strings.Contains(css, `\`) || strings.Contains(css, "/*") {
		r.reason = `a style must not contain \ or a comment`
	}
	for _, found := range flow.FindAllStringSubmatch(css, -1) {
		allowed := []string{"block"}
		if of == inline {
			allowed = append(allowed, "inline-block")
		}
		if property, value := strings.ToLower(found[1]), strings.ToLower(found[2]); property != "display" || !slices.Contains(allowed, value) {
			r.reason = fmt.Sprintf("a style %s:%s is not allowed here: it could join separate words into one address", property, value)
		}
	}
}
