// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/test/platform"
)

var _ = Describe("The manifests", func() {
	It("list each right, without wildcards or ways to extend rights, and bind only by name", func(ctx SpecContext) {
		manifests, err := kube.Kubectl(ctx, "kustomize", filepath.Join(platform.Root, "config", "rbac"))
		Expect(err).NotTo(HaveOccurred())
		var rules []rbacv1.PolicyRule
		for manifest := range strings.SplitSeq(manifests, "\n---\n") {
			var role rbacv1.ClusterRole
			Expect(yaml.Unmarshal([]byte(manifest), &role)).To(Succeed())
			rules = append(rules, role.Rules...)
		}
		Expect(len(rules)).To(BeNumerically(">", 10))
		for _, rule := range rules {
			everything := append(append(append([]string{}, rule.APIGroups...), rule.Resources...), rule.Verbs...)
			Expect(everything).NotTo(ContainElement(ContainSubstring("*")), "%+v", rule)
			Expect(rule.Verbs).NotTo(ContainElement(BeElementOf("escalate", "impersonate")), "%+v", rule)
			for _, verb := range rule.Verbs {
				if verb == "bind" {
					Expect(rule.ResourceNames).NotTo(BeEmpty(), "%+v", rule)
				}
			}
		}
	})

	It("let users with a predefined ClusterRole manage people, and nothing else", Label("C11"), func(ctx SpecContext) {
		for name, writes := range map[string][]string{
			"usher-people-viewer":      {},
			"usher-people-manager":     {"create", "update", "patch", "delete"},
			"usher-organization-owner": {"create", "update", "patch", "delete", "assign"},
		} {
			var role rbacv1.ClusterRole
			Expect(admin.Get(ctx, client.ObjectKey{Name: name}, &role)).To(Succeed())
			Expect(role.AggregationRule).To(BeNil(), name)
			Expect(role.Labels).To(BeEmpty(), "%s is part of no other ClusterRole", name)
			var verbs []string
			for _, rule := range role.Rules {
				Expect(rule.APIGroups).To(ConsistOf(accountsv1.GroupVersion.Group), name)
				if slices.Contains(rule.Verbs, "assign") {
					Expect(rule.Resources).To(ConsistOf("roles", "permissions"), name)
				} else {
					Expect(rule.Resources).To(ConsistOf("memberships", "invitations"), name)
				}
				verbs = append(verbs, rule.Verbs...)
			}
			Expect(verbs).To(ConsistOf(append(writes, "get", "list", "watch")), name)
		}
	})

	It("contain policies for which the API server has no warnings", func(ctx SpecContext) {
		const warnings = "jsonpath={range .items[*]}{.status.observedGeneration}{.status.typeChecking.expressionWarnings}{end}"
		Eventually(kube.Kubectl).WithArguments(ctx, "get", "validatingadmissionpolicies", "-o", warnings).
			WithTimeout(policyDelay).Should(MatchRegexp(`^1+$`))
	})
})
