// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// asBefore holds every object that an attempt can change, in its state before the
// attempts.
var asBefore = map[kind]map[client.ObjectKey]*unstructured.Unstructured{}

// restored are the kinds in the order in which they are restored. RoleBindings come
// last, when Usher wants no other changes any more.
var restored = []kind{clusterroles, organizations, accounts, memberships, invitations, rolebindings}

// recordObjects records all objects in their present state.
func recordObjects(ctx context.Context) {
	GinkgoHelper()
	for _, k := range restored {
		asBefore[k] = present(ctx, k)
	}
	for key, account := range asBefore[accounts] {
		accountUIDs[key.Name] = account.GetUID()
	}
}

// present returns all objects of a kind, except those of Kubernetes itself.
func present(ctx context.Context, k kind) map[client.ObjectKey]*unstructured.Unstructured {
	GinkgoHelper()
	list := k.list()
	Expect(admin.List(ctx, list)).To(Succeed())
	found := map[client.ObjectKey]*unstructured.Unstructured{}
	for i := range list.Items {
		o := &list.Items[i]
		ours := strings.HasPrefix(o.GetName(), "acme-") || strings.HasPrefix(o.GetName(), "usher") || strings.HasPrefix(o.GetName(), "case-")
		if k.group != rbacGroup || ours || o.GetName() == "cluster-admin" {
			found[client.ObjectKeyFromObject(o)] = o
		}
	}
	return found
}

// restore restores all objects.
func restore(ctx context.Context) {
	GinkgoHelper()
	for _, k := range restored {
		if k == rolebindings {
			settle(ctx)
		}
		wrote := false
		there := present(ctx, k)
		for key, o := range there {
			if asBefore[k][key] == nil || spent(asBefore[k][key], o) {
				Expect(client.IgnoreNotFound(admin.Delete(ctx, o))).To(Succeed())
				delete(there, key)
				wrote = true
			}
		}
		for key, before := range asBefore[k] {
			wrote = putBack(ctx, before, there[key]) || wrote
		}
		if k == rolebindings && wrote {
			settle(ctx)
		}
	}
}

// spent reports whether an Invitation has been answered, which cannot be undone.
func spent(before, now *unstructured.Unstructured) bool {
	_, wasAnswered := partOf(before, "status.acceptance")
	_, isAnswered := partOf(now, "status.acceptance")
	return isAnswered && !wasAnswered
}

// putBack restores an object, and reports whether it had to write.
func putBack(ctx context.Context, before, now *unstructured.Unstructured) (wrote bool) {
	GinkgoHelper()
	if now == nil {
		made := before.DeepCopy()
		for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"} {
			unstructured.RemoveNestedField(made.Object, "metadata", field)
		}
		Eventually(ctx, func() error { return client.IgnoreAlreadyExists(admin.Create(ctx, made.DeepCopy())) }).Should(Succeed())
		return true
	}
	if len(differing(before, now)) == 0 {
		return false
	}
	Expect(retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(before), now); err != nil {
			return client.IgnoreNotFound(err)
		}
		for _, part := range differing(before, now) {
			path := strings.Split(part, ".")
			if value, found := partOf(before, part); found {
				put(now, value, path...)
			} else {
				unstructured.RemoveNestedField(now.Object, path...)
			}
		}
		return admin.Update(ctx, now)
	})).To(Succeed())
	return true
}

// differing returns the parts of an object that have changed. Usher restores a status
// itself, and Kubernetes the rules of a ClusterRole that aggregates.
func differing(before, now *unstructured.Unstructured) (found []string) {
	compared := request{before: now, after: before}
	_, aggregates := partOf(before, "aggregationRule")
	for _, part := range parts {
		if part != "status" && (part != "rules" || !aggregates) && compared.changed(part) {
			found = append(found, part)
		}
	}
	return found
}
