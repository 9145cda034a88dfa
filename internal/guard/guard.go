// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package guard tells whether the ValidatingAdmissionPolicies that Usher is
// installed with are in force, since when, and of which objects they asked
// whether whoever wrote them may assign a role. It is pure: it imports no
// client, and what there is and the time come in as arguments.
package guard

import (
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// Settling is how long after a policy was written it counts as in force. An API
// server takes up a changed policy within a second or two, and lets requests
// pass until then.
const Settling = 5 * time.Second

// Set is some policies, and what binds them.
type Set struct {
	Policies []admissionregistrationv1.ValidatingAdmissionPolicy
	Bindings []admissionregistrationv1.ValidatingAdmissionPolicyBinding
}

// State is what is known of the policies that Usher is installed with. The zero
// State knows of none.
type State struct {
	// Missing names the policies that are absent, not enforced, not as
	// installed, or not settled yet; sorted. Empty: all are in force.
	Missing []string
	// Since is when the policy that guards assignments came into force as it
	// is, Settling included; zero while it is missing. While it is yet to come,
	// the policy is among Missing as well: look again then.
	Since time.Time
}

// Look compares what there is with what Usher is installed with. The policy
// that guards assignments is the one named assign.
func Look(want, have Set, assign string, now time.Time) State {
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

// Keep is the guard that a Membership's status is to have by now. Write it by a
// conditional write: a generation that was not seen yet must not escape it.
func (s State) Keep(m *accountsv1.Membership) accountsv1.GuardStatus {
	kept := m.Status.Guard
	switch {
	case !s.inForce(), kept.Since != nil && seconds(kept.Since.Time) == seconds(s.Since):
		return kept
	// Time does not run backwards: somebody forged a later guard, or Since.
	case kept.Since != nil && kept.Since.After(s.Since):
		return s.upTo(m.Generation)
	case s.VettedSince(m.CreationTimestamp.Time):
		return accountsv1.GuardStatus{}
	default:
		return s.upTo(m.Generation)
	}
}

// upTo is the guard that says that nobody was asked about a generation and
// those before it.
func (s State) upTo(generation int64) accountsv1.GuardStatus {
	since := metav1.NewTime(s.Since.Truncate(time.Second))
	return accountsv1.GuardStatus{Since: &since, Generation: generation}
}

// Vetted tells whether the API server asked, for the present generation of a
// Membership, whether who wrote it may assign its role.
func (s State) Vetted(m *accountsv1.Membership) bool {
	guard, written := s.Keep(m), m.Generation
	if m.DeletionTimestamp != nil {
		written-- // Deleting counts as a generation, and changes no spec.
	}
	return s.inForce() && (guard.Since == nil || written > guard.Generation)
}

// VettedSince tells the same of an object whose spec never changes, by its
// creation.
func (s State) VettedSince(created time.Time) bool {
	return s.inForce() && seconds(created) > seconds(s.Since)
}

func (s State) inForce() bool { return len(s.Missing) == 0 && !s.Since.IsZero() }

// seconds is the precision of times in the API.
func seconds(t time.Time) int64 { return t.Unix() }

// inForceSince is when a policy came into force as it is, Settling included;
// zero, if it is not in force or if nobody can tell since when.
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
	return later(written, bound).Add(Settling)
}

// binds tells whether the Set has a binding of this name for the policy.
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

// asInstalled tells whether a policy refuses what the installed one refuses. An
// order that is not the installed one does not count as the same.
func asInstalled(have, want *admissionregistrationv1.ValidatingAdmissionPolicySpec) bool {
	have, want = defaulted(have), defaulted(want)
	return *have.FailurePolicy == admissionregistrationv1.Fail && equality.Semantic.DeepEqual(have, want)
}

// enforces tells whether a binding has every request refused that a policy
// refuses.
func enforces(binding *admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec, policy string) bool {
	return binding.PolicyName == policy && binding.ParamRef == nil &&
		slices.Contains(binding.ValidationActions, admissionregistrationv1.Deny) &&
		(binding.MatchResources == nil || matchesAll(binding.MatchResources))
}

// matchesAll tells whether nothing is left out, by rule or by selector.
func matchesAll(match *admissionregistrationv1.MatchResources) bool {
	have, want := match.DeepCopy(), &admissionregistrationv1.MatchResources{}
	defaultMatch(have)
	defaultMatch(want)
	return equality.Semantic.DeepEqual(have, want)
}

// defaulted returns a copy with what the API server fills in.
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

// policyWritten is when the spec of a policy was written last, or a little
// later; zero, if nobody can tell.
//
// The managed fields of the spec are not enough: of a match condition that was
// added and taken away again they keep no trace. The controller manager writes
// the status of each generation, and does not write it twice.
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

// bindingWritten is when a binding was created; zero, if its spec was changed
// since. A binding has no status, so that nobody can tell when it was narrowed
// and widened again.
func bindingWritten(binding *admissionregistrationv1.ValidatingAdmissionPolicyBinding) time.Time {
	if binding.Generation == unchanged {
		return binding.CreationTimestamp.Time
	}
	return time.Time{}
}

// unchanged is the generation of an object whose spec is as it was created. The
// API server counts, and lets nobody set it.
const unchanged = 1
