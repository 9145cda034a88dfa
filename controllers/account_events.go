// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
)

// recordLeftEvent records events about the Memberships that the person gave up.
func (r *accountReconciler) recordLeftEvent(ctx context.Context, a *accountsv1.Account, left []types.NamespacedName) error {
	for _, key := range left {
		r.Events.Eventf(a, nil, "Normal", accountsv1.ReasonLeft, "Leave", "The person gave Membership %s up", key)
		m, err := find(ctx, r, key, &accountsv1.Membership{})
		if err != nil {
			return err
		}
		if m != nil {
			r.Events.Eventf(m, a, "Normal", accountsv1.ReasonLeft, "Leave", "The person left: Account %s does not hold it any more", a.Name)
		}
	}
	return nil
}

// blockedMessage is what the status says about a request that is not carried out.
func blockedMessage(a *accountsv1.Account) string {
	blocked := meta.FindStatusCondition(a.Status.Conditions, accountsv1.ConditionRequestBlocked)
	if blocked == nil {
		return ""
	}
	return blocked.Message
}

// recordBlockedEvent records, where those look who asked, that they may not ask for it.
func (r *accountReconciler) recordBlockedEvent(f account.Facts) {
	asked, reason := account.Blocked(f)
	if asked == nil {
		return
	}
	why := "is not carried out: the person is an owner of another Organization, and only a cluster admin may annotate the Account"
	if reason == accountsv1.ReasonResetLimited {
		why = "waits, for an hour at most: the person was mailed the last link too short a while ago"
	}
	r.Events.Eventf(asked.Membership, f.Account, "Warning", reason, "Request", "%s %s", asked.Annotation, why)
}

// recordUnreadableEvent records, once for each value, that a request is no time.
func (r *accountReconciler) recordUnreadableEvent(f account.Facts) {
	for _, asked := range account.Unreadable(f) {
		var on client.Object = f.Account
		if asked.Membership != nil {
			on = asked.Membership
		}
		before, _ := r.told.Swap(string(on.GetUID())+asked.Annotation, asked.Value)
		if before != asked.Value {
			r.Events.Eventf(on, nil, "Warning", accountsv1.ReasonRequestInvalid, "Request",
				"The value of %s must be a time such as 2026-11-21T10:00:00Z", asked.Annotation)
		}
	}
}
