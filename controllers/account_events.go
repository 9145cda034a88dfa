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

// recordLeftEvent records events about the Memberships that the owner of the Account left.
func (r *accountReconciler) recordLeftEvent(ctx context.Context, a *accountsv1.Account, left []types.NamespacedName) error {
	for _, key := range left {
		r.Events.Eventf(a, nil, "Normal", accountsv1.ReasonLeft, "Leave", "The person left Membership %s", key)
		m, err := find(ctx, r, key, &accountsv1.Membership{})
		if err != nil {
			return err
		}
		if m != nil {
			r.Events.Eventf(m, a, "Normal", accountsv1.ReasonLeft, "Leave", "The person left: Account %s no longer holds this Membership", a.Name)
		}
	}
	return nil
}

// blockedMessage returns the message of condition RequestBlocked, or "" if no request is
// blocked.
func blockedMessage(a *accountsv1.Account) string {
	blocked := meta.FindStatusCondition(a.Status.Conditions, accountsv1.ConditionRequestBlocked)
	if blocked == nil {
		return ""
	}
	return blocked.Message
}

// recordBlockedEvent records on the annotated Membership that its request is blocked. The
// manager who made the request looks there.
func (r *accountReconciler) recordBlockedEvent(f account.Facts) {
	asked, reason := account.Blocked(f)
	if asked == nil {
		return
	}
	why := "is blocked: the person is an owner of another Organization. Only a cluster admin may request this, on the Account"
	switch reason {
	case accountsv1.ReasonResetLimited:
		why = "is delayed by up to an hour: the last link was mailed too recently"
	case accountsv1.ReasonUnlockLimited:
		why = "is delayed, or not carried out after an hour: managers unlocked the Account too recently or too often. " +
			"A cluster admin may request it on the Account at any time"
	}
	r.Events.Eventf(asked.Membership, f.Account, "Warning", reason, "Request", "%s %s", asked.Annotation, why)
}

// recordUnreadableEvent records, once for each value, that a requested time cannot be
// parsed.
func (r *accountReconciler) recordUnreadableEvent(f account.Facts) {
	for _, asked := range account.Unreadable(f) {
		var on client.Object = f.Account
		if asked.Membership != nil {
			on = asked.Membership
		}
		before, _ := r.reportedValues.Swap(string(on.GetUID())+asked.Annotation, asked.Value)
		if before != asked.Value {
			r.Events.Eventf(on, nil, "Warning", accountsv1.ReasonRequestInvalid, "Request",
				"The value of %s must be a time such as 2026-11-21T10:00:00Z", asked.Annotation)
		}
	}
}
