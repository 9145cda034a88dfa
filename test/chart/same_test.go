// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/usher-dev/usher/hack/cluster"
)

// difference is an intended difference between kustomize and the chart.
type difference struct {
	why string
	// settle removes the difference, and returns how often it was found.
	settle func(kustomize, chart objects) (found int)
}

// differences are all intended differences. One that is not found is an error as
// well.
var differences = []difference{
	{"Helm creates the namespace, with --create-namespace", func(kustomize, _ objects) int {
		before := len(kustomize)
		delete(kustomize, "Namespace usher-system")
		return before - len(kustomize)
	}},
	{"Helm keeps the definitions on uninstall, with all objects", func(_, chart objects) int {
		return dropped(chart, "CustomResourceDefinition ", "metadata", "annotations", "helm.sh/resource-policy")
	}},
	{"the AuthenticationConfiguration has the address of the portal", func(_, chart objects) int {
		before := len(chart)
		delete(chart, "ConfigMap usher-authentication")
		return before - len(chart)
	}},
	{"pods restart when the settings change", func(_, chart objects) int {
		return dropped(chart, "Deployment ", "spec", "template", "metadata", "annotations")
	}},
	{"the image has the tag of the chart's version", func(_, chart objects) (found int) {
		for name, object := range chart {
			if strings.HasPrefix(name, "Deployment ") {
				container := firstContainer(object)
				image, tag, _ := strings.Cut(container["image"].(string), ":")
				Expect(tag).To(MatchRegexp(`^v\d+\.\d+\.\d+$`))
				container["image"] = image
				found++
			}
		}
		return found
	}},
}

