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

// endedTries hold how this process's last send for each object ended, by the object's UID, until the
// cache shows it. They guard against sending twice: writing the record of a send can fail, and the
// cache can be stale.
type endedTries struct{ sync.Map }

// endedTry is the result of one send of this process.
type endedTry struct {
	attempt  int32
	delivery accountsv1.Delivery
	// written is the resourceVersion of this process's last write.
	written string
	// recorded reports whether that write was the record. Otherwise it was the claim.
	recorded bool
}

// KeepEnd keeps how the send of a delivery ended. The object is as this process last wrote it. If
// recorded is false, it also holds the end of the send, which is not written yet.
func (n *Notifier) KeepEnd(o client.Object, name string, recorded bool) {
	all, attempt := deliveriesOf(o)
	if d := delivery.Find(all, name); d != nil {
		n.ended.Store(o.GetUID(), endedTry{attempt, *d, o.GetResourceVersion(), recorded})
	}
}

// RestoreEnd compares an object from the cache with what this process knows. If the status lacks the
// end of a send, RestoreEnd adds it, so that a message is not sent again because writing its record
// failed. It reports whether the object is stale, which means older than what this process wrote. Do
// not decide anything from a stale object.
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
	if !last.recorded && shown != nil && shown.Holder == n.ClaimOwner && attempt == last.attempt && shown.Tries == last.delivery.Tries {
		*shown = last.delivery
		return false
	}
	n.ended.Delete(o.GetUID())
	return false
}

// deliveriesOf returns the deliveries in the status of an object. For an Invitation, it also returns
// the attempt that they belong to.
func deliveriesOf(o client.Object) (all []accountsv1.Delivery, attempt int32) {
	switch o := o.(type) {
	case *accountsv1.Invitation:
		return o.Status.Deliveries, o.Status.Attempt.Number
	case *accountsv1.Account:
		return o.Status.Deliveries, 0
	}
	return nil, 0
}
