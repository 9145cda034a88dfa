// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

// pageFiles holds the pages, and in pages/parts the parts that pages share.
//
//go:embed pages
var pageFiles embed.FS

const (
	pageInvitation = "invitation.html"
	pageDone       = "done.html"
	pageMessage    = "message.html"
	pageDecline    = "decline.html"
)

// pages holds the templates by language and name, and the frame that all pages
// share.
type pages struct {
	templates map[language.Tag]map[string]*template.Template
	frame     frame
}

// frame surrounds the content of a page.
type frame struct {
	// Host is the host name that the page shows.
	Host string
	// Style, Script, Passkeys and Icon are addresses. Passkeys is the script for
	// passkeys.
	Style, Script, Passkeys, Icon string
	// Title is the title of the window. Content differs from page to page.
	Title   string
	Content any
	// Languages that the page is available in. It is empty if the page cannot be
	// requested again.
	Languages []choice
	// Base is the path that the portal is mounted at, without a trailing slash.
	Base string
	// UserName is the displayed name of the signed-in user, or "" if the visitor is
	// not signed in.
	UserName string
}

func loadPages(base, host string, assets map[string]string) (*pages, error) {
	templates, err := loadTemplates()
	if err != nil {
		return nil, err
	}
	return &pages{
		templates: templates,
		frame: frame{
			Host:   host,
			Style:  base + "/assets/" + assets["portal.css"],
			Script: base + "/assets/" + assets["portal.js"],
			Icon:   base + "/assets/" + assets["icon.svg"],
			Base:   base,

			Passkeys: base + "/assets/" + assets["passkey.js"],
		},
	}, nil
}

// loadTemplates parses the templates once for all portals of a process. They take
// 12 MB of memory and contain nothing specific to one portal.
var loadTemplates = sync.OnceValues(func() (map[language.Tag]map[string]*template.Template, error) {
	files, err := fs.Glob(pageFiles, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("find the pages: %w", err)
	}
	parts, err := template.New("parts").Funcs(functions(language.Default)).ParseFS(pageFiles, "pages/parts/*.html")
	if err != nil {
		return nil, fmt.Errorf("read the parts of pages: %w", err)
	}
	templates := map[language.Tag]map[string]*template.Template{}
	for _, lang := range language.All() {
		templates[lang] = map[string]*template.Template{}
	}
	for _, file := range files {
		page, err := template.Must(parts.Clone()).ParseFS(pageFiles, file)
		if err != nil {
			return nil, fmt.Errorf("read a page: %w", err)
		}
		for _, lang := range language.All() {
			templates[lang][path.Base(file)] = template.Must(page.Clone()).Funcs(functions(lang))
		}
	}
	return templates, nil
})

// functions returns what templates can call in addition to the functions of
// html/template. t returns a sentence of the catalogue. emphasize does the same
// and lets the filled-in values stand out. lang is the language itself. day and
// machine format times.
func functions(lang language.Tag) template.FuncMap {
	return template.FuncMap{
		"t":         lang.Text,
		"emphasize": func(id string, namesAndValues ...string) []part { return emphasize(lang, id, namesAndValues...) },
		"lang":      lang.String,
		"day":       lang.Date,
		"machine":   machineTime,
	}
}

// render answers a visitor who is not signed in with a page.
func (p *portal) render(w http.ResponseWriter, r *http.Request, lang language.Tag, status int, name, title string, content any) {
	p.renderFor(w, r, lang, status, name, title, "", content)
}

// renderFor answers the user of that Account with a page. It writes the page only
// after the template has run without errors.
func (p *portal) renderFor(w http.ResponseWriter, r *http.Request, lang language.Tag, status int, name, title, accountName string, content any) {
	f := p.pages.frame
	f.Title, f.Content = title, content
	if accountName != "" {
		f.UserName = username.Show(accountName)
	}
	// The page confirms the result of a form only once: the browser cannot request
	// that page again.
	if r.Method != http.MethodPost || status != http.StatusOK || name == pageInvitation {
		f.Languages = choices(r, lang, p.clock.Now())
	}
	var body bytes.Buffer
	if err := p.pages.templates[lang][name].ExecuteTemplate(&body, "frame", f); err != nil {
		// The text of the error can quote the content.
		panic(fmt.Sprintf("template of page %s does not fit its content", name))
	}
	respond(w, r, status, "text/html; charset=utf-8", body.Bytes())
}

// messagePage holds the text of a message.
type messagePage struct {
	Title string
	Lines []string
}

func (p *portal) message(w http.ResponseWriter, r *http.Request, lang language.Tag, status int, m message) {
	page := m.in(lang)
	p.render(w, r, lang, status, pageMessage, page.Title, page)
}

// in returns the message in a language.
func (m message) in(lang language.Tag) messagePage {
	page := messagePage{Title: lang.Text("portal."+m.page+".title", m.data)}
	for _, line := range m.lines {
		page.Lines = append(page.Lines, lang.Text("portal."+m.page+"."+line, m.data))
	}
	return page
}

func (p *portal) notFound(w http.ResponseWriter, r *http.Request) {
	p.message(w, r, languageOf(r, store.LinkView{}), http.StatusNotFound, nothingHere)
}

func machineTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
