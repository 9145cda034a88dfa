// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// WriteAuthentication writes the AuthenticationConfiguration of config/authentication to a file,
// for an issuer with a private CA in PEM form.
func WriteAuthentication(to, from, issuer string, ca []byte) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var config map[string]any
	if err := yaml.Unmarshal(raw, &config); err != nil {
		return fmt.Errorf("read %s: %w", from, err)
	}
	issuers, _, err := unstructured.NestedSlice(config, "jwt")
	if err != nil || len(issuers) != 1 {
		return fmt.Errorf("%s must have one issuer: %w", from, err)
	}
	jwt, _ := issuers[0].(map[string]any)
	for field, value := range map[string]string{"url": issuer, "certificateAuthority": string(ca)} {
		if err := unstructured.SetNestedField(jwt, value, "issuer", field); err != nil {
			return fmt.Errorf("change %s: %w", from, err)
		}
	}
	if err := unstructured.SetNestedSlice(config, []any{jwt}, "jwt"); err != nil {
		return fmt.Errorf("change %s: %w", from, err)
	}
	if raw, err = yaml.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o600)
}
