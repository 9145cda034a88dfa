// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// The samples are sent as they are, in the order of the kustomization: the API
// server refuses unknown and duplicate fields.
func TestSamples(t *testing.T) {
	folder := filepath.Join("..", "..", "config", "samples")
	files := kustomized(t, folder)

	// The controller makes the home namespace; it is not running here.
	send(t, []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: acme}\n"))
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			manifest, err := os.ReadFile(filepath.Join(folder, file))
			if err != nil {
				t.Fatal(err)
			}
			send(t, manifest)
		})
	}
}

// kustomized returns the files of a folder's kustomization, which are all there are.
func kustomized(t *testing.T, folder string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct{ Resources []string }
	if err := yaml.Unmarshal(data, &kustomization); err != nil {
		t.Fatal(err)
	}

	present, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"kustomization.yaml": true}
	for _, file := range kustomization.Resources {
		want[file] = true
	}
	got := map[string]bool{}
	for _, file := range present {
		got[filepath.Base(file)] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the files of the kustomization and those in %s (-listed +present):\n%s", folder, diff)
	}
	return kustomization.Resources
}

// send applies a manifest byte for byte, until the test ends.
func send(t *testing.T, manifest []byte) {
	t.Helper()
	object := parse(t, string(manifest))
	plural, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
	root := "apis"
	if plural.Group == "" {
		root = "api"
	}
	request := server.RESTClient().Patch(types.ApplyYAMLPatchType).AbsPath(root, plural.Group, plural.Version)
	if namespace := object.GetNamespace(); namespace != "" {
		request = request.Namespace(namespace)
	}
	err := request.Resource(plural.Resource).Name(object.GetName()).
		Param("fieldManager", "kubectl").
		Param("fieldValidation", metav1.FieldValidationStrict).
		Body(manifest).
		Do(t.Context()).Error()
	if err != nil {
		t.Fatal(err)
	}
	if object.GetKind() == "Namespace" {
		return // Its deletion would wait for the namespace controller, which is not running here.
	}
	t.Cleanup(func() { unmake(t, object) })
}
