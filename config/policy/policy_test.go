// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"

	"github.com/usher-dev/usher/config/policy"
)

func TestEveryFileIsListedAndHoldsThePolicyThatItIsNamedAfter(t *testing.T) {
	var kustomization struct{ Resources []string }
	raw, err := os.ReadFile("kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, &kustomization); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var present, expected []string
	for _, entry := range entries {
		if name := entry.Name(); strings.HasSuffix(name, ".yaml") && name != "kustomization.yaml" {
			present = append(present, name)
			expected = append(expected, "usher-"+strings.TrimSuffix(name, ".yaml"))
		}
	}
	if diff := cmp.Diff(present, kustomization.Resources); diff != "" {
		t.Errorf("kustomization.yaml does not list the files of the directory in order (-files +listed):\n%s", diff)
	}
	policies, _, err := policy.All()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range policies {
		names = append(names, p.Name)
	}
	if diff := cmp.Diff(expected, names); diff != "" {
		t.Errorf("All does not return the policy of each file, sorted by name (-files +policies):\n%s", diff)
	}
	if !slices.Contains(names, policy.AssignPolicyName) {
		t.Errorf("no policy has the name %s", policy.AssignPolicyName)
	}
}

func TestEachPolicyRefusesWhatItCannotJudgeAndIsBoundOnceAndEverywhere(t *testing.T) {
	policies, bindings, err := policy.All()
	if err != nil {
		t.Fatal(err)
	}
	type bound struct {
		Name string
		Spec admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec
	}
	var expected, have []bound
	for _, p := range policies {
		if fail := p.Spec.FailurePolicy; fail == nil || *fail != admissionregistrationv1.Fail {
			t.Errorf("%s: failurePolicy is not Fail", p.Name)
		}
		if len(p.Spec.Validations) == 0 {
			t.Errorf("%s: the policy has no validations", p.Name)
		}
		expected = append(expected, bound{p.Name, admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        p.Name,
			ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		}})
	}
	for _, b := range bindings {
		have = append(have, bound{b.Name, b.Spec})
	}
	if diff := cmp.Diff(expected, have); diff != "" {
		t.Errorf("the bindings are not exactly one unconditional Deny for each policy (-expected +have):\n%s", diff)
	}
}

func TestEachMessageIsOneSentence(t *testing.T) {
	policies, _, err := policy.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range policies {
		for i, v := range p.Spec.Validations {
			if !strings.HasSuffix(v.Message, ".") || strings.Contains(v.Message, "\n") || strings.Contains(v.Message, ". ") {
				t.Errorf("%s: the message of validation %d is not one sentence: %q", p.Name, i+1, v.Message)
			}
		}
	}
}
