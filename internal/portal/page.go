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

// pageFiles are the pages, and in pages/parts what several of them share.
//
//go:embed pages
var pageFiles embed.FS

const (
	pageInvitation = "invitation.html"
	pageDone       = "done.html"
	pageMessage    = "message.html"
	pageDecline    = "decline.html"
)

// pages are the templates, by language and name, and what is the same on each page.
type pages struct {
	templates map[language.Tag]map[string]*template.Template
	frame     frame
}

// frame is what stands around the content of a page.
type frame struct {
	// Host is where the page says that it belongs.
	Host string
	// Style, Script, Passkeys, which is the script of passkeys, and Icon are
	// addresses.
	Style, Script, Passkeys, Icon string
	// Title of the window, and what differs from page to page.
	Title   string
	Content any
	// Languages that the page can be had in; none where it cannot be asked for again.
	Languages []choice
	// Base is the path that the portal is mounted at, without a slash at its end.
	Base string
	// UserName of whoever is signed in, as people read it; empty: nobody is.
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

// loadTemplates reads the templates once for all portals of a process. They take
// 12 MB, and nothing of a portal is in them.
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

// functions are what templates have besides those of html/template: t is a
// sentence of the catalogue, emphasize one with what it fills in made to stand
// out, lang the language itself, and day and machine are times.
func functions(lang language.Tag) template.FuncMap {
	return template.FuncMap{
		"t":         lang.Text,
		"emphasize": func(id string, namesAndValues ...string) []part { return emphasize(lang, id, namesAndValues...) },
		"lang":      lang.String,
		"day":       lang.Date,
		"machine":   machineTime,
	}
}

// render answers with a page to somebody who is not signed in.
func (p *portal) render(w http.ResponseWriter, r *http.Request, lang language.Tag, status int, name, title string, content any) {
	p.renderFor(w, r, lang, status, name, title, "", content)
}

// renderFor answers with a page to whoever has that Account. It is written only
// once it is whole.
func (p *portal) renderFor(w http.ResponseWriter, r *http.Request, lang language.Tag, status int, name, title, accountName string, content any) {
	f := p.pages.frame
	f.Title, f.Content = title, content
	if accountName != "" {
		f.UserName = username.Show(accountName)
	}
	// What a form has done is said once: nobody can ask for that page again.
	if r.Method != http.MethodPost || status != http.StatusOK || name == pageInvitation {
		f.Languages = choices(r, lang)
	}
	var body bytes.Buffer
	if err := p.pages.templates[lang][name].ExecuteTemplate(&body, "frame", f); err != nil {
		// The text of the error may quote what was to be shown.
		panic(fmt.Sprintf("page %s does not fit its content", name))
	}
	respond(w, r, status, "text/html; charset=utf-8", body.Bytes())
}

// messagePage is a message in words.
type messagePage struct {
	Title string
	Lines []string
}

func (p *portal) message(w http.ResponseWriter, r *http.Request, lang language.Tag, status int, m message) {
	page := m.in(lang)
	p.render(w, r, lang, status, pageMessage, page.Title, page)
}

// in is the message in a language.
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
