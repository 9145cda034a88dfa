// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

// asset is a file that pages refer to. Its name contains a hash of its content,
// so browsers can cache it permanently.
type asset struct {
	content     []byte
	contentType string
}

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// loadAssets returns the assets keyed by the name with the hash, and those names
// keyed by the plain name.
func loadAssets() (byName map[string]asset, names map[string]string, err error) {
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		return nil, nil, fmt.Errorf("read the assets: %w", err)
	}
	byName, names = map[string]asset{}, map[string]string{}
	for _, entry := range entries {
		content, err := assetFiles.ReadFile(path.Join("assets", entry.Name()))
		if err != nil {
			return nil, nil, fmt.Errorf("read an asset: %w", err)
		}
		sum := sha256.Sum256(content)
		extension := path.Ext(entry.Name())
		name := strings.TrimSuffix(entry.Name(), extension) + "-" + hex.EncodeToString(sum[:8]) + extension
		names[entry.Name()] = name
		byName[name] = asset{content: content, contentType: assetTypes[extension]}
	}
	return byName, names, nil
}

func (p *portal) serveAsset(w http.ResponseWriter, r *http.Request, name string) {
	a, found := p.assets[name]
	if !found {
		p.notFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	respond(w, r, http.StatusOK, a.contentType, a.content)
}
