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

// requests makes a reconcile request for each object of a list that the
// options select.
func requests(ctx context.Context, r client.Reader, list client.ObjectList, options ...client.ListOption) []reconcile.Request {
	if err := r.List(ctx, list, slices.Concat(options, []client.ListOption{client.UnsafeDisableDeepCopy})...); err != nil {
		return nil // a cache fails to list only while the process stops
	}
	var found []reconcile.Request
	_ = meta.EachListItem(list, func(item runtime.Object) error {
		found = append(found, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(item.(client.Object))})
		return nil
	})
	return found
}

// queue takes requests to reconcile.
type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// change is what happened to an object.
type change struct {
	// before is nil where the object is new, after where it is gone.
	before, after client.Object
	// initial: nothing happened, but that Usher was started. Everybody is looked
	// at then anyway.
	initial bool
}

// newest is the object as it was last seen.
func (c change) newest() client.Object {
	if c.after == nil {
		return c.before
	}
	return c.after
}

// seen is the object as it was, where there was one, and as it is, where there is.
func (c change) seen() []client.Object {
	return slices.DeleteFunc([]client.Object{c.before, c.after}, func(o client.Object) bool { return o == nil })
}

// upon has every change of an object asked about.
func upon(ask func(ctx context.Context, q queue, c change)) handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			ask(ctx, q, change{after: e.Object, initial: e.IsInInitialList})
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			ask(ctx, q, change{before: e.ObjectOld, after: e.ObjectNew})
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
			ask(ctx, q, change{before: e.Object})
		},
	}
}

// whenOrganizationChanges asks for the objects of an Organization that a change
// of it is about: all of them, or those whose seats were given or taken.
func whenOrganizationChanges(r client.Reader, list func() client.ObjectList) handler.EventHandler {
	return upon(func(ctx context.Context, q queue, c change) {
		before, existed := c.before.(*accountsv1.Organization)
		after, exists := c.after.(*accountsv1.Organization)
		if !existed || !exists || concernsAll(before, after) {
			addUnhurried(q, requests(ctx, r, list(), client.MatchingFields{byOrganization: c.newest().GetName()})...)
			return
		}
		names := append(seat.Changed(before.Status.Seats, after.Status.Seats), changedOwners(before.Status.Owners, after.Status.Owners)...)
		for _, name := range names {
			q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: string(after.Spec.Namespace), Name: name}})
		}
	})
}

// concernsAll tells whether a change of an Organization is about everybody in it.
func concernsAll(before, after *accountsv1.Organization) bool {
	full := func(org *accountsv1.Organization) bool {
		taken := org.Status.Seats.Taken
		return taken != nil && *taken >= org.Spec.Seats
	}
	return before.Generation != after.Generation ||
		before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() ||
		before.Annotations[accountsv1.ReleaseMailAnnotation] != after.Annotations[accountsv1.ReleaseMailAnnotation] ||
		full(before) != full(after) ||
		message(before, accountsv1.ConditionNamespaceReady) != message(after, accountsv1.ConditionNamespaceReady) ||
		message(before, accountsv1.ConditionCatalogueValid) != message(after, accountsv1.ConditionCatalogueValid) ||
		message(before, accountsv1.ConditionPoliciesInForce) != message(after, accountsv1.ConditionPoliciesInForce)
}

// message is what a condition says. Who holds the home namespace, Usher's own
// rights, and its policies, change what can be granted without a change of the spec.
func message(org *accountsv1.Organization, conditionType string) string {
	if c := meta.FindStatusCondition(org.Status.Conditions, conditionType); c != nil {
		return c.Message
	}
	return ""
}

// changedOwners are the owners whom a change of the list is about. Whether
// somebody is the only one is about that one, whoever else it is that changed.
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

// addUnhurried asks for objects after those that something of their own has
// happened to: a change of a catalogue must not keep the one of a person waiting.
func addUnhurried(q queue, found ...reconcile.Request) {
	add(q, handler.LowPriority, 0, found)
}

// reportPriority has reports go before what is left of a change of the catalogue, so
// that they tell how far it is.
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

// unhurried asks, whatever happens to an object, for those that it concerns.
func unhurried(concerned handler.MapFunc) handler.EventHandler {
	return upon(func(ctx context.Context, q queue, c change) { addUnhurried(q, concerned(ctx, c.newest())...) })
}

