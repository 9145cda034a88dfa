// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = DescribeTable("The chart refuses, with an explanation,",
	func(ctx SpecContext, values, said string) {
		_, err := rendered(ctx, "usher-system", values)
		Expect(err).To(MatchError(ContainSubstring(said)))
	},
	Entry("a key that does not exist", "portal: {uri: https://accounts.example.com}", "at '/portal': additional properties 'uri' not allowed"),
	Entry("a switch for the policies", "policies: {enabled: false}", "additional properties 'policies' not allowed"),
	Entry("text in place of a switch", "networkPolicy: {enabled: maybe}", "at '/networkPolicy/enabled': got string, want boolean"),
	Entry("text in place of a number", "portal: {replicas: two}", "at '/portal/replicas': got string, want integer"),
	Entry("no portal at all", "portal: {replicas: 0}", "at '/portal/replicas': minimum: got 0, want 1"),
	Entry("an address in place of a network", "portal: {trustedProxies: [10.0.0.1]}", "'10.0.0.1' does not match pattern"),
	Entry("a host in place of a network", "controller: {allowOutbound: [chat.example.com]}", "'chat.example.com' does not match pattern"),
	Entry("an invalid digest", "image: {digest: latest}", "'latest' does not match pattern '^(sha256:[0-9a-f]{64})?$'"),
	Entry("a tag in place of the repository", "image: {repository: 'usher:1'}", "at '/image/repository'"),
	Entry("an invalid amount of memory", "portal: {resources: {limits: {memory: lots}}}", "at '/portal/resources/limits/memory': 'lots' does not match pattern"),
	Entry("no image", "image: {repository: ''}", "Set image.repository to the repository of the image"),
	Entry("no address of the portal", "portal: {url: ''}", "Set portal.url to the URL of the portal"),
	Entry("passwords in the clear", "portal: {url: 'http://accounts.example.com'}", "it must begin with https://"),
	Entry("a cluster in the clear", "cluster: {server: 'http://api.example.com'}", "at '/cluster/server'"),
	Entry("a name of the cluster that a shell could take for a command", "cluster: {name: 'a;b'}", "at '/cluster/name'"),
	Entry("a file in place of the CA of the cluster", "cluster: {ca: ca.pem}", "at '/cluster/ca'"),
	Entry("a file in place of the CA of the portal", "portal: {ca: ca.pem}", "at '/portal/ca'"),
	Entry("no mail server", "mail: {smtpURL: ''}", "Set mail.smtpURL to your mail server"),
	Entry("a user on a connection in the clear", "mail: {smtpURL: 'smtp+plaintext://usher@mail.example.com'}", "has neither TLS nor a user"),
	Entry("no sender", "mail: {from: ''}", "Set mail.from to the sender of all mail"),
	Entry("the right to bind everything", "grantableClusterRoles: []", "in RBAC, an empty list allows all ClusterRoles."),
	Entry("null in place of the grantable ClusterRoles", "grantableClusterRoles: null", "missing property 'grantableClusterRoles'"),
	Entry("a ClusterRole without a name", "grantableClusterRoles: ['']", "at '/grantableClusterRoles/0'"),
)

var _ = Describe("The chart", func() {
	It("refuses a password in the URL of the mail server without repeating it", func(ctx SpecContext) {
		_, err := rendered(ctx, "usher-system", "mail: {smtpURL: 'smtp://usher:hunter2@mail.example.com'}")
		Expect(err).To(MatchError(ContainSubstring("Remove the password from mail.smtpURL")))
		Expect(err).NotTo(MatchError(ContainSubstring("hunter2")))
	})

	DescribeTable("refuses a namespace that is not Usher's own:", func(ctx SpecContext, namespace string) {
		_, err := rendered(ctx, namespace, "")
		Expect(err).To(MatchError(ContainSubstring("add --namespace usher-system --create-namespace.")))
	},
		Entry(nil, "default"),
		Entry(nil, "kube-system"),
	)
})
