// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
)

var update = flag.Bool("update", false, "write the rights of each service account to testdata/")

var _ = Describe("The list of all rights of a service account", Label("K6"), func() {
	for _, name := range []string{"usher-controller", "usher-portal"} {
		for where, namespace := range map[string]func(SpecContext) string{
			"usher-system":   func(SpecContext) string { return cluster.Namespace },
			"usher-accounts": func(SpecContext) string { return accountsv1.CredentialsNamespace },
			"home":           func(ctx SpecContext) string { return aHome(ctx) },
		} {
			It(fmt.Sprintf("matches its golden file: %s in %s", name, where), func(ctx SpecContext) {
				person := map[string]client.Client{"usher-controller": controller, "usher-portal": portal}[name]
				golden := filepath.Join("testdata", name+"-in-"+where+".txt")
				have := strings.Join(rightsOf(ctx, person, namespace(ctx)), "\n") + "\n"
				if *update {
					Expect(os.MkdirAll("testdata", 0o755)).To(Succeed())
					Expect(os.WriteFile(golden, []byte(have), 0o644)).To(Succeed())
				}
				want, err := os.ReadFile(golden)
				Expect(err).NotTo(HaveOccurred())
				if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(have, "\n")); diff != "" {
					Fail(fmt.Sprintf("%s is not what %s may do (-golden file +actual);\nif the new rights are intended, run go test ./test/rights -update:\n%s", golden, name, diff))
				}
			})
		}
	}
})

// rightsOf asks the API server for all rights of a client in a namespace. It returns
// one line for each resource or path, with the names that a rule is limited to.
func rightsOf(ctx SpecContext, person client.Client, namespace string) []string {
	GinkgoHelper()
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	Expect(person.Create(ctx, review)).To(Succeed())
	Expect(review.Status.Incomplete).To(BeFalse(), review.Status.EvaluationError)
	verbs := map[string][]string{}
	for _, rule := range review.Status.ResourceRules {
		for _, what := range whatIn(rule) {
			verbs[what] = append(verbs[what], rule.Verbs...)
		}
	}
	for _, rule := range review.Status.NonResourceRules {
		for _, path := range rule.NonResourceURLs {
			verbs[path] = append(verbs[path], rule.Verbs...)
		}
	}
	lines := make([]string, 0, len(verbs))
	for what, all := range verbs {
		slices.Sort(all)
		lines = append(lines, what+": "+strings.Join(slices.Compact(all), " "))
	}
	slices.Sort(lines)
	return lines
}

// whatIn returns the subjects of a rule: each resource with each name that the rule
// is limited to.
func whatIn(rule authorizationv1.ResourceRule) (all []string) {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, name := range names {
				all = append(all, strings.TrimSpace(strings.TrimSuffix(resource+"."+group, ".")+" "+name))
			}
		}
	}
	return all
}
