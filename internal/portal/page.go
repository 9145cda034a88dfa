// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"
	"unicode"
	"unicode/utf8"
)

//go:embed pages
var pageFiles embed.FS

const (
	pageInvitation = "invitation.html"
	pageDone       = "done.html"
	pageMessage    = "message.html"
)

// pages are the templates, and what is the same on each page.
type pages struct {
	templates map[string]*template.Template
	frame     frame
}

// frame is what stands around the content of a page.
type frame struct {
	// Host is where the page says that it belongs.
	Host string
	// Style, Script and Icon are addresses.
	Style, Script, Icon string
	// Title of the window, and what differs from page to page.
	Title   string
	Content any
}

func loadPages(base, host string, assets map[string]string) (*pages, error) {
	p := &pages{
		templates: map[string]*template.Template{},
		frame: frame{
			Host:   host,
			Style:  base + "/assets/" + assets["portal.css"],
			Script: base + "/assets/" + assets["portal.js"],
			Icon:   base + "/assets/" + assets["icon.svg"],
		},
	}
	functions := template.FuncMap{"day": writtenOut, "machine": machineTime}
	for _, name := range []string{pageInvitation, pageDone, pageMessage} {
		t, err := template.New(name).Funcs(functions).ParseFS(pageFiles, "pages/frame.html", "pages/abilities.html", "pages/"+name)
		if err != nil {
			return nil, fmt.Errorf("read a page: %w", err)
		}
		p.templates[name] = t
	}
	return p, nil
}

// render answers with a page. It is written only once it is whole.
func (p *portal) render(w http.ResponseWriter, r *http.Request, status int, name, title string, content any) {
	f := p.pages.frame
	f.Title, f.Content = title, content
	var body bytes.Buffer
	if err := p.pages.templates[name].ExecuteTemplate(&body, "frame", f); err != nil {
		// The text of the error may quote what was to be shown.
		panic(fmt.Sprintf("page %s does not fit its content", name))
	}
	respond(w, r, status, "text/html; charset=utf-8", body.Bytes())
}

// message is a page that only says something: what is the matter, and what to
// do now.
type message struct {
	Title string
	Lines []string
}

func (p *portal) message(w http.ResponseWriter, r *http.Request, status int, m message) {
	p.render(w, r, status, pageMessage, m.Title, m)
}

func (p *portal) notFound(w http.ResponseWriter, r *http.Request) {
	p.message(w, r, http.StatusNotFound, nothingHere)
}

// writtenOut is a time as everybody reads it in the same way.
func writtenOut(t time.Time) string {
	return t.UTC().Format("Monday, 2 January 2006, 15:04 UTC")
}

func machineTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// sentence makes the text of an error one: with a capital and a full stop.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:] + "."
}
