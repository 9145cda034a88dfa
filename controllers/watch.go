// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"maps"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/seat"
)

// requests returns a reconcile request for each object that the list options select.
func requests(ctx context.Context, r client.Reader, list client.ObjectList, options ...client.ListOption) []reconcile.Request {
	if err := r.List(ctx, list, slices.Concat(options, []client.ListOption{client.UnsafeDisableDeepCopy})...); err != nil {
		return nil // listing from a cache fails only while the process stops
	}
	var found []reconcile.Request
	_ = meta.EachListItem(list, func(item runtime.Object) error {
		found = append(found, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(item.(client.Object))})
		return nil
	})
	return found
}

// queue is the work queue of a controller.
type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// watchEvent is one watch event of an object.
type watchEvent struct {
	// before is nil if the object is new, after is nil if it was deleted.
	before, after client.Object
	// initial reports that the object is part of the first list after the start of Usher
	// and did not change. Every object is reconciled then anyway.
	initial bool
}

// lastKnown returns the last known state of the object.
func (c watchEvent) lastKnown() client.Object {
	if c.after == nil {
		return c.before
	}
	return c.after
}

// states returns the states before and after the change that exist.
func (c watchEvent) states() []client.Object {
	return slices.DeleteFunc([]client.Object{c.before, c.after}, func(o client.Object) bool { return o == nil })
}

// onEveryChange returns an event handler that calls ask for every change of an object.
func onEveryChange(ask func(ctx context.Context, q queue, c watchEvent)) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			ask(ctx, q, watchEvent{after: e.Object, initial: e.IsInInitialList})
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			ask(ctx, q, watchEvent{before: e.ObjectOld, after: e.ObjectNew})
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
			ask(ctx, q, watchEvent{before: e.Object})
		},
	}
}

// enqueueForOrganization enqueues the objects of an Organization that a change of it
// affects: either all of them, or only those whose seats or ownership changed.
func enqueueForOrganization(r client.Reader, list func() client.ObjectList) handler.EventHandler {
	return onEveryChange(func(ctx context.Context, q queue, c watchEvent) {
		before, existed := c.before.(*accountsv1.Organization)
		after, exists := c.after.(*accountsv1.Organization)
		if !existed || !exists || affectsAllMembers(before, after) {
			addAtLowPriority(q, requests(ctx, r, list(), client.MatchingFields{byOrganization: c.lastKnown().GetName()})...)
			return
		}
		names := append(seat.Changed(before.Status.Seats, after.Status.Seats), changedOwners(before.Status.Owners, after.Status.Owners)...)
		for _, name := range names {
			q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: string(after.Spec.Namespace), Name: name}})
		}
	})
}

// affectsAllMembers reports whether a change of an Organization affects every object in it.
func affectsAllMembers(before, after *accountsv1.Organization) bool {
	full := func(org *accountsv1.Organization) bool {
		taken := org.Status.Seats.Taken
		return taken != nil && *taken >= org.Spec.Seats
	}
	return before.Generation != after.Generation ||
		before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() ||
		before.Annotations[accountsv1.ReleaseMailAnnotation] != after.Annotations[accountsv1.ReleaseMailAnnotation] ||
		full(before) != full(after) ||
		conditionMessage(before, accountsv1.ConditionNamespaceReady) != conditionMessage(after, accountsv1.ConditionNamespaceReady) ||
		conditionMessage(before, accountsv1.ConditionCatalogueValid) != conditionMessage(after, accountsv1.ConditionCatalogueValid) ||
		conditionMessage(before, accountsv1.ConditionPoliciesInForce) != conditionMessage(after, accountsv1.ConditionPoliciesInForce)
}

// conditionMessage returns the message of a condition. The three conditions that use it cover the
// owner of the home namespace, Usher's own rights and Usher's policies. They change what
// can be granted without a change of the spec.
func conditionMessage(org *accountsv1.Organization, conditionType string) string {
	if c := meta.FindStatusCondition(org.Status.Conditions, conditionType); c != nil {
		return c.Message
	}
	return ""
}

// changedOwners returns the owners that a change of the list affects. An owner is also
// affected if it was or becomes the only one, even if its own entry did not change.
func changedOwners(before, after []accountsv1.OwnerStatus) []string {
	if slices.Equal(before, after) {
		return nil
	}
	var names []string
	for _, owner := range slices.Concat(before, after) {
		inBoth := slices.Contains(before, owner) && slices.Contains(after, owner)
		if !inBoth || len(before) == 1 || len(after) == 1 {
			names = append(names, string(owner.Name))
		}
	}
	return names
}

// addAtLowPriority enqueues objects behind the objects that were changed directly. A
// change of a catalogue must not delay the change of one person.
func addAtLowPriority(q queue, found ...reconcile.Request) {
	add(q, handler.LowPriority, 0, found)
}

// reportPriority puts reports ahead of the remaining work of a catalogue change, so that
// they show how far the rollout is.
const reportPriority = handler.LowPriority / 2

func addReports(q queue, found ...reconcile.Request) {
	add(q, reportPriority, membership.ReportPause, found)
}

func add(q queue, priority int, after time.Duration, found []reconcile.Request) {
	if queue, prioritizes := q.(priorityqueue.PriorityQueue[reconcile.Request]); prioritizes {
		queue.AddWithOpts(priorityqueue.AddOpts{Priority: &priority, After: after}, found...)
		return
	}
	for _, req := range found {
		q.AddAfter(req, after)
	}
}

// enqueueAtLowPriority returns a handler that enqueues, on any change of an object, the objects that
// it affects.
func enqueueAtLowPriority(concerned handler.MapFunc) handler.EventHandler {
	return onEveryChange(func(ctx context.Context, q queue, c watchEvent) {
		addAtLowPriority(q, concerned(ctx, c.lastKnown())...)
	})
}

