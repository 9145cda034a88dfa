// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// verb is one way to send a request.
type verb string

const (
	creates    verb = "create"
	updates    verb = "update"
	merges     verb = "merge patch"
	patches    verb = "JSON patch"
	applies    verb = "apply"
	deletes    verb = "delete"
	deletesAll verb = "deletecollection"
)

var (
	changing = []verb{updates, merges, patches, applies}
	wholly   = []verb{updates, applies}
	partly   = []verb{merges, patches}
	// removing lacks apply, which removes no fields that other managers applied.
	removing = []verb{patches, updates, merges}
	making   = []verb{creates, applies}
)

// kind is a kind of object.
type kind struct {
	group, version, kind, resource string
}

var (
	organizations = kind{accountsGroup, "v1alpha1", "Organization", "organizations"}
	memberships   = kind{accountsGroup, "v1alpha1", "Membership", "memberships"}
	invitations   = kind{accountsGroup, "v1alpha1", "Invitation", "invitations"}
	accounts      = kind{accountsGroup, "v1alpha1", "Account", "accounts"}
	rolebindings  = kind{rbacGroup, "v1", "RoleBinding", "rolebindings"}
	clusterroles  = kind{rbacGroup, "v1", "ClusterRole", "clusterroles"}
)

func (k kind) blank(key types.NamespacedName) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(schema.GroupVersionKind{Group: k.group, Version: k.version, Kind: k.kind})
	o.SetNamespace(key.Namespace)
	o.SetName(key.Name)
	return o
}

func (k kind) list() *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: k.group, Version: k.version, Kind: k.kind + "List"})
	return list
}

// request is what one actor asks of the API server.
type request struct {
	who  *actor
	verb verb
	kind kind
	sub  string
	// before is the object before the request; nil means that it does not exist.
	before *unstructured.Unstructured
	// after is the requested object; nil means that it is to be deleted.
	after *unstructured.Unstructured
}

func (r request) object() *unstructured.Unstructured {
	if r.after == nil {
		return r.before.DeepCopy()
	}
	return r.after.DeepCopy()
}

// send sends the request. If the API server refuses it or finds it invalid, send
// returns false and no error.
func (r request) send(ctx context.Context) (accepted bool, err error) {
	err = r.ask(ctx)
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		return false, nil
	}
	return err == nil, err
}

func (r request) ask(ctx context.Context) error {
	o := r.object()
	writer := r.who.api.SubResource("status")
	main := r.sub == ""
	switch r.verb {
	case creates:
		return r.who.api.Create(ctx, o)
	case updates:
		if main {
			return r.who.api.Update(ctx, o)
		}
		return writer.Update(ctx, o)
	case deletes:
		return r.who.api.Delete(ctx, o)
	case deletesAll:
		return r.who.api.DeleteAllOf(ctx, o, client.InNamespace(o.GetNamespace()), client.MatchingFields{"metadata.name": o.GetName()})
	case merges, patches, applies:
	}
	patch, err := r.patch()
	if err != nil {
		return err
	}
	if r.verb == applies {
		owner := client.FieldOwner("usher") // the field manager of Usher
		if main {
			return r.who.api.Patch(ctx, o, patch, owner, client.ForceOwnership)
		}
		return writer.Patch(ctx, o, patch, owner, client.ForceOwnership)
	}
	if main {
		return r.who.api.Patch(ctx, o, patch)
	}
	return writer.Patch(ctx, o, patch)
}

func (r request) patch() (client.Patch, error) {
	switch r.verb {
	case merges:
		raw, err := client.MergeFrom(r.before).Data(r.after)
		return client.RawPatch(types.MergePatchType, raw), err
	case patches:
		raw, err := json.Marshal(r.operations())
		return client.RawPatch(types.JSONPatchType, raw), err
	case creates, updates, applies, deletes, deletesAll:
	}
	applied := r.object()
	applied.SetManagedFields(nil)
	applied.SetResourceVersion("")
	applied.SetUID("")
	raw, err := applied.MarshalJSON()
	return client.RawPatch(types.ApplyYAMLPatchType, raw), err
}

// operation is one operation of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// parts are the parts of an object that attempts change, one by one.
var parts = []string{
	"spec", "status", "rules", "aggregationRule", "subjects", "roleRef", "metadata.labels", "metadata.annotations", "metadata.finalizers", "metadata.ownerReferences",
}

func (r request) operations() []operation {
	var operations []operation
	for _, part := range parts {
		before, there := partOf(r.before, part)
		after, stays := partOf(r.after, part)
		path := "/" + strings.ReplaceAll(part, ".", "/")
		switch {
		case reflect.DeepEqual(before, after):
		case stays:
			operations = append(operations, operation{"add", path, after})
		case there:
			operations = append(operations, operation{Op: "remove", Path: path})
		}
	}
	return operations
}

// partOf returns a part of an object, and reports whether it exists.
func partOf(o *unstructured.Unstructured, part string) (any, bool) {
	if o == nil {
		return nil, false
	}
	value, found, err := unstructured.NestedFieldNoCopy(o.Object, strings.Split(part, ".")...)
	return value, found && err == nil
}

// changed reports whether the request changes a part.
func (r request) changed(part string) bool {
	before, _ := partOf(r.before, part)
	after, _ := partOf(r.after, part)
	return !reflect.DeepEqual(before, after)
}

// prepared reads the object, and returns the request to send.
func (t trial) prepared(ctx context.Context) (request, error) {
	r := request{who: t.who, verb: t.verb, kind: t.kind, sub: t.sub}
	o := t.kind.blank(t.key)
	err := admin.Get(ctx, client.ObjectKeyFromObject(o), o)
	if err == nil {
		r.before = o.DeepCopy()
	} else if client.IgnoreNotFound(err) != nil {
		return r, err
	}
	if t.verb == deletes || t.verb == deletesAll {
		if r.before == nil {
			return r, fmt.Errorf("delete %s %s: it does not exist", t.kind.kind, t.key)
		}
		return r, nil
	}
	if r.before == nil {
		o = t.kind.blank(t.key)
	}
	t.change(t.trier, o)
	r.after = o
	return r, nil
}

// tried sends a request, and sends it again if Usher wrote the object in between.
func (t trial) tried(ctx context.Context) (r request, accepted bool, err error) {
	err = retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() error {
		if r, err = t.prepared(ctx); err != nil {
			return err
		}
		accepted, err = r.send(ctx)
		return err
	})
	return r, accepted, err
}

func isOneOf[T comparable](value T, of ...T) bool { return slices.Contains(of, value) }
