// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Command chart writes those templates of the Helm chart that correspond to config/: the CRDs,
// the RBAC, the policies and the NetworkPolicies. It imports neither Usher nor Helm;
// docs/adr/0021-the-chart-is-written-from-config.md explains why.
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

// namespace is Usher's own namespace in config/. In the chart, it is the namespace of the
// release.
const namespace = "usher-system"

// part is a directory of config/ with a kustomization.yaml, and the transformation of its
// files.
type part struct {
	name      string
	transform func(manifest string) (string, error)
}

var parts = []part{
	{"crd", keep},
	{"network", optional},
	{"policy", asItIs},
	{"rbac", release},
}

func main() {
	config := flag.String("config", "config", "`directory` to read")
	chart := flag.String("chart", filepath.Join("charts", "usher"), "`directory` of the chart to write to")
	flag.Parse()
	templates := filepath.Join(*chart, "templates")
	var errs []error
	for _, p := range parts {
		errs = append(errs, p.write(*config, templates))
	}
	errs = append(errs, writeAuthentication(*config, templates))
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write writes a template for each file that kustomize would apply, and removes all others.
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
		text = writtenFrom(source) + strings.TrimPrefix(text, "---\n")
		if err := os.WriteFile(filepath.Join(to, filepath.Base(resource)), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func writtenFrom(source string) string {
	return "# Written from " + filepath.ToSlash(source) + " by make generate: change that file.\n"
}

func listed(dir string) ([]string, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "kustomization.yaml"))
	if err != nil {
		return nil, err
	}
	// Any other field of kustomize is refused, because its effect would be missing in the
	// chart.
	var kustomization struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Resources  []string `json:"resources"`
	}
	if err := yaml.UnmarshalStrict(raw, &kustomization); err != nil {
		return nil, fmt.Errorf("%s: the chart can only take resources from kustomization.yaml: %w", dir, err)
	}
	return kustomization.Resources, nil
}

// literal escapes what Helm would otherwise read as an action.
func literal(manifest string) string {
	return strings.ReplaceAll(manifest, "{{", `{{ "{{" }}`)
}

func asItIs(manifest string) (string, error) {
	if strings.Contains(manifest, namespace) {
		return "", fmt.Errorf("a policy must not name %s, because Helm can install into any namespace: use request.userInfo instead", namespace)
	}
	return manifest, nil
}

// keep makes Helm keep a CRD when Usher is uninstalled. Deleting the CRD would delete all
// objects of its kind.
func keep(manifest string) (string, error) {
	const annotations = "\nmetadata:\n  annotations:\n"
	if strings.Count(manifest, annotations) != 1 {
		return "", errors.New("metadata must start with annotations, because helm.sh/resource-policy is added there")
	}
	return strings.Replace(manifest, annotations, annotations+"    helm.sh/resource-policy: keep\n", 1), nil
}

// optional does the same as release, for objects that an installer can leave out.
func optional(manifest string) (string, error) {
	manifest, err := release(manifest)
	return "{{- if .Values.networkPolicy.enabled }}\n" + manifest + "{{- end }}\n", err
}

var (
	inNamespace = regexp.MustCompile(`(?m)^( +namespace: )` + namespace + `$`)
	mayBind     = regexp.MustCompile(`(?m)^([ -]+verbs: \[bind\]\n +resourceNames: )\[.*\]$`)
)

// release replaces the namespace and the ClusterRoles that may be granted with the values of
// the release.
func release(manifest string) (string, error) {
	manifest = inNamespace.ReplaceAllString(manifest, "${1}{{ .Release.Namespace | quote }}")
	manifest = mayBind.ReplaceAllString(manifest, `${1}{{ include "usher.grantableClusterRoles" . }}`)
	if strings.Contains(manifest, namespace) {
		return "", fmt.Errorf("it must name %s only in a line `namespace: %s`", namespace, namespace)
	}
	if strings.Count(manifest, "bind]") != strings.Count(manifest, "usher.grantableClusterRoles") {
		return "", errors.New("the verb bind must be followed by a line `resourceNames: […]`")
	}
	return manifest, nil
}
