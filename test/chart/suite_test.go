// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package chart_test compares the Helm chart with config/, which is the other way to
// install Usher, and applies it to a real API server.
package chart_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/usher-dev/usher/hack/cluster"
)

var (
	root  = filepath.Join("..", "..")
	chart = filepath.Join(root, "charts", "usher")
	bin   string
	kube  *cluster.Cluster
)

func TestChart(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Chart")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	logf.SetLogger(GinkgoLogr)
	if bin = os.Getenv("KUBEBUILDER_ASSETS"); bin == "" {
		bin = filepath.Join(root, "bin")
	}
	Expect(filepath.Join(bin, "chart-helm")).To(BeARegularFile(), "run make bin/chart-helm")
	var err error
	kube, err = cluster.Start(context.WithoutCancel(ctx), cluster.Options{BinDir: bin})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(kube.Stop)
})

// rendered returns the output of Helm for the chart. Its values are the sample values
// with others, in YAML, on top. The error is Helm's.
func rendered(ctx context.Context, namespace, others string) (string, error) {
	GinkgoHelper()
	values := map[string]any{}
	sample, err := os.ReadFile(filepath.Join(chart, "ci", "values.yaml"))
	Expect(err).NotTo(HaveOccurred())
	for _, layer := range [][]byte{sample, []byte(others)} {
		over := map[string]any{}
		Expect(yaml.Unmarshal(layer, &over)).To(Succeed())
		lay(values, over)
	}
	text, err := yaml.Marshal(values)
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(GinkgoT().TempDir(), "values.yaml")
	Expect(os.WriteFile(file, text, 0o600)).To(Succeed())

	var complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "chart-helm"), "template", "-namespace", namespace, "-values", file, chart)
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", errors.New(complaint.String())
	}
	return string(out), nil
}

// lay merges over into values, as Helm does.
func lay(values, over map[string]any) {
	for key, value := range over {
		below, isMap := values[key].(map[string]any)
		if above, both := value.(map[string]any); isMap && both {
			lay(below, above)
		} else {
			values[key] = value
		}
	}
}

// objects are manifests by kind and name.
type objects map[string]map[string]any

func parsed(manifests string) objects {
	GinkgoHelper()
	all := objects{}
	for manifest := range strings.SplitSeq("\n"+manifests, "\n---\n") {
		var o unstructured.Unstructured
		Expect(yaml.UnmarshalStrict([]byte(manifest), &o.Object)).To(Succeed())
		if len(o.Object) == 0 {
			continue
		}
		name := o.GetKind() + " " + o.GetName()
		Expect(all).NotTo(HaveKey(name), "twice")
		all[name] = o.Object
	}
	return all
}
