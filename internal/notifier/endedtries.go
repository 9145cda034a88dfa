// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"sync"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
)

// endedTries keep how this process's last try for each object ended, by the object's UID, until the cache
// shows it. They guard against a second sending: the record of a try can fail to be written, and the cache
// can be stale.
type endedTries struct{ sync.Map }

// endedTry is how a try of this process ended.
type endedTry struct {
	attempt  int32
	delivery accountsv1.Delivery
	// written is the resourceVersion that this process wrote last.
	written string
	// recorded reports whether that write was the record; otherwise it was the claim.
	recorded bool
}

// KeepEnd keeps how the try of a delivery ended. The object is as this process last wrote it, but for the end
// of the try where that is not recorded.
func (n *Notifier) KeepEnd(o client.Object, name string, recorded bool) {
	all, attempt := deliveriesOf(o)
	if d := delivery.Find(all, name); d != nil {
		n.ended.Store(o.GetUID(), endedTry{attempt, *d, o.GetResourceVersion(), recorded})
	}
}

// RestoreEnd compares an object from the cache with what this process knows. A status that lacks the end of a
// try gets it, so that a message is not sent again because its record failed. It reports a stale object,
// which is older than what this process wrote: nothing is to be decided by it.
func (n *Notifier) RestoreEnd(o client.Object) (stale bool) {
	known, found := n.ended.Load(o.GetUID())
	if !found {
		return false
	}
	last := known.(endedTry)
	if order, err := resourceversion.CompareResourceVersion(o.GetResourceVersion(), last.written); err == nil && order < 0 {
		return true
	}
	all, attempt := deliveriesOf(o)
	shown := delivery.Find(all, last.delivery.Name)
	if !last.recorded && shown != nil && shown.Holder == n.Holder && attempt == last.attempt && shown.Tries == last.delivery.Tries {
		*shown = last.delivery
		return false
	}
	n.ended.Delete(o.GetUID())
	return false
}

// deliveriesOf are the deliveries in the status of an object, and the attempt that they belong to, where
// there are several.
func deliveriesOf(o client.Object) (all []accountsv1.Delivery, attempt int32) {
	switch o := o.(type) {
	case *accountsv1.Invitation:
		return o.Status.Deliveries, o.Status.Attempt.Number
	case *accountsv1.Account:
		return o.Status.Deliveries, 0
	}
	return nil, 0
}
