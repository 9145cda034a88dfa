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

	"github.com/usher-dev/usher/internal/language"
)

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
	// Style, Script and Icon are addresses.
	Style, Script, Icon string
	// Title of the window, and what differs from page to page.
	Title   string
	Content any
	// Languages that the page can be had in; none where it cannot be asked for again.
	Languages []choice
}

func loadPages(base, host string, assets map[string]string) (*pages, error) {
	p := &pages{
		templates: map[language.Tag]map[string]*template.Template{},
		frame: frame{
			Host:   host,
			Style:  base + "/assets/" + assets["portal.css"],
			Script: base + "/assets/" + assets["portal.js"],
			Icon:   base + "/assets/" + assets["icon.svg"],
		},
	}
	for _, lang := range language.All() {
		p.templates[lang] = map[string]*template.Template{}
		for _, name := range []string{pageInvitation, pageDone, pageMessage, pageDecline} {
			t, err := template.New(name).Funcs(functions(lang)).ParseFS(pageFiles, "pages/frame.html", "pages/abilities.html", "pages/signin.html", "pages/otheraddress.html", "pages/"+name)
			if err != nil {
				return nil, fmt.Errorf("read a page: %w", err)
			}
			p.templates[lang][name] = t
		}
	}
	return p, nil
}

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

// render answers with a page. It is written only once it is whole.
func (p *portal) render(w http.ResponseWriter, r *http.Request, lang language.Tag, status int, name, title string, content any) {
	f := p.pages.frame
	f.Title, f.Content = title, content
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
	page := messagePage{Title: lang.Text("portal."+m.page+".title", m.data)}
	for _, line := range m.lines {
		page.Lines = append(page.Lines, lang.Text("portal."+m.page+"."+line, m.data))
	}
	p.render(w, r, lang, status, pageMessage, page.Title, page)
}

func (p *portal) showHome(w http.ResponseWriter, r *http.Request) {
	p.message(w, r, languageOf(r, sight{}), http.StatusOK, atHome)
}

func (p *portal) notFound(w http.ResponseWriter, r *http.Request) {
	p.message(w, r, languageOf(r, sight{}), http.StatusNotFound, nothingHere)
}

func machineTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
