// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

const (
	assign = "usher-assign"
	owners = "usher-owners"
)

// The clock of these tests: policies are installed at noon, and observed an hour later.
var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	one  = noon.Add(time.Hour)
)

type (
	policy  = admissionregistrationv1.ValidatingAdmissionPolicy
	binding = admissionregistrationv1.ValidatingAdmissionPolicyBinding
)

// installed is what Usher is installed with, as written in a file.
func installed() Set {
	var set Set
	for _, name := range []string{owners, assign} {
		set.Policies = append(set.Policies, policy{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
				MatchConstraints: &admissionregistrationv1.MatchResources{
					ResourceRules:        []admissionregistrationv1.NamedRuleWithOperations{on("memberships", "memberships/status")},
					ExcludeResourceRules: []admissionregistrationv1.NamedRuleWithOperations{on("memberships/scale")},
				},
				MatchConditions: []admissionregistrationv1.MatchCondition{{Name: "changed", Expression: "object != oldObject"}},
				Variables:       []admissionregistrationv1.Variable{{Name: "role", Expression: "object.spec.role"}},
				Validations: []admissionregistrationv1.Validation{{
					Expression: "authorizer.group('accounts.usher.dev').resource('roles').name(variables.role).check('assign').allowed()",
					Message:    "You must be allowed to assign the role.", Reason: ptr.To(metav1.StatusReasonForbidden),
				}},
			},
		})
		set.Bindings = append(set.Bindings, binding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
			},
		})
	}
	return set
}

func on(resources ...string) admissionregistrationv1.NamedRuleWithOperations {
	return admissionregistrationv1.NamedRuleWithOperations{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{"accounts.usher.dev"}, APIVersions: []string{"*"}, Resources: resources},
	}}
}

// cluster is the state in the API server at noon, with the defaults filled in.
func cluster() Set {
	set := installed()
	for i := range set.Policies {
		born(&set.Policies[i].ObjectMeta, noon)
		spec := &set.Policies[i].Spec
		spec.FailurePolicy = ptr.To(admissionregistrationv1.Fail)
		spec.MatchConstraints.MatchPolicy = ptr.To(admissionregistrationv1.Equivalent)
		spec.MatchConstraints.NamespaceSelector = &metav1.LabelSelector{}
		spec.MatchConstraints.ObjectSelector = &metav1.LabelSelector{}
		spec.MatchConstraints.ResourceRules[0].Scope = ptr.To(admissionregistrationv1.AllScopes)
		spec.MatchConstraints.ExcludeResourceRules[0].Scope = ptr.To(admissionregistrationv1.AllScopes)
		born(&set.Bindings[i].ObjectMeta, noon)
	}
	return set
}

func born(meta *metav1.ObjectMeta, at time.Time) {
	meta.CreationTimestamp, meta.Generation = metav1.NewTime(at), 1
	meta.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl", Time: second(at)}}
}

func second(at time.Time) *metav1.Time { return &metav1.Time{Time: at} }

// guarding returns the policy that guards assignments, and its binding.
func (s Set) guarding() (*policy, *binding) { return &s.Policies[1], &s.Bindings[1] }

// edited is the result in the API server and the controller manager of writing a
// policy's spec again.
func edited(p *policy, at time.Time) {
	p.Generation++
	p.ManagedFields = append(p.ManagedFields,
		metav1.ManagedFieldsEntry{Manager: "kubectl-edit", Time: second(at)},
		metav1.ManagedFieldsEntry{Manager: "kube-controller-manager", Subresource: "status", Time: second(at.Add(time.Second))})
	p.Status.ObservedGeneration = p.Generation
}

