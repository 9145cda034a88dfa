// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var _ = DescribeTable("The Deployment", func(ctx SpecContext, name string) {
	manifests, err := kube.Kubectl(ctx, "kustomize", filepath.Join(root, "config", "default"))
	Expect(err).NotTo(HaveOccurred())
	all := parsed(manifests)
	var deployment appsv1.Deployment
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(all["Deployment "+name], &deployment, true)).To(Succeed())
	pod := deployment.Spec.Template

	By("spreading over nodes and zones, without waiting for them")
	var keys []string
	for _, spread := range pod.Spec.TopologySpreadConstraints {
		keys = append(keys, spread.TopologyKey)
		Expect(spread.MaxSkew).To(Equal(int32(1)))
		Expect(spread.WhenUnsatisfiable).To(Equal(corev1.ScheduleAnyway))
		Expect(spread.LabelSelector).To(Equal(deployment.Spec.Selector))
		Expect(spread.MatchLabelKeys).To(ConsistOf("pod-template-hash"), "so that a rollout counts only new pods")
	}
	Expect(keys).To(ConsistOf(corev1.LabelHostname, corev1.LabelTopologyZone))

	By("letting a drain evict one pod at a time, and any broken one")
	var budget policyv1.PodDisruptionBudget
	Expect(all).To(HaveKey("PodDisruptionBudget " + name))
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(all["PodDisruptionBudget "+name], &budget, true)).To(Succeed())
	Expect(budget.Spec.Selector).To(Equal(deployment.Spec.Selector))
	Expect(budget.Spec.MaxUnavailable).To(HaveValue(Equal(intstr.FromInt32(1))))
	Expect(budget.Spec.MinAvailable).To(BeNil(), "it would block the drain of a single replica")
	Expect(budget.Spec.UnhealthyPodEvictionPolicy).To(HaveValue(Equal(policyv1.AlwaysAllow)))

	By("bounding its storage on the node, with room for the logs that the kubelet keeps")
	container := pod.Spec.Containers[0]
	Expect(container.SecurityContext.ReadOnlyRootFilesystem).To(HaveValue(BeTrue()))
	Expect(container.Resources.Requests.StorageEphemeral().Cmp(resource.MustParse("1Mi"))).To(Equal(1))
	Expect(container.Resources.Limits.StorageEphemeral().Cmp(resource.MustParse("512Mi"))).To(Equal(1))
},
	Entry("of the controller survives a node's loss and drain", "usher-controller"),
	Entry("of the portal survives a node's loss and drain", "usher-portal"),
)
