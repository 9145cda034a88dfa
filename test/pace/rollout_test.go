// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package pace_test

import (
	"context"
	"fmt"
	"slices"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// permitted is the number of RoleBindings that may be written or deleted in a second.
// It is Usher's limit, plus a margin for requests that were delayed on their way to
// the API server.
func permitted() int { return perSecond() + perSecond()/10 }

// progress records the statuses of an Organization, one after another.
type progress struct {
	mu     sync.Mutex
	states []accountsv1.OrganizationStatus
}

func (p *progress) follow(ctx context.Context) {
	GinkgoHelper()
	follow(ctx, &accountsv1.OrganizationList{}, func(event watch.Event) {
		if org, is := event.Object.(*accountsv1.Organization); is {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.states = append(p.states, org.Status)
		}
	}, client.MatchingFields{"metadata.name": acme})
}

// seen returns the statuses during a rollout, without those before and after it.
func (p *progress) seen() []accountsv1.OrganizationStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.states), func(s accountsv1.OrganizationStatus) bool { return s.Rollout.Members == 0 })
}

// isPartial reports whether the rollout has reached some members, but not all.
func (p *progress) isPartial() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.states) == 0 {
		return false
	}
	rollout := p.states[len(p.states)-1].Rollout
	return rollout.Members != 0 && rollout.Updated != nil && *rollout.Updated > 0 && *rollout.Updated < rollout.Members
}

func (p *progress) String() string {
	var text string
	for _, s := range p.seen() {
		text += fmt.Sprintf(" %d/%d", *s.Rollout.Updated, s.Rollout.Members)
	}
	return text
}

// updated returns how many members had the declared access, one status after another.
func (p *progress) updated() []int {
	var updated []int
	for _, s := range p.seen() {
		updated = append(updated, int(*s.Rollout.Updated))
	}
	return updated
}

// now returns what the last status says about being ready.
func (p *progress) now() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return saysReady(p.states[len(p.states)-1])
}

// saysReady returns the status and the reason of the condition Ready.
func saysReady(s accountsv1.OrganizationStatus) string {
	c := apimeta.FindStatusCondition(s.Conditions, accountsv1.ConditionReady)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Reason
}
