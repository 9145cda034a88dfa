// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package policy contains Usher's ValidatingAdmissionPolicies. It embeds the same
// files that kustomize applies, so that the controller can check whether the
// cluster has them in force, unchanged. The package decides nothing, and must not
// import a client.
package policy

import (
	"bufio"
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// AssignPolicyName is the name of the policy that checks whether a user can assign a role.
const AssignPolicyName = "usher-assign"

//go:embed *.yaml
var files embed.FS

// All returns every policy and every binding that kustomization.yaml lists,
// each sorted by name. An error names the file that cannot be read.
func All() (
	policies []admissionregistrationv1.ValidatingAdmissionPolicy,
	bindings []admissionregistrationv1.ValidatingAdmissionPolicyBinding,
	err error,
) {
	names, err := listedFiles()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		documents, err := readDocuments(name)
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", name, err)
		}
		for _, document := range documents {
			if err := decode(document, &policies, &bindings); err != nil {
				return nil, nil, fmt.Errorf("read %s: %w", name, err)
			}
		}
	}
	slices.SortFunc(policies, func(a, b admissionregistrationv1.ValidatingAdmissionPolicy) int {
		return cmp.Compare(a.Name, b.Name)
	})
	slices.SortFunc(bindings, func(a, b admissionregistrationv1.ValidatingAdmissionPolicyBinding) int {
		return cmp.Compare(a.Name, b.Name)
	})
	return policies, bindings, nil
}

// listedFiles returns the names of the files that kustomize applies.
func listedFiles() ([]string, error) {
	raw, err := files.ReadFile("kustomization.yaml")
	if err != nil {
		return nil, err
	}
	var kustomization struct {
		metav1.TypeMeta `json:",inline"`

		Resources []string `json:"resources"`
	}
	if err := yaml.UnmarshalStrict(raw, &kustomization); err != nil {
		return nil, fmt.Errorf("read kustomization.yaml: %w", err)
	}
	return kustomization.Resources, nil
}

func readDocuments(name string) (documents [][]byte, err error) {
	raw, err := files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
}

// decode appends the object in a document to the list of its kind. A field that
// the API does not have is an error, because the API server would drop it.
func decode(
	document []byte,
	policies *[]admissionregistrationv1.ValidatingAdmissionPolicy,
	bindings *[]admissionregistrationv1.ValidatingAdmissionPolicyBinding,
) error {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return err
	}
	switch kind.GroupVersionKind() {
	case admissionregistrationv1.SchemeGroupVersion.WithKind("ValidatingAdmissionPolicy"):
		var policy admissionregistrationv1.ValidatingAdmissionPolicy
		if err := yaml.UnmarshalStrict(document, &policy); err != nil {
			return err
		}
		*policies = append(*policies, policy)
	case admissionregistrationv1.SchemeGroupVersion.WithKind("ValidatingAdmissionPolicyBinding"):
		var binding admissionregistrationv1.ValidatingAdmissionPolicyBinding
		if err := yaml.UnmarshalStrict(document, &binding); err != nil {
			return err
		}
		*bindings = append(*bindings, binding)
	default:
		return fmt.Errorf("%s %s is neither a policy nor a binding: move it to another directory", kind.APIVersion, kind.Kind)
	}
	return nil
}
