// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"context"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/config/policy"
	"github.com/usher-dev/usher/internal/guard"
)

// policyDelay is the time that the API server can need to enforce a new policy.
const policyDelay = 30 * time.Second

var _ = DescribeTable("An API server accepts the chart, and enforces its policies,", func(ctx SpecContext, namespace string) {
	clients, err := kubernetes.NewForConfig(kube.Admin())
	Expect(err).NotTo(HaveOccurred())
	_, err = clients.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	manifests, err := rendered(ctx, namespace, "")
	Expect(err).NotTo(HaveOccurred())
	_, err = kube.KubectlWith(ctx, manifests, "apply", "--server-side", "--validate=strict", "-f", "-")
	Expect(err).NotTo(HaveOccurred())

	Eventually(ctx, missing).WithArguments(clients).WithTimeout(policyDelay).Should(BeEmpty(), "as the controller sees it")
	portal, controller := as(ctx, namespace, "usher-portal"), as(ctx, namespace, "usher-controller")
	Eventually(ctx, writing(portal, accountsv1.CredentialsNamespace, "account-jane-doe", "Opaque")).WithTimeout(policyDelay).
		Should(MatchError(ContainSubstring("'usher-portal-secrets'")))
	Eventually(ctx, writing(controller, accountsv1.CredentialsNamespace, "account-jane-doe", "accounts.usher.dev/password")).WithTimeout(policyDelay).
		Should(MatchError(ContainSubstring("'usher-controller-secrets'")))
	Expect(writing(portal, accountsv1.CredentialsNamespace, "account-jane-doe", "accounts.usher.dev/password")(ctx)).To(Succeed())
	Expect(writing(portal, namespace, "usher-seed-keys", "accounts.usher.dev/seed-keys")(ctx)).To(Succeed())
	Expect(writing(controller, namespace, "usher-link-keys", "accounts.usher.dev/link-keys")(ctx)).To(Succeed())

	_, err = kube.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
	Expect(err).NotTo(HaveOccurred())
	_, err = kube.Kubectl(ctx, "apply", "--dry-run=server", "-f", filepath.Join(root, "config", "samples", "organization.yaml"))
	Expect(err).NotTo(HaveOccurred())
},
	Entry("in usher-system", "usher-system"),
	Entry("in a namespace of another name", "people"),
)

// missing returns the names of the policies that are not in force in the form that
// this version of Usher expects.
func missing(ctx context.Context, clients kubernetes.Interface) ([]string, error) {
	var want, have guard.Set
	var err error
	if want.Policies, want.Bindings, err = policy.All(); err != nil {
		return nil, err
	}
	registrations := clients.AdmissionregistrationV1()
	var policies *admissionregistrationv1.ValidatingAdmissionPolicyList
	if policies, err = registrations.ValidatingAdmissionPolicies().List(ctx, metav1.ListOptions{}); err != nil {
		return nil, err
	}
	bindings, err := registrations.ValidatingAdmissionPolicyBindings().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	have.Policies, have.Bindings = policies.Items, bindings.Items
	return guard.Observe(want, have, policy.AssignPolicyName, time.Now()).Missing, nil
}

func as(ctx context.Context, namespace, account string) kubernetes.Interface {
	GinkgoHelper()
	config, err := kube.ServiceAccountConfig(ctx, namespace, account)
	Expect(err).NotTo(HaveOccurred())
	clients, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	return clients
}

// writing returns a function that tests with a dry run whether a Secret may be
// created.
func writing(by kubernetes.Interface, namespace, name string, kind corev1.SecretType) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := by.CoreV1().Secrets(namespace).Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Type: kind,
		}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
}
