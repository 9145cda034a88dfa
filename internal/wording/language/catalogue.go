// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package language

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"github.com/nicksnyder/go-i18n/v2/i18n/template"
	xlanguage "golang.org/x/text/language"
	"sigs.k8s.io/yaml"
)

//go:embed catalogue
var catalogue embed.FS

var (
	// formats reads YAML strictly: of two sentences with one id, nobody would notice which is used.
	formats = map[string]i18n.UnmarshalFunc{
		"yaml": func(data []byte, v any) error { return yaml.UnmarshalStrict(data, v) },
	}

	// parser makes a value that was not given an error, and not the text "<no value>".
	parser = &template.TextParser{Option: "missingkey=error"}

	localizers = load(catalogue)
)

// load reads all sentences. They are part of the program, so it panics where they cannot be read.
func load(files fs.FS) map[Tag]*i18n.Localizer {
	bundle := i18n.NewBundle(xlanguage.Make(string(Default)))
	for format, unmarshal := range formats {
		bundle.RegisterUnmarshalFunc(format, unmarshal)
	}
	paths, err := fs.Glob(files, "catalogue/*")
	if err != nil {
		panic(err)
	}
	for _, path := range paths {
		if _, err := bundle.LoadMessageFileFS(files, path); err != nil {
			panic(fmt.Sprintf("reading %s: %v", path, err))
		}
	}
	out := map[Tag]*i18n.Localizer{}
	for _, t := range tags {
		out[t] = i18n.NewLocalizer(bundle, string(t))
	}
	return out
}

// Text returns the sentence with that id, as plain text: it is not escaped for HTML or for anything
// else. The data is what it fills in, a map or a struct; nil if it fills in nothing. In a
// map[string]any the entry PluralCount, an integer, chooses between the forms "one" and "other".
//
// An id that is not in the catalogue is a mistake in the program, and so is a value that is missing:
// Text panics and says the id.
func (t Tag) Text(id string, data any) string {
	config := &i18n.LocalizeConfig{MessageID: id, TemplateData: data, TemplateParser: parser}
	if values, ok := data.(map[string]any); ok {
		config.PluralCount = values["PluralCount"]
	}
	text, err := localizers[Tag(t.String())].Localize(config)
	// Any other error comes with a text: a language that has the forms "one" and "other" alone, asked
	// for the form "many" that it has for millions, gives the form "other".
	var missing *i18n.MessageNotFoundErr
	if errors.As(err, &missing) || text == "" {
		panic(fmt.Sprintf("message %q cannot be said in language %q: %v", id, t, err))
	}
	return text
}