// bindingPause is the delay between an event of a RoleBinding and the reconciliation of
// its Membership. A repair by Usher also causes an event, and the status that Usher
// writes next causes the same reconciliation. Without the delay, Usher would work on the
// older status that is still in the cache. It would write the status again and get a
// conflict.
const bindingPause = 100 * time.Millisecond

// enqueueForBinding returns a handler that enqueues, on any change of a RoleBinding, the objects
// that it affected before and affects now. They are enqueued after bindingPause. If Usher
// made the change itself, they are enqueued in time for the report.
func enqueueForBinding(concerned handler.MapFunc, ours func(watchEvent) bool) handler.EventHandler {
	return onEveryChange(func(ctx context.Context, q queue, c watchEvent) {
		own := ours(c)
		for _, o := range c.states() {
			found := concerned(ctx, o)
			switch {
			case c.initial:
				addAtLowPriority(q, found...)
			case own:
				addReports(q, found...)
			default:
				for _, req := range found {
					q.AddAfter(req, bindingPause)
				}
			}
		}
	})
}

// enqueueForNamespace returns a handler that enqueues the objects that a namespace
// affects, by its old labels and by its new ones.
func enqueueForNamespace(concerned handler.MapFunc) handler.EventHandler {
	same := func(before, after client.Object) bool {
		return before != nil && after != nil && maps.Equal(before.GetLabels(), after.GetLabels()) &&
			before.GetDeletionTimestamp().IsZero() == after.GetDeletionTimestamp().IsZero()
	}
	return onEveryChange(func(ctx context.Context, q queue, c watchEvent) {
		if c.initial || same(c.before, c.after) {
			return
		}
		for _, o := range c.states() {
			addAtLowPriority(q, concerned(ctx, o)...)
		}
	})
}

// enqueueForHome returns a handler that enqueues the objects that a home namespace
// affects, once it becomes one or no longer is one.
func enqueueForHome(concerned handler.MapFunc) handler.EventHandler {
	return onEveryChange(func(ctx context.Context, q queue, c watchEvent) {
		if !c.initial && (c.before == nil || c.after == nil) {
			addAtLowPriority(q, concerned(ctx, c.lastKnown())...)
		}
	})
}

// enqueueForClusterRole returns a handler that enqueues the objects whose catalogue
// names a ClusterRole. If the ClusterRole can decide what Usher may bind, it enqueues all
// objects. Their reconcilers requeue them once more, for when the API server has certainly
// observed the change (see ClusterRoles.requeueIfRightsChanged).
func enqueueForClusterRole(roles *ClusterRoles, naming, everybody handler.MapFunc) handler.EventHandler {
	same := func(before, after client.Object) bool {
		return before != nil && after != nil &&
			equality.Semantic.DeepEqual(before.(*rbacv1.ClusterRole).Rules, after.(*rbacv1.ClusterRole).Rules)
	}
	return onEveryChange(func(ctx context.Context, q queue, c watchEvent) {
		switch {
		case c.initial || same(c.before, c.after):
		case !slices.ContainsFunc(c.states(), allowsBinding):
			addAtLowPriority(q, naming(ctx, c.lastKnown())...)
		default:
			roles.invalidate()
			addAtLowPriority(q, everybody(ctx, c.lastKnown())...)
		}
	})
}

// allowsBinding reports whether a ClusterRole allows its subjects to bind roles. Usher may
// be one of the subjects.
func allowsBinding(role client.Object) bool {
	return slices.ContainsFunc(role.(*rbacv1.ClusterRole).Rules, func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.Verbs, "bind") || slices.Contains(r.Verbs, rbacv1.VerbAll)
	})
}

// enqueueForSameName enqueues the object with the same namespace and name.
func enqueueForSameName(_ context.Context, o client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(o)}}
}

// enqueueForAccountRecord enqueues the Memberships in an Account's record, or the Invitations with
// the same names.
func enqueueForAccountRecord(_ context.Context, account client.Object) []reconcile.Request {
	return requestsOf(recordedMemberships(account)...)
}

// requestsOf returns a reconcile request for each name that is not empty.
func requestsOf(names ...types.NamespacedName) []reconcile.Request {
	var found []reconcile.Request
	for _, n := range names {
		if n.Name != "" {
			found = append(found, reconcile.Request{NamespacedName: n})
		}
	}
	return found
}

// onlyDeletions passes only delete events.
func onlyDeletions() builder.WatchesOption {
	return builder.WithPredicates(predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	})
}

// onlyOwnerChanges passes only update events of Organizations whose list of owners
// changed.
func onlyOwnerChanges() builder.WatchesOption {
	return builder.WithPredicates(predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, after := e.ObjectOld.(*accountsv1.Organization), e.ObjectNew.(*accountsv1.Organization)
			return !slices.Equal(before.Status.Owners, after.Status.Owners)
		},
		GenericFunc: func(event.GenericEvent) bool { return false },
	})
}

// ignoreRolloutProgress drops events of Organizations whose only change is the progress of a
// rollout. The progress is counted again on its own schedule.
func ignoreRolloutProgress() builder.ForOption {
	still := func(o client.Object) *accountsv1.Organization {
		org := *o.(*accountsv1.Organization)
		org.ResourceVersion, org.ManagedFields, org.Status.Rollout = "", nil, accountsv1.RolloutStatus{}
		return &org
	}
	return builder.WithPredicates(predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return !equality.Semantic.DeepEqual(still(e.ObjectOld), still(e.ObjectNew))
	}})
}
