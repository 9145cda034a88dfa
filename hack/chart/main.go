// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Command chart writes the templates of the Helm chart that say the same as
// config/: the kinds, the rights and the policies. It imports nothing of Usher,
// nor of Helm; docs/adr/0021-the-chart-is-written-from-config.md says why.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

// namespace is Usher's own in config/. In the chart it is the release's.
const namespace = "usher-system"

// part is a directory of config/ with a kustomization.yaml, and what becomes of
// its files.
type part struct {
	name      string
	transform func(manifest string) (string, error)
}

var parts = []part{
	{"crd", keep},
	{"policy", asItIs},
	{"rbac", release},
}

func main() {
	config := flag.String("config", "config", "`directory` to read")
	chart := flag.String("chart", filepath.Join("charts", "usher"), "`directory` of the chart to write to")
	flag.Parse()
	for _, p := range parts {
		if err := p.write(*config, filepath.Join(*chart, "templates")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// write writes a template for each file that kustomize would apply, and leaves
// no other.
func (p part) write(config, templates string) error {
	from, to := filepath.Join(config, p.name), filepath.Join(templates, p.name)
	resources, err := listed(from)
	if err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(to), os.MkdirAll(to, 0o755)); err != nil {
		return err
	}
	for _, resource := range resources {
		source := filepath.Join(from, resource)
		manifest, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		text, err := p.transform(literal(string(manifest)))
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		text = "# Written from " + filepath.ToSlash(source) + " by make generate: change that file.\n" +
			strings.TrimPrefix(text, "---\n")
		if err := os.WriteFile(filepath.Join(to, filepath.Base(resource)), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func listed(dir string) ([]string, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "kustomization.yaml"))
	if err != nil {
		return nil, err
	}
	// Whatever else kustomize might do is refused: it would be missing in the chart.
	var kustomization struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Resources  []string `json:"resources"`
	}
	if err := yaml.UnmarshalStrict(raw, &kustomization); err != nil {
		return nil, fmt.Errorf("%s: only resources can be taken over into the chart: %w", dir, err)
	}
	return kustomization.Resources, nil
}

// literal has Helm print what it would take for an action.
func literal(manifest string) string {
	return strings.ReplaceAll(manifest, "{{", `{{ "{{" }}`)
}

func asItIs(manifest string) (string, error) {
	if strings.Contains(manifest, namespace) {
		return "", fmt.Errorf("a policy cannot name %s, since Helm installs into any namespace: take it from request.userInfo", namespace)
	}
	return manifest, nil
}

// keep has Helm leave a definition behind when Usher is uninstalled: with it all
// objects of its kind would be deleted.
func keep(manifest string) (string, error) {
	const annotations = "\nmetadata:\n  annotations:\n"
	if strings.Count(manifest, annotations) != 1 {
		return "", errors.New("no annotations at the top to put helm.sh/resource-policy beside")
	}
	return strings.Replace(manifest, annotations, annotations+"    helm.sh/resource-policy: keep\n", 1), nil
}

var (
	inNamespace = regexp.MustCompile(`(?m)^( +namespace: )` + namespace + `$`)
	mayBind     = regexp.MustCompile(`(?m)^([ -]+verbs: \[bind\]\n +resourceNames: )\[.*\]$`)
)

// release puts the namespace of the release, and what may be granted, in place
// of what is in the file.
func release(manifest string) (string, error) {
	manifest = inNamespace.ReplaceAllString(manifest, "${1}{{ .Release.Namespace | quote }}")
	manifest = mayBind.ReplaceAllString(manifest, `${1}{{ include "usher.grantableClusterRoles" . }}`)
	if strings.Contains(manifest, namespace) {
		return "", fmt.Errorf("it names %s in another way than a line `namespace: %s`", namespace, namespace)
	}
	if strings.Count(manifest, "bind]") != strings.Count(manifest, "usher.grantableClusterRoles") {
		return "", errors.New("the verb bind must be followed by a line `resourceNames: […]`")
	}
	return manifest, nil
}
