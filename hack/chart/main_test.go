// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAManifestIsTakenOverOrRefused(t *testing.T) {
	const grantable = "rules:\n- verbs: [bind]\n  resourceNames: "
	cases := map[string]struct {
		transform func(string) (string, error)
		manifest  string
		template  string // empty if the manifest is refused
	}{
		"an unchanged policy":             {asItIs, "expression: object.orValue({})\n", "expression: object.orValue({})\n"},
		"a policy that names a namespace": {asItIs, "expression: request.namespace == 'usher-system'\n", ""},
		"a CRD, which is kept": {
			keep, "kind: X\nmetadata:\n  annotations:\n    a: b\n", "kind: X\nmetadata:\n  annotations:\n    helm.sh/resource-policy: keep\n    a: b\n",
		},
		"a CRD without annotations":   {keep, "kind: X\nmetadata:\n  name: x\n", ""},
		"the namespace of a binding":  {release, "  namespace: usher-system\n", "  namespace: {{ .Release.Namespace | quote }}\n"},
		"a namespace with the prefix": {release, "  namespace: usher-system-2\n", ""},
		"a namespace in the middle":   {release, "- {kind: ServiceAccount, namespace: usher-system}\n", ""},
		"the roles to bind":           {release, grantable + "[view]\n", grantable + `{{ include "usher.grantableClusterRoles" . }}` + "\n"},
		"a NetworkPolicy, which is optional": {
			optional, "  namespace: usher-system\n",
			"{{- if .Values.networkPolicy.enabled }}\n  namespace: {{ .Release.Namespace | quote }}\n{{- end }}\n",
		},
		"the verb bind without role names": {
			release, "rules:\n- verbs: [get, bind]\n", "",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			template, err := c.transform(c.manifest)
			if (err != nil) != (c.template == "") {
				t.Fatalf("error: %v", err)
			}
			if err == nil && template != c.template {
				t.Error(cmp.Diff(c.template, template))
			}
		})
	}
}

func TestWhatHelmWouldTakeForAnActionIsPrinted(t *testing.T) {
	if got, want := literal("{{ x }}"), `{{ "{{" }} x }}`; got != want {
		t.Errorf("literal: %s", got)
	}
}

func TestADirectoryIsTakenOverWholeAndNothingElseIsLeft(t *testing.T) {
	config, templates := t.TempDir(), t.TempDir()
	put(t, filepath.Join(config, "policy", "kustomization.yaml"), "resources:\n- a.yaml\n")
	put(t, filepath.Join(config, "policy", "a.yaml"), "kind: A\n")
	put(t, filepath.Join(templates, "policy", "old.yaml"), "kind: Old\n")
	if err := (part{"policy", asItIs}).write(config, templates); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(templates, "policy"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("templates: %v, %v", entries, err)
	}
	text, err := os.ReadFile(filepath.Join(templates, "policy", "a.yaml"))
	if first, rest, _ := strings.Cut(string(text), "\n"); err != nil || rest != "kind: A\n" || !strings.HasSuffix(first, "change that file.") {
		t.Errorf("template: %q, %v", text, err)
	}
}

func TestTheFileForTheAPIServerNamesThePortalOfTheRelease(t *testing.T) {
	text, err := authentication("jwt:\n- issuer:\n" + issuer + "    audiences: [kubectl]\n")
	if err != nil || !strings.Contains(text, "\n        url: {{ .Values.portal.url") || !strings.HasSuffix(text, "\n        audiences: [kubectl]\n") {
		t.Errorf("template: %q, %v", text, err)
	}
	if _, err := authentication("jwt:\n- issuer:\n    url: https://other.example.com\n"); err == nil {
		t.Error("an issuer that stays the same in every release was accepted")
	}
}

func TestWhatKustomizeWouldChangeIsRefused(t *testing.T) {
	config := t.TempDir()
	put(t, filepath.Join(config, "policy", "kustomization.yaml"), "resources: []\nnamePrefix: x-\n")
	if err := (part{"policy", asItIs}).write(config, t.TempDir()); err == nil {
		t.Error("a prefix was ignored")
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
