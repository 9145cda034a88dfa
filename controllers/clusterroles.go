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
	// rightsValidity is how long an answer about Usher's own rights stays valid.
	rightsValidity = time.Minute
	// rightsPropagation is how long the API server can take to apply a change of rights after
	// it has sent the watch event.
	rightsPropagation = 2 * time.Second
)

// ClusterRoles inspects the ClusterRoles of a catalogue and checks whether Usher may bind
// them. The reconcilers share it, so that Usher checks each ClusterRole only once.
type ClusterRoles struct {
	client.Client
	// Clock returns the current time.
	Clock clock.PassiveClock

	mu      sync.Mutex
	answers map[string]answer
	changed time.Time
}

// answer is the API server's answer about one ClusterRole.
type answer struct {
	bindable bool
	at       time.Time
}

// inspect inspects all ClusterRoles that an Organization names.
func (c *ClusterRoles) inspect(ctx context.Context, org *accountsv1.Organization) (map[string]grant.ClusterRole, error) {
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
		known := grant.Inspect(role.Rules)
		known.Bindable = bindable
		found[name] = known
	}
	return found, nil
}

// bindable reports whether Usher may bind a ClusterRole by name. Without that right, the
// API server would also let Usher bind a ClusterRole whose rights Usher itself happens to
// hold.
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
		return false, fmt.Errorf("check whether Usher may bind ClusterRole %s: %w", name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		c.answers = map[string]answer{}
	}
	if asked.Sub(c.changed) > rightsPropagation {
		c.answers[name] = answer{review.Status.Allowed, asked}
	}
	return review.Status.Allowed, nil
}

// requeueIfRightsChanged adjusts the result of a reconciliation that depends on rights. If the rights
// have just changed, it requeues the object for a time when the API server has certainly
// applied the change. Every reconciliation must call it: a queue has one entry for each
// object, so an event replaces a requeue that is due later.
func (c *ClusterRoles) requeueIfRightsChanged(result ctrl.Result) ctrl.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	after := rightsPropagation + rightsPropagation/10 - c.Clock.Since(c.changed)
	if after > 0 && (result.RequeueAfter == 0 || after < result.RequeueAfter) {
		result.RequeueAfter = after
	}
	return result
}

// invalidate discards the answers, because the rights have just changed.
func (c *ClusterRoles) invalidate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers, c.changed = nil, c.Clock.Now()
}