func TestThePoliciesAreInForceAsInstalled(t *testing.T) {
	narrow := &metav1.LabelSelector{MatchLabels: map[string]string{"guarded": "yes"}}
	for name, change := range map[string]func(*policy, *binding){
		"as the API server defaults it": func(*policy, *binding) {},
		"as written in the file": func(p *policy, _ *binding) {
			p.Spec = installed().Policies[1].Spec
		},
		"with empty lists instead of none": func(p *policy, _ *binding) {
			p.Spec.AuditAnnotations = []admissionregistrationv1.AuditAnnotation{}
			p.Spec.MatchConstraints.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{}}
		},
		"which also writes failures to the audit log": func(_ *policy, b *binding) {
			b.Spec.ValidationActions = append(b.Spec.ValidationActions, admissionregistrationv1.Audit)
		},
		"with match resources that match everything": func(_ *policy, b *binding) {
			b.Spec.MatchResources = &admissionregistrationv1.MatchResources{
				MatchPolicy: ptr.To(admissionregistrationv1.Equivalent), NamespaceSelector: &metav1.LabelSelector{}, ObjectSelector: &metav1.LabelSelector{},
			}
		},
		"with labels, annotations and a status of other writers": func(p *policy, b *binding) {
			p.Labels = map[string]string{"helm.sh/chart": "usher-1.1.0"}
			b.Annotations = map[string]string{"example.com/team": "platform"}
			for _, meta := range []*metav1.ObjectMeta{&p.ObjectMeta, &b.ObjectMeta} {
				meta.ManagedFields = append(meta.ManagedFields, metav1.ManagedFieldsEntry{Manager: "helm", Time: second(one)})
			}
			p.Status.ObservedGeneration = 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			have := cluster()
			change(have.guarding())
			have.Bindings = append(have.Bindings, binding{ // The binding only adds to what is refused.
				ObjectMeta: metav1.ObjectMeta{Name: "somebody-elses"},
				Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
					PolicyName: assign, MatchResources: &admissionregistrationv1.MatchResources{NamespaceSelector: narrow},
				},
			})
			if diff := cmp.Diff(State{Since: noon.Add(5 * time.Second)}, Observe(installed(), have, assign, one)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestAPolicyThatDoesNotGuardIsMissing(t *testing.T) {
	narrow := &metav1.LabelSelector{MatchLabels: map[string]string{"guarded": "yes"}}
	match := func(change func(*admissionregistrationv1.MatchResources)) func(*policy, *binding) {
		return func(p *policy, _ *binding) { change(p.Spec.MatchConstraints) }
	}
	narrowed := func(m admissionregistrationv1.MatchResources) func(*policy, *binding) {
		return func(_ *policy, b *binding) { b.Spec.MatchResources = &m }
	}
	for name, change := range map[string]func(*policy, *binding){
		"of another name":               func(p *policy, _ *binding) { p.Name = "usher-assign-2" },
		"being deleted":                 func(p *policy, _ *binding) { p.DeletionTimestamp = second(one) },
		"that ignores failures":         func(p *policy, _ *binding) { p.Spec.FailurePolicy = ptr.To(admissionregistrationv1.Ignore) },
		"without validations":           func(p *policy, _ *binding) { p.Spec.Validations = []admissionregistrationv1.Validation{} },
		"with a validation that passes": func(p *policy, _ *binding) { p.Spec.Validations[0].Expression = "true" },
		"with a validation in addition": func(p *policy, _ *binding) {
			p.Spec.Validations = append(p.Spec.Validations, admissionregistrationv1.Validation{Expression: "true"})
		},
		"without match conditions": func(p *policy, _ *binding) { p.Spec.MatchConditions = nil },
		"with a condition that never holds": func(p *policy, _ *binding) {
			p.Spec.MatchConditions = append(p.Spec.MatchConditions, admissionregistrationv1.MatchCondition{Name: "never", Expression: "false"})
		},
		"with a variable that changes the result": func(p *policy, _ *binding) { p.Spec.Variables[0].Expression = "'member'" },
		"with a parameter": func(p *policy, _ *binding) {
			p.Spec.ParamKind = &admissionregistrationv1.ParamKind{APIVersion: "v1", Kind: "ConfigMap"}
		},
		"without constraints": func(p *policy, _ *binding) { p.Spec.MatchConstraints = nil },
		"for some namespaces": match(func(m *admissionregistrationv1.MatchResources) { m.NamespaceSelector = narrow }),
		"for some objects":    match(func(m *admissionregistrationv1.MatchResources) { m.ObjectSelector = narrow }),
		"for one version of the API": match(func(m *admissionregistrationv1.MatchResources) {
			m.MatchPolicy = ptr.To(admissionregistrationv1.Exact)
		}),
		"for cluster-scoped objects only": match(func(m *admissionregistrationv1.MatchResources) {
			m.ResourceRules[0].Scope = ptr.To(admissionregistrationv1.ClusterScope)
		}),
		"for one name": match(func(m *admissionregistrationv1.MatchResources) {
			m.ResourceRules[0].ResourceNames = []string{"jane-doe"}
		}),
		"for creations only": match(func(m *admissionregistrationv1.MatchResources) {
			m.ResourceRules[0].Operations = m.ResourceRules[0].Operations[:1]
		}),
		"for fewer resources": match(func(m *admissionregistrationv1.MatchResources) {
			m.ResourceRules[0].Resources = []string{"memberships"}
		}),
		"with more exclusions": match(func(m *admissionregistrationv1.MatchResources) {
			m.ExcludeResourceRules = append(m.ExcludeResourceRules, on("memberships"))
		}),

		"whose binding has another name":         func(_ *policy, b *binding) { b.Name = "usher-assign-2" },
		"whose binding is being deleted":         func(_ *policy, b *binding) { b.DeletionTimestamp = second(one) },
		"whose binding binds another policy":     func(_ *policy, b *binding) { b.Spec.PolicyName = owners },
		"whose binding takes a parameter":        func(_ *policy, b *binding) { b.Spec.ParamRef = &admissionregistrationv1.ParamRef{Name: "x"} },
		"whose binding has no action":            func(_ *policy, b *binding) { b.Spec.ValidationActions = nil },
		"whose binding is for some namespaces":   narrowed(admissionregistrationv1.MatchResources{NamespaceSelector: narrow}),
		"whose binding is for some objects":      narrowed(admissionregistrationv1.MatchResources{ObjectSelector: narrow}),
		"whose binding is for some resources":    narrowed(admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{on("pods")}}),
		"whose binding excludes some resources":  narrowed(admissionregistrationv1.MatchResources{ExcludeResourceRules: []admissionregistrationv1.NamedRuleWithOperations{on("memberships")}}),
		"whose binding only warns":               func(_ *policy, b *binding) { b.Spec.ValidationActions[0] = admissionregistrationv1.Warn },
		"whose binding only audits":              func(_ *policy, b *binding) { b.Spec.ValidationActions[0] = admissionregistrationv1.Audit },
		"whose binding was edited, and restored": func(_ *policy, b *binding) { b.Generation = 3 },
		"that was edited, and not observed": func(p *policy, _ *binding) {
			edited(p, noon.Add(time.Minute))
			p.Generation += 2 // narrowed and widened: no field manager keeps a trace
		},
		"that was edited, and whose managed fields were wiped": func(p *policy, _ *binding) {
			edited(p, noon.Add(time.Minute))
			p.ManagedFields = nil
		},
		"that was edited, and whose status was not written": func(p *policy, _ *binding) {
			edited(p, noon.Add(time.Minute))
			p.ManagedFields = p.ManagedFields[:2]
		},
	} {
		t.Run(name, func(t *testing.T) {
			have := cluster()
			change(have.guarding())
			if diff := cmp.Diff(State{Missing: []string{assign}}, Observe(installed(), have, assign, one)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestLookNamesAllThatIsMissing(t *testing.T) {
	have := cluster()
	unbound := installed()
	unbound.Bindings = unbound.Bindings[:1]
	ignoring := installed()
	ignoring.Policies[0].Spec.FailurePolicy = ptr.To(admissionregistrationv1.Ignore)
	failing := cluster()
	failing.Policies[0].Spec.FailurePolicy = ptr.To(admissionregistrationv1.Ignore)
	moved := cluster()
	moved.Bindings = moved.Bindings[:1]
	moved.Bindings[0].Spec.PolicyName = assign
	since := noon.Add(SettleTime)
	for name, c := range map[string]struct {
		want, have Set
		assign     string
		now        time.Time
		state      State
	}{
		"nothing exists":                     {installed(), Set{}, assign, one, State{Missing: []string{assign, owners}}},
		"the bindings were deleted":          {installed(), Set{Policies: have.Policies}, assign, one, State{Missing: []string{assign, owners}}},
		"another policy was deleted":         {installed(), Set{Policies: have.Policies[1:], Bindings: have.Bindings}, assign, one, State{Missing: []string{owners}, Since: since}},
		"nothing is wanted":                  {Set{}, have, assign, one, State{Missing: []string{assign}}},
		"no policy has that name":            {installed(), have, "usher-assigns", one, State{Missing: []string{"usher-assigns"}}},
		"one binding is replaced by another": {installed(), moved, assign, one, State{Missing: []string{assign, owners}}},
		"no binding is wanted":               {unbound, have, assign, one, State{Missing: []string{assign}}},
		"the wanted binding does not deny":   {ignoring, failing, assign, one, State{Missing: []string{owners}, Since: since}},
		"they were just created":             {installed(), have, assign, since.Add(-time.Second), State{Missing: []string{assign, owners}, Since: since}},
		"the clock is behind":                {installed(), have, assign, noon.Add(-time.Hour), State{Missing: []string{assign, owners}, Since: since}},
		"they were created, and are settled": {installed(), have, assign, since, State{Since: since}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.state, Observe(c.want, c.have, c.assign, c.now)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestLookChangesNothing(t *testing.T) {
	want, have := installed(), cluster()
	Observe(want, have, assign, one)
	if diff := cmp.Diff([]Set{installed(), cluster()}, []Set{want, have}); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestSinceIsTheLatestThatThePolicyOrItsBindingWasWritten(t *testing.T) {
	half := noon.Add(30 * time.Minute)
	for name, c := range map[string]struct {
		change func(*policy, *binding)
		want   time.Time
	}{
		"the policy created again":                             {func(p *policy, _ *binding) { born(&p.ObjectMeta, half) }, half},
		"the binding created again":                            {func(_ *policy, b *binding) { born(&b.ObjectMeta, half) }, half},
		"the policy edited":                                    {func(p *policy, _ *binding) { edited(p, half) }, half.Add(time.Second)},
		"the policy edited, with the status as the only trace": {func(p *policy, _ *binding) { edited(p, half); p.ManagedFields = p.ManagedFields[2:] }, half.Add(time.Second)},
		"an unknown time": {func(p *policy, _ *binding) {
			edited(p, half)
			p.ManagedFields[1].Time = nil
		}, half.Add(time.Second)},
		"nothing else": {func(*policy, *binding) {}, noon},
	} {
		t.Run(name, func(t *testing.T) {
			have := cluster()
			c.change(have.guarding())
			if got := Observe(installed(), have, assign, one); !got.Since.Equal(c.want.Add(SettleTime)) || len(got.Missing) > 0 {
				t.Errorf("in force since %v, missing %v", got.Since, got.Missing)
			}
		})
	}
	have := cluster()
	born(&have.Policies[0].ObjectMeta, half)
	if got := Observe(installed(), have, assign, one); !got.Since.Equal(noon.Add(SettleTime)) {
		t.Errorf("another policy created again: in force since %v", got.Since)
	}
}
