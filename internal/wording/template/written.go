// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template

import (
	"cmp"
	"fmt"
	"strings"

	"golang.org/x/net/html"

	"github.com/usher-dev/usher/internal/wording/input"
)

// parseTree checks a template as it is written, with all its branches and without its values. The
// checks in this file look at the output once more, by the rules of the programs that read it. For
// example, HTML moves a text in a table to the front of the table, and a value can contain half a
// bracket.

// inspect returns a mail as it may be sent, or why it could carry its secret to another server or
// deceive its reader.
func inspect(v Vocabulary, l Message, c Content) (safe Content, reason string) {
	if reason := secretsInAddress(v, l, fileText, c.Text); reason != "" {
		return Content{}, reason
	}
	c.HTML, reason = inspectHTML(v, l, c.HTML)
	return c, reason
}

// inspectHTML is like inspect, for the HTML.
func inspectHTML(v Vocabulary, l Message, source string) (safe, reason string) {
	safe, reason = clean(source)
	if reason != "" {
		return "", reason
	}
	if isHeavy(safe) {
		return "", "elements such as <b> are open too long; close each of them in the block that it is in"
	}
	document, err := html.ParseWithOptions(strings.NewReader(safe), html.ParseOptionEnableScripting(false))
	if err != nil {
		return "", "the elements are nested too deeply"
	}
	read := reading{Vocabulary: v, values: l.Values}
	read.node(document)
	return safe, cmp.Or(read.reason, read.anchorsDeceive(), secretsInAddress(v, l, fileHTML, read.text.String()))
}

func secretsInAddress(v Vocabulary, l Message, file, text string) string {
	for _, name := range v.Secrets {
		if reason := secretInAddress(v, l, name, file, text); reason != "" {
			return reason
		}
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
