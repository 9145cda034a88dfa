// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package guard determines whether the ValidatingAdmissionPolicies that Usher is
// installed with are in force, and since when. From that it derives which objects are
// vetted: for these, the API server checked that the author may assign the role. It is
// pure: it imports no client, and the observed objects and the time are arguments.
package guard

import (
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// SettleTime is how long after a policy was written it counts as in force. An API server
// applies a changed policy within a second or two, and lets requests pass until then.
const SettleTime = 5 * time.Second

// Set holds policies and their bindings.
type Set struct {
	Policies []admissionregistrationv1.ValidatingAdmissionPolicy
	Bindings []admissionregistrationv1.ValidatingAdmissionPolicyBinding
}

// State describes the policies that Usher is installed with. The zero State knows of
// none.
type State struct {
	// Missing names the policies that are absent, not enforced, not as installed, or
	// not settled yet, sorted. Empty: all are in force.
	Missing []string
	// Since is when the present version of the policy that guards assignments came into
	// force, including SettleTime. It is zero while the policy is missing. While it is in
	// the future, the policy is also in Missing: reconcile again at that time.
	Since time.Time
}

// Observe compares the observed policies with those that Usher is installed with. The
// policy that guards assignments is the one named assign.
func Observe(want, have Set, assign string, now time.Time) State {
	s, guarded := State{}, false
	for i := range want.Policies {
		policy := &want.Policies[i]
		since := want.inForceSince(policy, have)
		if since.IsZero() || now.Before(since) {
			s.Missing = append(s.Missing, policy.Name)
		}
		if policy.Name == assign {
			s.Since, guarded = since, true
		}
	}
	if !guarded {
		s.Missing = append(s.Missing, assign)
	}
	slices.Sort(s.Missing)
	return s
}

// StatusGuard returns the guard that a Membership's status should have now. The caller must
// write it conditionally on the resourceVersion, so that no unseen generation escapes
// it.
func (s State) StatusGuard(m *accountsv1.Membership) accountsv1.GuardStatus {
	kept := m.Status.Guard
	switch {
	case !s.inForce(), kept.Since != nil && seconds(kept.Since.Time) == seconds(s.Since):
		return kept
	// Time does not run backwards: an attacker forged a later guard, or Since.
	case kept.Since != nil && kept.Since.After(s.Since):
		return s.uncheckedUpTo(m.Generation)
	case s.VettedSince(m.CreationTimestamp.Time):
		return accountsv1.GuardStatus{}
	default:
		return s.uncheckedUpTo(m.Generation)
	}
}

// uncheckedUpTo returns a guard which records that no policy checked this generation and the
// earlier ones.
func (s State) uncheckedUpTo(generation int64) accountsv1.GuardStatus {
	since := metav1.NewTime(s.Since.Truncate(time.Second))
	return accountsv1.GuardStatus{Since: &since, Generation: generation}
}

// Vetted reports whether the API server checked, for the present generation of a
// Membership, that its author may assign its role.
func (s State) Vetted(m *accountsv1.Membership) bool {
	guard, written := s.StatusGuard(m), m.Generation
	if m.DeletionTimestamp != nil {
		written-- // Deleting increments the generation, but changes no spec.
	}
	return s.inForce() && (guard.Since == nil || written > guard.Generation)
}

// VettedSince reports whether the API server checked, for an object whose spec never
// changes, that its author may assign its role. It goes by the creation time.
func (s State) VettedSince(created time.Time) bool {
	return s.inForce() && seconds(created) > seconds(s.Since)
}

func (s State) inForce() bool { return len(s.Missing) == 0 && !s.Since.IsZero() }

// seconds returns a time in the precision of the API.
func seconds(t time.Time) int64 { return t.Unix() }

// inForceSince returns when the present version of a policy came into force, including
// SettleTime. It is zero if the policy is not in force or if the time cannot be
// determined.
func (s Set) inForceSince(policy *admissionregistrationv1.ValidatingAdmissionPolicy, have Set) time.Time {
	p := slices.IndexFunc(have.Policies, func(p admissionregistrationv1.ValidatingAdmissionPolicy) bool {
		return p.Name == policy.Name && p.DeletionTimestamp == nil && asInstalled(&p.Spec, &policy.Spec)
	})
	b := slices.IndexFunc(have.Bindings, func(b admissionregistrationv1.ValidatingAdmissionPolicyBinding) bool {
		return s.binds(b.Name, policy.Name) && b.DeletionTimestamp == nil && enforces(&b.Spec, policy.Name)
	})
	if p < 0 || b < 0 {
		return time.Time{}
	}
	written, bound := policyWritten(&have.Policies[p]), bindingWritten(&have.Bindings[b])
	if written.IsZero() || bound.IsZero() {
		return time.Time{}
	}
	return later(written, bound).Add(SettleTime)
}

// binds reports whether the Set has a binding of this name for the policy.
func (s Set) binds(binding, policy string) bool {
	return slices.ContainsFunc(s.Bindings, func(b admissionregistrationv1.ValidatingAdmissionPolicyBinding) bool {
		return b.Name == binding && b.Spec.PolicyName == policy
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// asInstalled reports whether a policy refuses what the installed one refuses. The same
// rules in another order do not count as the same.
func asInstalled(have, want *admissionregistrationv1.ValidatingAdmissionPolicySpec) bool {
	have, want = defaulted(have), defaulted(want)
	return *have.FailurePolicy == admissionregistrationv1.Fail && equality.Semantic.DeepEqual(have, want)
}

// enforces reports whether a binding makes the API server refuse every request that a
// policy refuses.
func enforces(binding *admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec, policy string) bool {
	return binding.PolicyName == policy && binding.ParamRef == nil &&
		slices.Contains(binding.ValidationActions, admissionregistrationv1.Deny) &&
		(binding.MatchResources == nil || matchesAll(binding.MatchResources))
}

// matchesAll reports whether no rule and no selector excludes anything.
func matchesAll(match *admissionregistrationv1.MatchResources) bool {
	have, want := match.DeepCopy(), &admissionregistrationv1.MatchResources{}
	defaultMatch(have)
	defaultMatch(want)
	return equality.Semantic.DeepEqual(have, want)
}

// defaulted returns a copy with the defaults of the API server.
func defaulted(spec *admissionregistrationv1.ValidatingAdmissionPolicySpec) *admissionregistrationv1.ValidatingAdmissionPolicySpec {
	spec = spec.DeepCopy()
	fill(&spec.FailurePolicy, admissionregistrationv1.Fail)
	if spec.MatchConstraints != nil {
		defaultMatch(spec.MatchConstraints)
	}
	return spec
}

func defaultMatch(match *admissionregistrationv1.MatchResources) {
	fill(&match.MatchPolicy, admissionregistrationv1.Equivalent)
	fill(&match.NamespaceSelector, metav1.LabelSelector{})
	fill(&match.ObjectSelector, metav1.LabelSelector{})
	for i := range match.ResourceRules {
		fill(&match.ResourceRules[i].Scope, admissionregistrationv1.AllScopes)
	}
	for i := range match.ExcludeResourceRules {
		fill(&match.ExcludeResourceRules[i].Scope, admissionregistrationv1.AllScopes)
	}
}

func fill[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}

// policyWritten returns when the spec of a policy was last written, or slightly later;
// zero, if that cannot be determined.
//
// The managed fields of the spec are not enough: they keep no trace of a match
// condition that was added and removed again. The controller manager writes the status
// of each generation, and does not write it twice.
func policyWritten(policy *admissionregistrationv1.ValidatingAdmissionPolicy) time.Time {
	if policy.Generation == unchanged {
		return policy.CreationTimestamp.Time
	}
	if policy.Status.ObservedGeneration != policy.Generation {
		return time.Time{}
	}
	written, observed := policy.CreationTimestamp.Time, false
	for _, entry := range policy.ManagedFields {
		if entry.Time != nil {
			written = later(written, entry.Time.Time)
			observed = observed || entry.Subresource == "status"
		}
	}
	if !observed {
		return time.Time{}
	}
	return written
}

// bindingWritten returns when a binding was created; zero, if its spec was changed
// since. A binding has no status, so nothing shows when it was narrowed and widened
// again.
func bindingWritten(binding *admissionregistrationv1.ValidatingAdmissionPolicyBinding) time.Time {
	if binding.Generation == unchanged {
		return binding.CreationTimestamp.Time
	}
	return time.Time{}
}

// unchanged is the generation of an object whose spec is as it was created. The API
// server counts generations, and no client can set them.
const unchanged = 1
