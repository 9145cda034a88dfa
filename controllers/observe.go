// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/organization"
)

// find reads an object; none is no error, but nil. The error names what was read.
func find[T client.Object](ctx context.Context, r client.Reader, key types.NamespacedName, into T) (T, error) {
	var none T
	switch err := r.Get(ctx, key, into); {
	case apierrors.IsNotFound(err):
		return none, nil
	case err != nil:
		return none, fmt.Errorf("read %s %s: %w", kindOf(into), strings.TrimPrefix(key.String(), "/"), err)
	}
	return into, nil
}

// readList reads a list. The error names what was read.
func readList(ctx context.Context, r client.Reader, into client.ObjectList, options ...client.ListOption) error {
	if err := r.List(ctx, into, options...); err != nil {
		return fmt.Errorf("list %ss: %w", strings.TrimSuffix(kindOf(into), "List"), err)
	}
	return nil
}

// kindOf is the kind of an API type.
func kindOf(o any) string {
	name := fmt.Sprintf("%T", o)
	return name[strings.LastIndexByte(name, '.')+1:]
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
	if err := readList(ctx, r, &rivals, client.MatchingFields{byNamespace: string(org.Spec.Namespace)}); err != nil {
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
	if err := readList(ctx, r, &recorded, client.MatchingFields{byMembership: key.String()}); err != nil {
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
// wants a reader past the cache, which may not have the newest yet. It goes on
// until it finds one, because anybody may plant RoleBindings with such labels.
func bindingsLeft(ctx context.Context, live client.Reader, label, value string) (bool, error) {
	const page = 50
	labels := client.MatchingLabels{accountsv1.ManagedByLabel: accountsv1.ManagedByValue, label: value}
	for next := ""; ; {
		var left rbacv1.RoleBindingList
		if err := readList(ctx, live, &left, labels, client.Limit(page), client.Continue(next)); err != nil {
			return false, err
		}
		if slices.ContainsFunc(left.Items, func(b rbacv1.RoleBinding) bool { return madeAsItSays(&b) }) {
			return true, nil
		}
		if next = left.Continue; next == "" {
			return false, nil
		}
	}
}

// cluster reads what the grants of an Organization depend on.
func cluster(ctx context.Context, r client.Reader, roles *ClusterRoles, own string, org *accountsv1.Organization) (grant.Cluster, error) {
	var namespaces corev1.NamespaceList
	if err := readList(ctx, r, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return grant.Cluster{}, err
	}
	named, err := roles.of(ctx, org)
	return grant.Cluster{Namespaces: namespaces.Items, ClusterRoles: named, Own: own}, err
}
