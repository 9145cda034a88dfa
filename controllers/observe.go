// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/organization"
	"github.com/usher-dev/usher/internal/seat"
)

// find reads an object; none is no error, but nil.
func find[T client.Object](ctx context.Context, r client.Reader, key types.NamespacedName, into T) (T, error) {
	var none T
	if err := r.Get(ctx, key, into); err != nil {
		return none, client.IgnoreNotFound(err)
	}
	return into, nil
}

// findOrganization reads an Organization, and tells whether an older one holds
// its home namespace.
func findOrganization(ctx context.Context, r client.Reader, name accountsv1.CatalogueName) (org *accountsv1.Organization, homeTaken string, err error) {
	org, err = find(ctx, r, types.NamespacedName{Name: string(name)}, &accountsv1.Organization{})
	if err != nil || org == nil {
		return nil, "", err
	}
	homeTaken, err = homeTakenBy(ctx, r, org)
	return org, homeTaken, err
}

// homeTakenBy names the Organization that holds the home namespace of this one,
// if it is another.
func homeTakenBy(ctx context.Context, r client.Reader, org *accountsv1.Organization) (string, error) {
	var rivals accountsv1.OrganizationList
	if err := r.List(ctx, &rivals, client.MatchingFields{byNamespace: string(org.Spec.Namespace)}); err != nil {
		return "", err
	}
	if holder := organization.HomeHolder(rivals.Items); holder != org.Name {
		return holder, nil
	}
	return "", nil
}

// findHolder reads the Account that holds a Membership: its record names the
// Membership, for the address that the Membership is for.
func findHolder(ctx context.Context, r client.Reader, key types.NamespacedName, email accountsv1.EmailAddress) (*accountsv1.Account, error) {
	var recorded accountsv1.AccountList
	if err := r.List(ctx, &recorded, client.MatchingFields{byMembership: key.String()}); err != nil {
		return nil, err
	}
	for i := range recorded.Items {
		if a := &recorded.Items[i]; membership.Holds(a, key, email) {
			return a, nil
		}
	}
	return nil, nil
}

// organizationsOf reads the Organizations that an Account belongs to: those of
// the Memberships in its record that are its own and not going. What the cache
// does not have yet is looked for past it: an Account must not come to belong to
// two legal entities on old news.
func organizationsOf(ctx context.Context, cached, live client.Reader, a *accountsv1.Account) ([]*accountsv1.Organization, error) {
	var found []*accountsv1.Organization
	for _, key := range recorded(a) {
		m, err := findIn(ctx, key, &accountsv1.Membership{}, cached, live)
		if err != nil {
			return nil, err
		}
		if m == nil || m.DeletionTimestamp != nil || !membership.Holds(a, key, m.Spec.Email) {
			continue
		}
		name := types.NamespacedName{Name: string(m.Spec.OrganizationRef.Name)}
		org, err := findIn(ctx, name, &accountsv1.Organization{}, cached, live)
		if err != nil {
			return nil, err
		}
		if org != nil && string(org.Spec.Namespace) == m.Namespace {
			found = append(found, org)
		}
	}
	return found, nil
}

// findIn is find in one place after the other.
func findIn[T interface {
	client.Object
	comparable
}](ctx context.Context, key types.NamespacedName, into T, readers ...client.Reader) (T, error) {
	var none T
	for _, r := range readers {
		found, err := find(ctx, r, key, into)
		if err != nil || found != none {
			return found, err
		}
	}
	return none, nil
}

// bindingsLeft tells whether there are RoleBindings of Usher's with a label. It
// wants a reader past the cache, which may not have the newest yet.
func bindingsLeft(ctx context.Context, live client.Reader, label, value string) (bool, error) {
	var left rbacv1.RoleBindingList
	err := live.List(ctx, &left, client.Limit(1), client.MatchingLabels{
		accountsv1.ManagedByLabel: accountsv1.ManagedByValue,
		label:                     value,
	})
	return len(left.Items) > 0, err
}

// clusterRole is a ClusterRole of which only the metadata is kept in the cache.
func clusterRole() *metav1.PartialObjectMetadata {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("ClusterRole"))
	return o
}

// observeClusterRole asks whether a ClusterRole exists, and whether Usher was
// allowed to bind it by name. The API server would also let it bind one whose
// rights Usher happens to hold itself, or one that does not exist yet.
func observeClusterRole(ctx context.Context, c client.Client, name string) (organization.ClusterRole, error) {
	role, err := find(ctx, c, types.NamespacedName{Name: name}, clusterRole())
	if err != nil || role == nil {
		return organization.ClusterRole{}, err
	}
	review := &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: rbacv1.GroupName, Resource: "clusterroles", Verb: "bind", Name: name,
			},
		},
	}
	err = c.Create(ctx, review)
	return organization.ClusterRole{Exists: true, Bindable: review.Status.Allowed}, err
}

// requests makes a reconcile request for each object of a list that the
// options select.
func requests(ctx context.Context, r client.Reader, list client.ObjectList, options ...client.ListOption) []reconcile.Request {
	if err := r.List(ctx, list, options...); err != nil {
		return nil // a cache fails to list only while the process stops
	}
	var found []reconcile.Request
	_ = meta.EachListItem(list, func(item runtime.Object) error {
		found = append(found, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(item.(client.Object))})
		return nil
	})
	return found
}

// whenOrganizationChanges asks for the objects of an Organization that a change
// of it is about: all of them, or those whose seats were given or taken.
func whenOrganizationChanges(r client.Reader, list func() client.ObjectList) handler.EventHandler {
	all := func(ctx context.Context, org client.Object, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		for _, req := range requests(ctx, r, list(), client.MatchingFields{byOrganization: org.GetName()}) {
			q.Add(req)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			all(ctx, e.Object, q)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			all(ctx, e.Object, q)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			before, after := e.ObjectOld.(*accountsv1.Organization), e.ObjectNew.(*accountsv1.Organization)
			if concernsAll(before, after) {
				all(ctx, after, q)
				return
			}
			for _, name := range seat.Changed(before.Status.Seats, after.Status.Seats) {
				q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: string(after.Spec.Namespace), Name: name}})
			}
		},
	}
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
		full(before) != full(after)
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

// whenGone lets through the events of objects that are gone, and of those that
// lost the labels by which the cache knows them.
func whenGone() builder.WatchesOption {
	return builder.WithPredicates(predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	})
}
