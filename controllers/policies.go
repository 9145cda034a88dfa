// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/usher-dev/usher/config/policy"
	"github.com/usher-dev/usher/internal/guard"
)

// Policies checks whether the policies that Usher is installed with are in force.
type Policies struct {
	client.Reader
	installed guard.Set
}

// NewPolicies returns Policies that reads the existing policies with r and compares them
// with the ones built into this program.
func NewPolicies(r client.Reader) (*Policies, error) {
	policies, bindings, err := policy.All()
	return &Policies{r, guard.Set{Policies: policies, Bindings: bindings}}, err
}

// state returns whether the policies are in force.
func (p *Policies) state(ctx context.Context, now time.Time) (guard.State, error) {
	var (
		policies admissionregistrationv1.ValidatingAdmissionPolicyList
		bindings admissionregistrationv1.ValidatingAdmissionPolicyBindingList
	)
	if err := errors.Join(readList(ctx, p, &policies, client.UnsafeDisableDeepCopy), readList(ctx, p, &bindings, client.UnsafeDisableDeepCopy)); err != nil {
		return guard.State{}, err
	}
	return guard.Observe(p.installed, guard.Set{Policies: policies.Items, Bindings: bindings.Items}, policy.AssignPolicyName, now), nil
}

// onlyInstalledPolicies passes only events of the policies that Usher is installed with.
func (p *Policies) onlyInstalledPolicies() builder.WatchesOption {
	return builder.WithPredicates(predicate.NewPredicateFuncs(func(o client.Object) bool {
		return slices.ContainsFunc(p.installed.Policies, func(want admissionregistrationv1.ValidatingAdmissionPolicy) bool {
			return want.Name == o.GetName()
		})
	}))
}
