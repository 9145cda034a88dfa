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

// find reads an object. It returns nil and no error if the object does not exist. An
// error names the object.
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

// readList reads a list. An error names the kind.
func readList(ctx context.Context, r client.Reader, into client.ObjectList, options ...client.ListOption) error {
	if err := r.List(ctx, into, options...); err != nil {
		return fmt.Errorf("list %ss: %w", strings.TrimSuffix(kindOf(into), "List"), err)
	}
	return nil
}

// kindOf returns the kind of an API type.
func kindOf(o any) string {
	name := fmt.Sprintf("%T", o)
	return name[strings.LastIndexByte(name, '.')+1:]
}

// findOrganization reads an Organization. homeTaken names the older Organization that
// owns its home namespace, if there is one.
func findOrganization(ctx context.Context, r client.Reader, name accountsv1.CatalogueName) (org *accountsv1.Organization, homeTaken string, err error) {
	org, err = find(ctx, r, types.NamespacedName{Name: string(name)}, &accountsv1.Organization{})
	if err != nil || org == nil {
		return nil, "", err
	}
	homeTaken, err = namespaceOwner(ctx, r, org)
	return org, homeTaken, err
}

// namespaceOwner returns the name of the other Organization that owns the home namespace of
// org, or "" if there is none.
func namespaceOwner(ctx context.Context, r client.Reader, org *accountsv1.Organization) (string, error) {
	var sameNamespace accountsv1.OrganizationList
	if err := readList(ctx, r, &sameNamespace, client.MatchingFields{byNamespace: string(org.Spec.Namespace)}); err != nil {
		return "", err
	}
	if owner := organization.NamespaceOwner(sameNamespace.Items); owner != org.Name {
		return owner, nil
	}
	return "", nil
}

// findMembershipOwner reads the Account that holds a Membership. The Account's record names the
// Membership together with its address.
func findMembershipOwner(ctx context.Context, r client.Reader, key types.NamespacedName, email accountsv1.EmailAddress) (*accountsv1.Account, error) {
	var recorded accountsv1.AccountList
	if err := readList(ctx, r, &recorded, client.MatchingFields{byMembership: key.String()}); err != nil {
		return nil, err
	}
	for i := range recorded.Items {
		if a := &recorded.Items[i]; membership.IsHeldBy(a, key, email) {
			return a, nil
		}
	}
	return nil, nil
}

// organizationsOf reads the Organizations that an Account belongs to. These are the
// Organizations of the Memberships in its record that it holds and that are not being
// deleted. Objects that the cache lacks are read past the cache: an Account must not join
// two legal entities on stale data.
func organizationsOf(ctx context.Context, cached, live client.Reader, a *accountsv1.Account) ([]*accountsv1.Organization, error) {
	var found []*accountsv1.Organization
	for _, key := range recordedMemberships(a) {
		m, err := findIn(ctx, key, &accountsv1.Membership{}, cached, live)
		if err != nil {
			return nil, err
		}
		if m == nil || m.DeletionTimestamp != nil || !membership.IsHeldBy(a, key, m.Spec.Email) {
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

// findIn calls find with one reader after the other until it finds the object.
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

// bindingsLeft reports whether RoleBindings of Usher with a label exist. It needs a
// reader that bypasses the cache, which may lack the newest ones. It reads all pages
// until it finds one, because any client can create RoleBindings with such labels.
func bindingsLeft(ctx context.Context, live client.Reader, label, value string) (bool, error) {
	const page = 50
	labels := client.MatchingLabels{accountsv1.ManagedByLabel: accountsv1.ManagedByValue, label: value}
	for next := ""; ; {
		var left rbacv1.RoleBindingList
		if err := readList(ctx, live, &left, labels, client.Limit(page), client.Continue(next)); err != nil {
			return false, err
		}
		if slices.ContainsFunc(left.Items, func(b rbacv1.RoleBinding) bool { return isMadeForItsLabels(&b) }) {
			return true, nil
		}
		if next = left.Continue; next == "" {
			return false, nil
		}
	}
}

// cluster reads the cluster state that the grants of an Organization depend on, except
// Homes.
func cluster(ctx context.Context, r client.Reader, roles *ClusterRoles, own string, org *accountsv1.Organization) (grant.Cluster, error) {
	var namespaces corev1.NamespaceList
	if err := readList(ctx, r, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return grant.Cluster{}, err
	}
	named, err := roles.inspect(ctx, org)
	return grant.Cluster{Namespaces: namespaces.Items, ClusterRoles: named, Own: own}, err
}

// homesAmong returns which namespaces are home namespaces.
func homesAmong(ctx context.Context, r client.Reader, namespaces []string) (map[string]bool, error) {
	homes := map[string]bool{}
	for _, namespace := range namespaces {
		var orgs accountsv1.OrganizationList
		if err := readList(ctx, r, &orgs, client.MatchingFields{byNamespace: namespace}, client.UnsafeDisableDeepCopy); err != nil {
			return nil, err
		}
		homes[namespace] = len(orgs.Items) > 0
	}
	return homes, nil
}

// allHomes returns all home namespaces. It costs a read of every Organization.
func allHomes(ctx context.Context, r client.Reader) (map[string]bool, error) {
	var orgs accountsv1.OrganizationList
	if err := readList(ctx, r, &orgs, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	homes := map[string]bool{}
	for i := range orgs.Items {
		homes[string(orgs.Items[i].Spec.Namespace)] = true
	}
	return homes, nil
}
