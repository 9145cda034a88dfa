// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// A tag can name another image tomorrow. These specs install what the docs tell the
// reader to install.
var _ = Describe("The examples in the docs", func() {
	const pinned = `^registry\.example\.com/platform/usher@sha256:[0-9a-f]{64}$`

	It("pin the image by digest with kustomize", func(ctx SpecContext) {
		dir := GinkgoT().TempDir()
		base, err := filepath.Abs(filepath.Join(root, "config", "default"))
		Expect(err).NotTo(HaveOccurred())
		base, err = filepath.Rel(dir, base)
		Expect(err).NotTo(HaveOccurred())
		overlay := strings.Replace(example("apiVersion: kustomize.config.k8s.io/v1beta1\n"), "- ../config/default\n", "- "+base+"\n", 1)
		Expect(os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(overlay), 0o600)).To(Succeed())
		Expect(os.WriteFile(filepath.Join(dir, "smtp-password.txt"), []byte("secret"), 0o600)).To(Succeed())
		manifests, err := kube.Kubectl(ctx, "kustomize", "--load-restrictor=LoadRestrictionsNone", dir)
		Expect(err).NotTo(HaveOccurred())
		for _, name := range []string{"Deployment usher-controller", "Deployment usher-portal"} {
			Expect(firstContainer(parsed(manifests)[name])["image"]).To(MatchRegexp(pinned), name)
		}
	})

	It("pin the image by digest with Helm", func(ctx SpecContext) {
		manifests, err := rendered(ctx, "usher-system", example("# values.yaml\n"))
		Expect(err).NotTo(HaveOccurred())
		for _, name := range []string{"Deployment usher-controller", "Deployment usher-portal"} {
			Expect(firstContainer(parsed(manifests)[name])["image"]).To(MatchRegexp(pinned), name)
		}
	})
})

// example returns the block of YAML in docs/operations.md that starts with first.
func example(first string) string {
	GinkgoHelper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	Expect(err).NotTo(HaveOccurred())
	_, block, found := strings.Cut(string(page), "```yaml\n"+first)
	Expect(found).To(BeTrue(), "no example starts with %s", first)
	block, _, found = strings.Cut(block, "```\n")
	Expect(found).To(BeTrue())
	return first + block
}
