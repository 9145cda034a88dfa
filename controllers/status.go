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
	// saveTimeout limits the last write of a reconciliation.
	saveTimeout = 30 * time.Second
	// conflictPause is how long to wait for the cache after another writer was faster.
	conflictPause = 200 * time.Millisecond
)

// objectWithConditions is an object whose status has conditions.
type objectWithConditions interface {
	client.Object
	GetConditions() []metav1.Condition
	SetConditions(conditions []metav1.Condition)
}

// tracker saves the status of the object being reconciled, on request and at the end of
// every path.
type tracker struct {
	client client.Client
	object objectWithConditions
	saved  any
}

// track returns a tracker that starts with the object's present status.
func track(c client.Client, object objectWithConditions) *tracker {
	return &tracker{client: c, object: object, saved: statusOf(object)}
}

// statusOf returns the status of an object as the API server stores it.
func statusOf(object client.Object) any {
	whole, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		panic(err) // conversion fails only for a type that is not an API type
	}
	return whole["status"]
}

// save writes the status if it differs from the last saved one. The write fails with a
// conflict if another writer has changed the object since it was read.
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

// stateOf returns status.state, or the reason of condition Ready if the kind has no
// state.
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

// isSaved reports whether the API server has the present status. Events are recorded only
// after that.
func (t *tracker) isSaved() bool {
	return equality.Semantic.DeepEqual(t.saved, statusOf(t.object))
}

// finish ends a reconciliation. It records a failure in the status, saves the status, and
// turns a conflict into a requeue instead of an error. A deleted object needs no status.
func (t *tracker) finish(ctx context.Context, now time.Time, result ctrl.Result, failed error) (ctrl.Result, error) {
	if failed != nil && !apierrors.IsConflict(failed) {
		c := condition.New(now, t.object.GetGeneration(), t.object.GetConditions())
		c.Reconciling(accountsv1.ReasonError, "A request to the API server failed. Usher retries it.")
		c.Keep()
		t.object.SetConditions(c.List())
	}
	// The save must not be lost when the process is told to stop: the next process would
	// not know what was done.
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
