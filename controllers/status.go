// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/condition"
)

const (
	// saveTimeout is how long the last write of a reconciliation may take.
	saveTimeout = 30 * time.Second
	// conflictPause is how long to wait for the cache after somebody else
	// wrote first.
	conflictPause = 200 * time.Millisecond
)

// reported is an object whose status has conditions.
type reported interface {
	client.Object
	GetConditions() []metav1.Condition
	SetConditions(conditions []metav1.Condition)
}

// tracker saves the status of the object that is reconciled: when told to, and
// at the end of every path.
type tracker struct {
	client client.Client
	object reported
	saved  any
}

// track remembers the object's status as it is.
func track(c client.Client, object reported) *tracker {
	return &tracker{client: c, object: object, saved: statusOf(object)}
}

// statusOf is the status of an object as the API server keeps it.
func statusOf(object client.Object) any {
	whole, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		panic(err) // only a type that is no API type cannot be converted
	}
	return whole["status"]
}

// save writes the status if it differs from what was last saved, on the
// condition that nobody has written the object since it was read.
func (t *tracker) save(ctx context.Context) error {
	wanted := statusOf(t.object)
	if equality.Semantic.DeepEqual(t.saved, wanted) {
		return nil
	}
	if err := t.client.Status().Update(ctx, t.object); err != nil {
		return fmt.Errorf("save the status: %w", err)
	}
	if before, after := stateOf(t.saved), stateOf(wanted); before != after {
		logf.FromContext(ctx).Info("State changed", "from", before, "to", after)
	}
	t.saved = wanted
	return nil
}

// stateOf is status.state, or the reason of Ready where a kind has no state.
func stateOf(status any) string {
	fields, _ := status.(map[string]any)
	if state, found, _ := unstructured.NestedString(fields, "state"); found {
		return state
	}
	conditions, _, _ := unstructured.NestedSlice(fields, "conditions")
	for _, c := range conditions {
		if c, is := c.(map[string]any); is && c["type"] == accountsv1.ConditionReady {
			reason, _ := c["reason"].(string)
			return reason
		}
	}
	return ""
}

// isSaved tells whether the API server has the status as it is now: what
// happened is told once it is written down.
func (t *tracker) isSaved() bool {
	return equality.Semantic.DeepEqual(t.saved, statusOf(t.object))
}

// finish ends a reconciliation: it notes a failure in the status, saves it,
// and makes a conflict a reason to look again instead of an error. An object
// that is gone needs no status.
func (t *tracker) finish(ctx context.Context, now time.Time, result ctrl.Result, failed error) (ctrl.Result, error) {
	if failed != nil && !apierrors.IsConflict(failed) {
		c := condition.New(now, t.object.GetGeneration(), t.object.GetConditions())
		c.Reconciling(accountsv1.ReasonError, "A request to the API server failed; it is tried again.")
		c.Keep()
		t.object.SetConditions(c.List())
	}
	// The save must not be lost when the process is told to stop: the next one
	// would not know what was done.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	err := errors.Join(failed, client.IgnoreNotFound(t.save(ctx)))
	switch {
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: conflictPause}, nil
	case err != nil:
		return ctrl.Result{}, err
	}
	return result, nil
}