var _ = Describe("The chart", func() {
	It("renders the same as kustomize build config/default, except for the listed differences", func(ctx SpecContext) {
		manifests, err := kube.Kubectl(ctx, "kustomize", filepath.Join(root, "config", "default"))
		Expect(err).NotTo(HaveOccurred())
		kustomize := parsed(manifests)
		Expect(len(kustomize)).To(BeNumerically(">", 30))
		manifests, err = rendered(ctx, "usher-system", "")
		Expect(err).NotTo(HaveOccurred())
		chart := parsed(manifests)

		for _, d := range differences {
			Expect(d.settle(kustomize, chart)).NotTo(BeZero(), "this difference no longer exists: %s", d.why)
		}
		Expect(cmp.Diff(kustomize, chart)).To(BeEmpty(), "(-kustomize +chart)")
	})

	It("does not mention usher-system when it is installed in another namespace", func(ctx SpecContext) {
		manifests, err := rendered(ctx, "people", "")
		Expect(err).NotTo(HaveOccurred())
		Expect(manifests).NotTo(ContainSubstring("usher-system"))
	})

	It("applies the values of an installer", func(ctx SpecContext) {
		manifests, err := rendered(ctx, "people", `
image: {repository: registry.example.com/platform/usher, tag: v0.2.0}
portal: {replicas: 3, ca: "-----BEGIN CERTIFICATE-----\nportal\n", trustedProxies: [10.20.30.40/32, "2001:db8::7/128"], resources: {limits: {memory: 1Gi}}}
controller: {allowOutbound: [10.20.30.0/24, "fd12::/32"], resources: {requests: {cpu: 100m}}}
cluster: {server: "https://api.example.com:6443", name: production, ca: "-----BEGIN CERTIFICATE-----\ncluster\n", pluginURL: "https://files.example.com"}
mail: {passwordSecret: mail-password}
grantableClusterRoles: [acme-deployer]
`)
		Expect(err).NotTo(HaveOccurred())
		all := parsed(manifests)
		at := func(object string, fields ...string) any {
			value, found, err := unstructured.NestedFieldNoCopy(all[object], fields...)
			Expect(err).NotTo(HaveOccurred())
			Expect(found).To(BeTrue(), "%s: %v", object, fields)
			return value
		}
		portal, controller := firstContainer(all["Deployment usher-portal"]), firstContainer(all["Deployment usher-controller"])
		Expect(portal).To(HaveKeyWithValue("image", "registry.example.com/platform/usher:v0.2.0"))
		Expect(portal["resources"]).To(HaveKeyWithValue("limits", HaveKeyWithValue("memory", "1Gi")))
		Expect(controller["resources"]).To(HaveKeyWithValue("requests", HaveKeyWithValue("cpu", "100m")))
		Expect(at("Deployment usher-portal", "spec", "replicas")).To(BeEquivalentTo(3))
		Expect(at("ConfigMap usher-settings", "data", "TRUSTED_PROXIES")).To(Equal("10.20.30.40/32,2001:db8::7/128"))
		Expect(at("ConfigMap usher-settings", "data", "ALLOW_OUTBOUND")).To(Equal("10.20.30.0/24,fd12::/32"))
		Expect(at("ConfigMap usher-settings", "data")).To(And(
			HaveKeyWithValue("CLUSTER_SERVER", "https://api.example.com:6443"), HaveKeyWithValue("CLUSTER_NAME", "production"),
			HaveKeyWithValue("CLUSTER_CA_FILE", "/etc/usher/ca/cluster.pem"), HaveKeyWithValue("PORTAL_CA_FILE", "/etc/usher/ca/portal.pem"),
			HaveKeyWithValue("PLUGIN_URL", "https://files.example.com")))
		Expect(at("ConfigMap usher-ca", "data")).To(And(
			HaveKeyWithValue("portal.pem", "-----BEGIN CERTIFICATE-----\nportal\n"), HaveKeyWithValue("cluster.pem", "-----BEGIN CERTIFICATE-----\ncluster\n")))
		Expect(at("Deployment usher-controller", "spec", "template", "spec", "volumes")).To(ConsistOf(
			HaveKeyWithValue("secret", HaveKeyWithValue("secretName", "mail-password"))))
		Expect(at("ClusterRole usher-grantable", "rules")).To(ConsistOf(HaveKeyWithValue("resourceNames", ConsistOf("acme-deployer"))))
	})

	It("leaves out the NetworkPolicies, if the installer writes others", func(ctx SpecContext) {
		manifests, err := rendered(ctx, "people", "networkPolicy: {enabled: false}")
		Expect(err).NotTo(HaveOccurred())
		Expect(manifests).NotTo(ContainSubstring("kind: NetworkPolicy"))
	})

	It("has the AuthenticationConfiguration of config/ with the address and the CA of the portal", func(ctx SpecContext) {
		manifests, err := rendered(ctx, "people", `portal: {url: "https://people.example.org/accounts/", ca: "-----BEGIN CERTIFICATE-----\nportal\n"}`)
		Expect(err).NotTo(HaveOccurred())
		text, _, err := unstructured.NestedString(parsed(manifests)["ConfigMap usher-authentication"], "data", "authentication.yaml")
		Expect(err).NotTo(HaveOccurred())
		file := filepath.Join(GinkgoT().TempDir(), "authentication.yaml")
		Expect(cluster.WriteAuthentication(file, filepath.Join(root, "config", "authentication", "authentication.yaml"),
			"https://people.example.org/accounts", []byte("-----BEGIN CERTIFICATE-----\nportal\n"))).To(Succeed())
		Expect(text).To(MatchYAML(readFile(file)))
	})

	It("leaves the CA to people's systems, if the installer says that they know it", func(ctx SpecContext) {
		manifests, err := rendered(ctx, "people", "cluster: {server: 'https://api.example.com', ca: system}")
		Expect(err).NotTo(HaveOccurred())
		all := parsed(manifests)
		Expect(all["ConfigMap usher-settings"]["data"]).To(HaveKeyWithValue("CLUSTER_CA_FILE", ""))
		Expect(all).NotTo(HaveKey("ConfigMap usher-ca"))
		Expect(all["ConfigMap usher-authentication"]["data"]).To(HaveKeyWithValue("authentication.yaml", Not(ContainSubstring("certificateAuthority:"))))
	})

	It("prefers a digest to a tag", func(ctx SpecContext) {
		digest := "sha256:" + strings.Repeat("0", 64)
		manifests, err := rendered(ctx, "people", "image: {tag: v0.2.0, digest: '"+digest+"'}")
		Expect(err).NotTo(HaveOccurred())
		Expect(firstContainer(parsed(manifests)["Deployment usher-portal"])).To(HaveKeyWithValue("image", "usher@"+digest))
	})
})

func readFile(path string) []byte {
	GinkgoHelper()
	text, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	return text
}

func firstContainer(deployment map[string]any) map[string]any {
	GinkgoHelper()
	containers, _, err := unstructured.NestedFieldNoCopy(deployment, "spec", "template", "spec", "containers")
	Expect(err).NotTo(HaveOccurred())
	Expect(containers).To(HaveLen(1))
	return containers.([]any)[0].(map[string]any)
}

// dropped removes a field from all objects whose name has the prefix, and counts
// them.
func dropped(all objects, prefix string, fields ...string) (found int) {
	GinkgoHelper()
	for name, object := range all {
		if strings.HasPrefix(name, prefix) {
			_, has, err := unstructured.NestedFieldNoCopy(object, fields...)
			Expect(err).NotTo(HaveOccurred())
			Expect(has).To(BeTrue(), "%s has no %v", name, fields)
			unstructured.RemoveNestedField(object, fields...)
			found++
		}
	}
	return found
}
