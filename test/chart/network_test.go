// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// A peer is the other end of a connection. A network plugin matches a pod by selectors
// only, an address outside the cluster by CIDR only, and a node by neither.
type peer struct {
	pod, node bool
	address   string
}

var (
	aPod  = peer{pod: true}
	aNode = peer{node: true}
)

func at(address string) peer { return peer{address: address} }

var _ = Describe("The NetworkPolicies", func() {
	DescribeTable("let the controller reach", func(ctx SpecContext, to peer, protocol corev1.Protocol, port int32) {
		Expect(networkPolicies(ctx).allowEgress("usher-controller", to, protocol, port)).To(BeTrue())
	},
		Entry("DNS in the cluster", aPod, corev1.ProtocolUDP, int32(53)),
		Entry("DNS in the cluster, for long answers", aPod, corev1.ProtocolTCP, int32(53)),
		Entry("DNS on its node, by a link-local address", at("169.254.20.10"), corev1.ProtocolUDP, int32(53)),
		Entry("the API server on a node", aNode, corev1.ProtocolTCP, int32(6443)),
		Entry("the API server on a node of MicroK8s", aNode, corev1.ProtocolTCP, int32(16443)),
		Entry("the API server on a node of minikube", aNode, corev1.ProtocolTCP, int32(8443)),
		Entry("the API server of a cloud", at("198.51.100.7"), corev1.ProtocolTCP, int32(443)),
		Entry("a mail server in the cluster", aPod, corev1.ProtocolTCP, int32(1025)),
		Entry("a mail server on a node", aNode, corev1.ProtocolTCP, int32(25)),
		Entry("a mail server in the company's network", at("10.1.2.3"), corev1.ProtocolTCP, int32(587)),
		Entry("a tenant's mail server", at("203.0.113.7"), corev1.ProtocolTCP, int32(2525)),
		Entry("a tenant's mail server over IPv6", at("2001:db8::7"), corev1.ProtocolTCP, int32(465)),
		Entry("an SMS gateway", at("203.0.113.7"), corev1.ProtocolTCP, int32(13013)),
		Entry("a proxy", at("10.1.2.3"), corev1.ProtocolTCP, int32(3128)),
	)

	DescribeTable("keep the controller from", func(ctx SpecContext, to peer, port int32) {
		Expect(networkPolicies(ctx).allowEgress("usher-controller", to, corev1.ProtocolTCP, port)).To(BeFalse())
	},
		Entry("the metadata of most clouds", at("169.254.169.254"), int32(80)),
		Entry("the credentials of a task in AWS", at("169.254.170.2"), int32(80)),
		Entry("the metadata of AWS over IPv6", at("fd00:ec2::254"), int32(80)),
		Entry("the metadata of Google Cloud over IPv6", at("fd20:ce::254"), int32(80)),
		Entry("the metadata of most clouds through NAT64", at("64:ff9b::a9fe:a9fe"), int32(80)),
		Entry("the metadata of Oracle Cloud", at("192.0.0.192"), int32(80)),
		Entry("the metadata of Oracle Cloud through NAT64", at("64:ff9b::c000:c0"), int32(80)),
		Entry("the metadata of Oracle Cloud over IPv6", at("fd00:c1::a9fe:a9fe"), int32(80)),
		Entry("the metadata of Scaleway over IPv6", at("fd00:42::42"), int32(80)),
		Entry("the metadata of Alibaba Cloud through NAT64", at("64:ff9b::6464:64c8"), int32(80)),
		Entry("the host of a machine in Azure through NAT64", at("64:ff9b::a83f:8110"), int32(32526)),
		Entry("the metadata of Alibaba Cloud", at("100.100.100.200"), int32(80)),
		Entry("the host of a machine in Azure", at("168.63.129.16"), int32(32526)),
		Entry("the kubelet", aNode, int32(10250)),
	)

	DescribeTable("let the portal reach", func(ctx SpecContext, to peer, protocol corev1.Protocol, port int32) {
		Expect(networkPolicies(ctx).allowEgress("usher-portal", to, protocol, port)).To(BeTrue())
	},
		Entry("DNS in the cluster", aPod, corev1.ProtocolUDP, int32(53)),
		Entry("DNS on its node, by a link-local address", at("169.254.20.10"), corev1.ProtocolTCP, int32(53)),
		Entry("the API server on a node", aNode, corev1.ProtocolTCP, int32(6443)),
		Entry("the API server on a node of MicroK8s", aNode, corev1.ProtocolTCP, int32(16443)),
		Entry("the API server on a node of minikube", aNode, corev1.ProtocolTCP, int32(8443)),
		Entry("the API server of a cloud", at("198.51.100.7"), corev1.ProtocolTCP, int32(443)),
	)

	DescribeTable("keep the portal from", func(ctx SpecContext, to peer, port int32) {
		Expect(networkPolicies(ctx).allowEgress("usher-portal", to, corev1.ProtocolTCP, port)).To(BeFalse())
	},
		Entry("the metadata of most clouds", at("169.254.169.254"), int32(80)),
		Entry("a mail server", at("203.0.113.7"), int32(587)),
		Entry("a database in the cluster", aPod, int32(5432)),
		Entry("the metrics of the controller", aPod, int32(8080)),
		Entry("the kubelet", aNode, int32(10250)),
		Entry("a web server", at("203.0.113.7"), int32(80)),
	)

	It("let clients connect only to the ports that each process serves", func(ctx SpecContext) {
		policies := networkPolicies(ctx)
		for app, served := range map[string][]int32{"usher-portal": {8082}, "usher-controller": {8080, 8081}} {
			for _, port := range []int32{80, 2379, 8080, 8081, 8082, 9443} {
				for _, from := range []peer{aPod, aNode, at("203.0.113.7")} {
					Expect(policies.allowIngress(app, from, port)).To(Equal(slices.Contains(served, port)), "%s from %+v at %d", app, from, port)
				}
			}
		}
	})
})

