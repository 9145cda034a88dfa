// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

// Connections to the real API server that all tests of the package use.
var (
	config  *rest.Config
	objects dynamic.Interface
	server  *discovery.DiscoveryClient
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		environment.BinaryAssetsDirectory = filepath.Join("..", "..", "bin")
	}
	// Start can fail after the control plane has started, so always stop it.
	defer func() {
		if err := environment.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "Stopping the control plane:", err)
			code = 1
		}
	}()
	if err := start(environment); err != nil {
		fmt.Fprintln(os.Stderr, "Starting the control plane:", err)
		return 1
	}
	return m.Run()
}

func start(environment *envtest.Environment) (err error) {
	if config, err = environment.Start(); err != nil {
		return err
	}
	config.QPS = -1
	if objects, err = dynamic.NewForConfig(config); err != nil {
		return err
	}
	server, err = discovery.NewDiscoveryClientForConfig(config)
	return err
}

// parse returns the object of a manifest.
func parse(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSONStrict([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return object
}

// resource returns a client for objects of the same kind and namespace.
func resource(object *unstructured.Unstructured) dynamic.ResourceInterface {
	plural, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
	return objects.Resource(plural).Namespace(object.GetNamespace())
}

// made creates the object of a manifest under a unique name, and deletes it when
// the test ends.
func made(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	return madeOf(t, parse(t, manifest))
}

func madeOf(t *testing.T, object *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	object.SetGenerateName(object.GetName() + "-")
	object.SetName("")
	created, err := resource(object).Create(t.Context(), object, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unmake(t, created) })
	return created
}

// unmake deletes an object at the end of a test, when the context of the test is
// already canceled.
func unmake(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	if err := resource(object).Delete(context.Background(), object.GetName(), metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

// A change modifies a valid manifest before it is sent.
type change func(object map[string]any) error

// set sets the field at a path such as spec.roles.0.name; nil removes it.
func set(path string, value any) change {
	return func(object map[string]any) error {
		_, err := put(object, strings.Split(path, "."), value)
		return err
	}
}

// unset removes the field at a path.
func unset(path string) change { return set(path, nil) }

// apply applies the changes to an object.
func apply(t *testing.T, object *unstructured.Unstructured, changes ...change) {
	t.Helper()
	for _, change := range changes {
		if err := change(object.Object); err != nil {
			t.Fatal(err)
		}
	}
}

// put returns a node with the value at the path below it.
func put(node any, path []string, value any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	switch node := node.(type) {
	case map[string]any:
		child, err := put(node[path[0]], path[1:], value)
		node[path[0]] = child
		if child == nil {
			delete(node, path[0])
		}
		return node, err
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil || i > len(node) {
			return nil, fmt.Errorf("no item %s in a list of %d", path[0], len(node))
		}
		if i == len(node) {
			node = append(node, map[string]any{})
		}
		node[i], err = put(node[i], path[1:], value)
		return node, err
	case nil:
		return put(map[string]any{}, path, value)
	}
	return nil, fmt.Errorf("%s is below a plain value", path[0])
}

// at returns a path in the notation of the API server: spec.roles[0].name.
func at(path string) string {
	var written strings.Builder
	for step := range strings.SplitSeq(path, ".") {
		switch _, err := strconv.Atoi(step); {
		case err == nil:
			written.WriteString("[" + step + "]")
		case written.Len() == 0:
			written.WriteString(step)
		default:
			written.WriteString("." + step)
		}
	}
	return written.String()
}

// submit changes a valid manifest and sends it to the API server in a dry run. It
// creates the object or, if a change affects the status, updates the status of an
// object that exists.
func submit(t *testing.T, manifest string, changes ...change) error {
	t.Helper()
	object := parse(t, manifest)
	apply(t, object, changes...)
	if reflect.DeepEqual(object.Object["status"], parse(t, manifest).Object["status"]) {
		return create(t, object)
	}
	existing := made(t, manifest)
	object.SetName(existing.GetName())
	object.SetResourceVersion(existing.GetResourceVersion())
	return report(t, object)
}

func create(t *testing.T, object *unstructured.Unstructured) error {
	t.Helper()
	_, err := resource(object).Create(t.Context(), object, metav1.CreateOptions{
		FieldValidation: metav1.FieldValidationStrict, DryRun: []string{metav1.DryRunAll},
	})
	return err
}

func update(t *testing.T, object *unstructured.Unstructured) error {
	t.Helper()
	_, err := resource(object).Update(t.Context(), object, metav1.UpdateOptions{
		FieldValidation: metav1.FieldValidationStrict, DryRun: []string{metav1.DryRunAll},
	})
	return err
}

func report(t *testing.T, object *unstructured.Unstructured) error {
	t.Helper()
	_, err := resource(object).UpdateStatus(t.Context(), object, metav1.UpdateOptions{
		FieldValidation: metav1.FieldValidationStrict, DryRun: []string{metav1.DryRunAll},
	})
	return err
}

// expect compares a response of the API server with the message that a refusal must
// contain. If the message is empty, the API server must accept the object.
func expect(t *testing.T, err error, refusal string) {
	t.Helper()
	switch {
	case refusal == "" && err != nil:
		t.Errorf("refused, must be accepted: %v", err)
	case refusal != "" && err == nil:
		t.Errorf("accepted, must be refused: %s", refusal)
	case refusal != "" && !strings.Contains(err.Error(), refusal):
		t.Errorf("refused with another message:\n got %v\nwant %s", err, refusal)
	}
}
