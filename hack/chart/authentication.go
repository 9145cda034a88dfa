// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// issuer is the line in config/authentication that names the portal.
const issuer = "    url: https://accounts.example.com\n"

// writeAuthentication writes the template of a ConfigMap with the file for the API server, which names
// the portal of the release.
func writeAuthentication(config, templates string) error {
	source := filepath.Join(config, "authentication", "authentication.yaml")
	raw, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	text, err := authentication(literal(string(raw)))
	if err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	return os.WriteFile(filepath.Join(templates, "authentication.yaml"), []byte(writtenFrom(source)+text), 0o644)
}

// authentication makes a manifest for the API server, which is no object of the cluster, the content of a
// ConfigMap.
func authentication(manifest string) (string, error) {
	if strings.Count(manifest, issuer) != 1 {
		return "", fmt.Errorf("it must have one line %q", strings.TrimSpace(issuer))
	}
	manifest = strings.Replace(manifest, issuer, `    url: {{ .Values.portal.url | trimSuffix "/" | quote }}
    {{- with .Values.portal.ca }}
    certificateAuthority: {{ . | quote }}
    {{- end }}
`, 1)
	return `apiVersion: v1
kind: ConfigMap
metadata:
  name: usher-authentication
  namespace: {{ .Release.Namespace | quote }}
data:
  authentication.yaml: |
    ` + strings.ReplaceAll(strings.TrimSuffix(manifest, "\n"), "\n", "\n    ") + "\n", nil
}