type policySet []networkingv1.NetworkPolicy

// networkPolicies returns the policies of config/default. The chart has the same ones.
func networkPolicies(ctx SpecContext) policySet {
	GinkgoHelper()
	manifests, err := kube.Kubectl(ctx, "kustomize", filepath.Join(root, "config", "default"))
	Expect(err).NotTo(HaveOccurred())
	var all policySet
	for name, object := range parsed(manifests) {
		if strings.HasPrefix(name, "NetworkPolicy ") {
			text, err := yaml.Marshal(object)
			Expect(err).NotTo(HaveOccurred())
			var policy networkingv1.NetworkPolicy
			Expect(yaml.UnmarshalStrict(text, &policy)).To(Succeed())
			all = append(all, policy)
		}
	}
	return all
}

func (s policySet) allowEgress(app string, to peer, protocol corev1.Protocol, port int32) bool {
	return s.allow(app, networkingv1.PolicyTypeEgress, func(spec networkingv1.NetworkPolicySpec) bool {
		return slices.ContainsFunc(spec.Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool {
			return matchesPeer(rule.To, to) && matchesPort(rule.Ports, protocol, port)
		})
	})
}

func (s policySet) allowIngress(app string, from peer, port int32) bool {
	return s.allow(app, networkingv1.PolicyTypeIngress, func(spec networkingv1.NetworkPolicySpec) bool {
		return slices.ContainsFunc(spec.Ingress, func(rule networkingv1.NetworkPolicyIngressRule) bool {
			return matchesPeer(rule.From, from) && matchesPort(rule.Ports, corev1.ProtocolTCP, port)
		})
	})
}

// allow reports whether a policy allows the connection, or none applies to the pod.
func (s policySet) allow(app string, direction networkingv1.PolicyType, allows func(networkingv1.NetworkPolicySpec) bool) bool {
	GinkgoHelper()
	isolated := false
	for _, policy := range s {
		selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
		Expect(err).NotTo(HaveOccurred())
		if !selector.Matches(labels.Set{"app.kubernetes.io/name": app}) || !slices.Contains(policy.Spec.PolicyTypes, direction) {
			continue
		}
		if allows(policy.Spec) {
			return true
		}
		isolated = true
	}
	return !isolated
}

func matchesPeer(peers []networkingv1.NetworkPolicyPeer, other peer) bool {
	return len(peers) == 0 || slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
		switch {
		case other.node:
			return false
		case other.pod:
			return p.NamespaceSelector != nil && len(p.NamespaceSelector.MatchLabels)+len(p.NamespaceSelector.MatchExpressions) == 0 && p.PodSelector == nil
		}
		address := netip.MustParseAddr(other.address)
		return p.IPBlock != nil && netip.MustParsePrefix(p.IPBlock.CIDR).Contains(address) &&
			!slices.ContainsFunc(p.IPBlock.Except, func(except string) bool { return netip.MustParsePrefix(except).Contains(address) })
	})
}

func matchesPort(ports []networkingv1.NetworkPolicyPort, protocol corev1.Protocol, port int32) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		return *p.Protocol == protocol && *p.Port == intstr.FromInt32(port)
	})
}
