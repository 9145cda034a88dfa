// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/organization"
)

const (
	// rightsValidity is how long an answer about Usher's own rights is believed.
	rightsValidity = time.Minute
	// rightsSettle is how long the API server may take to know of a change of
	// rights that it has told already.
	rightsSettle = 2 * time.Second
)

// ClusterRoles tells what the ClusterRoles of a catalogue amount to, and whether
// Usher may bind them. Reconcilers share it, so that each is asked about once.
type ClusterRoles struct {
	client.Client
	// Clock tells the time.
	Clock clock.PassiveClock

	mu      sync.Mutex
	answers map[string]answer
	changed time.Time
}

// answer is what the API server said about one ClusterRole.
type answer struct {
	bindable bool
	at       time.Time
}

// of looks at all ClusterRoles that an Organization names.
func (c *ClusterRoles) of(ctx context.Context, org *accountsv1.Organization) (map[string]grant.ClusterRole, error) {
	found := map[string]grant.ClusterRole{}
	for _, name := range organization.NamedClusterRoles(org) {
		role, err := find(ctx, c, types.NamespacedName{Name: name}, &rbacv1.ClusterRole{})
		if err != nil {
			return nil, err
		}
		if role == nil {
			found[name] = grant.ClusterRole{}
			continue
		}
		bindable, err := c.bindable(ctx, name)
		if err != nil {
			return nil, err
		}
		known := grant.ClusterRole{Exists: true, Bindable: bindable}
		known.Excess, known.Manages = grant.Inspect(role.Rules)
		found[name] = known
	}
	return found, nil
}

// bindable asks whether Usher was allowed to bind a ClusterRole by name. The API
// server would also let it bind one whose rights Usher happens to hold itself.
func (c *ClusterRoles) bindable(ctx context.Context, name string) (bool, error) {
	c.mu.Lock()
	known, found := c.answers[name]
	c.mu.Unlock()
	if found && c.Clock.Since(known.at) < rightsValidity {
		return known.bindable, nil
	}
	asked := c.Clock.Now()
	review := &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: rbacv1.GroupName, Resource: "clusterroles", Verb: "bind", Name: name,
			},
		},
	}
	if err := c.Create(ctx, review); err != nil {
		return false, fmt.Errorf("ask whether Usher may bind ClusterRole %s: %w", name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		c.answers = map[string]answer{}
	}
	if asked.Sub(c.changed) > rightsSettle {
		c.answers[name] = answer{review.Status.Allowed, asked}
	}
	return review.Status.Allowed, nil
}

// lookAgain is the result of a reconciliation that asked about rights: where they have
// just changed, another one follows once the API server surely knows of the change.
// Each reconciliation asks for that. A queue has one entry for an object, so that an
// event replaces a look that is due later.
func (c *ClusterRoles) lookAgain(result ctrl.Result) ctrl.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	after := rightsSettle + rightsSettle/10 - c.Clock.Since(c.changed)
	if after > 0 && (result.RequeueAfter == 0 || after < result.RequeueAfter) {
		result.RequeueAfter = after
	}
	return result
}

// forget has the rights asked for anew, because they have just been changed.
func (c *ClusterRoles) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers, c.changed = nil, c.Clock.Now()
}