// bindingPause is how long after an event of a RoleBinding its Membership is
// looked at. What Usher has put right is an event too, and the status that it
// writes next asks for the same: on the older one, which the cache has until then,
// it would be written once more, and refused.
const bindingPause = 100 * time.Millisecond

// afterPause asks, whatever happens to a RoleBinding, for those that it concerned
// and concerns: a moment later, and where it is Usher's own doing, in time for
// the report.
func afterPause(concerned handler.MapFunc, ours func(change) bool) handler.EventHandler {
	return upon(func(ctx context.Context, q queue, c change) {
		own := ours(c)
		for _, o := range c.seen() {
			found := concerned(ctx, o)
			switch {
			case c.initial:
				addUnhurried(q, found...)
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

// whenNamespaceChanges asks for those whom a namespace concerns, by the labels
// that it had and by those that it has.
func whenNamespaceChanges(concerned handler.MapFunc) handler.EventHandler {
	same := func(before, after client.Object) bool {
		return before != nil && after != nil && maps.Equal(before.GetLabels(), after.GetLabels()) &&
			before.GetDeletionTimestamp().IsZero() == after.GetDeletionTimestamp().IsZero()
	}
	return upon(func(ctx context.Context, q queue, c change) {
		if c.initial || same(c.before, c.after) {
			return
		}
		for _, o := range c.seen() {
			addUnhurried(q, concerned(ctx, o)...)
		}
	})
}

// whenClusterRoleChanges asks for those whose catalogue names a ClusterRole, and
// for everybody where it is one that says what Usher may bind. What they answer with
// has them looked at once more, when the API server surely knows of it.
func whenClusterRoleChanges(roles *ClusterRoles, naming, everybody handler.MapFunc) handler.EventHandler {
	same := func(before, after client.Object) bool {
		return before != nil && after != nil &&
			equality.Semantic.DeepEqual(before.(*rbacv1.ClusterRole).Rules, after.(*rbacv1.ClusterRole).Rules)
	}
	return upon(func(ctx context.Context, q queue, c change) {
		switch {
		case c.initial || same(c.before, c.after):
		case !slices.ContainsFunc(c.seen(), lendsRights):
			addUnhurried(q, naming(ctx, c.newest())...)
		default:
			roles.forget()
			addUnhurried(q, everybody(ctx, c.newest())...)
		}
	})
}

// lendsRights tells whether a ClusterRole lets somebody bind others, which may
// be Usher.
func lendsRights(role client.Object) bool {
	return slices.ContainsFunc(role.(*rbacv1.ClusterRole).Rules, func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.Verbs, "bind") || slices.Contains(r.Verbs, rbacv1.VerbAll)
	})
}

// sameName asks for the object of the same namespace and name.
func sameName(_ context.Context, o client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(o)}}
}

// theRecorded asks for the Memberships in an Account's record, or for the
// Invitations of the same name.
func theRecorded(_ context.Context, account client.Object) []reconcile.Request {
	return requestsOf(recorded(account)...)
}

// requestsOf makes a reconcile request for each name that there is.
func requestsOf(names ...types.NamespacedName) []reconcile.Request {
	var found []reconcile.Request
	for _, n := range names {
		if n.Name != "" {
			found = append(found, reconcile.Request{NamespacedName: n})
		}
	}
	return found
}

// whenGone lets through the events of objects that are gone.
func whenGone() builder.WatchesOption {
	return builder.WithPredicates(predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	})
}

// whenOwnersChange lets through the events of Organizations whose owners are
// not the same any more.
func whenOwnersChange() builder.WatchesOption {
	return builder.WithPredicates(predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, after := e.ObjectOld.(*accountsv1.Organization), e.ObjectNew.(*accountsv1.Organization)
			return !slices.Equal(before.Status.Owners, after.Status.Owners)
		},
		GenericFunc: func(event.GenericEvent) bool { return false },
	})
}

// unlessProgress leaves out the events of Organizations that only say how far a
// change of the catalogue is: it is counted again in its own time.
func unlessProgress() builder.ForOption {
	still := func(o client.Object) *accountsv1.Organization {
		org := *o.(*accountsv1.Organization)
		org.ResourceVersion, org.ManagedFields, org.Status.Rollout = "", nil, accountsv1.RolloutStatus{}
		return &org
	}
	return builder.WithPredicates(predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return !equality.Semantic.DeepEqual(still(e.ObjectOld), still(e.ObjectNew))
	}})
}
