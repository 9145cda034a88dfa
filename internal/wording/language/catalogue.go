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
	// formats parses YAML strictly: of two sentences with one ID, one would silently replace the other.
	formats = map[string]i18n.UnmarshalFunc{
		"yaml": func(data []byte, v any) error { return yaml.UnmarshalStrict(data, v) },
	}

	// parser returns an error for a missing value, instead of the text "<no value>".
	parser = &template.TextParser{Option: "missingkey=error"}

	localizers = load(catalogue)
)

// load reads all sentences. They are part of the program, so it panics if they cannot be read.
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
			panic(fmt.Sprintf("read %s: %v", path, err))
		}
	}
	out := map[Tag]*i18n.Localizer{}
	for _, t := range tags {
		out[t] = i18n.NewLocalizer(bundle, string(t))
	}
	return out
}

// Text returns the sentence with that ID, as plain text. It is not escaped for HTML or for anything
// else. Data holds the values for the sentence, as a map or a struct. It is nil if the sentence has no
// values. In a map[string]any, the entry PluralCount, an integer, selects the form "one" or "other".
//
// An ID that is not in the catalogue is a bug in the program, and so is a missing value. Then Text
// panics with the ID.
func (t Tag) Text(id string, data any) string {
	config := &i18n.LocalizeConfig{MessageID: id, TemplateData: data, TemplateParser: parser}
	if values, ok := data.(map[string]any); ok {
		config.PluralCount = values["PluralCount"]
	}
	text, err := localizers[Tag(t.String())].Localize(config)
	// Any other error comes with a text. For example, a sentence can have only the forms "one" and
	// "other". If its language needs the form "many", for millions, Localize returns the form "other".
	var missing *i18n.MessageNotFoundErr
	if errors.As(err, &missing) || text == "" {
		panic(fmt.Sprintf("message %q has no text in language %q: %v", id, t, err))
	}
	return text
}
