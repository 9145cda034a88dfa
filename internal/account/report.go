// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/condition"
	"github.com/usher-dev/usher/internal/membership"
)

// Report says where the Account stands, after what was asked for has been carried
// out. What the portal has written is taken over as it is; all else follows from
// the facts.
func Report(f Facts) accountsv1.AccountStatus {
	going := f.Account.DeletionTimestamp != nil
	if HalfMade(f.Account) && f.settling() && !going {
		return f.Account.Status
	}
	if f.inUse() {
		f = f.carriedOut()
	}
	status := *f.Account.Status.DeepCopy()
	generation := f.Account.Generation
	c := condition.New(f.Now, generation, status.Conditions)
	switch {
	case going:
		status.State = accountsv1.AccountDisabled
		message := "The Account is being deleted; its access is being withdrawn."
		c.Reconciling(accountsv1.ReasonDeleting, message)
		c.False(accountsv1.ConditionActive, accountsv1.ReasonDeleting, message)
	case Disabled(f.Account):
		status.State = accountsv1.AccountDisabled
		message := "Nobody signs in, and nothing is granted; set spec.state to Active to end that."
		c.Ready(accountsv1.ReasonDisabled, message)
		c.False(accountsv1.ConditionActive, accountsv1.ReasonDisabled, message)
	case HalfMade(f.Account):
		status.State = accountsv1.AccountPending
		message := "Somebody began to accept the invitation; the same link finishes it."
		c.Ready(accountsv1.ReasonAwaitingAcceptance, message)
		c.False(accountsv1.ConditionActive, accountsv1.ReasonNotAccepted, message)
	default:
		status.State = accountsv1.AccountActive
		if f.shut() {
			status.State = accountsv1.AccountLocked
		}
		message := "The Account belongs to the person who accepted the invitation."
		c.Ready(accountsv1.ReasonReconciled, message)
		c.True(accountsv1.ConditionActive, accountsv1.ReasonAccepted, message)
	}
	f.signInConditions(c)
	f.requestBlocked(c)
	status.ObservedGeneration = &generation
	status.Conditions = c.List()
	return status
}

// signInConditions tells how signing in goes.
func (f Facts) signInConditions(c *condition.Set) {
	if f.shut() {
		c.True(accountsv1.ConditionLocked, accountsv1.ReasonTooManyFailures,
			"Too many wrong passwords or codes were tried. It opens by itself, by a new password that the person asks for at the portal, "+
				"or by the annotation "+accountsv1.UnlockAnnotation+".")
	} else {
		c.False(accountsv1.ConditionLocked, accountsv1.ReasonNotLocked, "Wrong passwords or codes keep nobody from signing in.")
	}
	if f.Account.Status.TwoFactor == accountsv1.TwoFactorEnrolled {
		c.True(accountsv1.ConditionTwoFactorEnrolled, accountsv1.ReasonEnrolled, "Signing in takes a second factor, or a passkey.")
	} else {
		c.False(accountsv1.ConditionTwoFactorEnrolled, accountsv1.ReasonNotEnrolled,
			"There is no second factor; the person can set one up at the portal.")
	}
}

// requestBlocked tells about a request that is not carried out.
func (f Facts) requestBlocked(c *condition.Set) {
	a, reason := Blocked(f)
	if a == nil {
		return
	}
	why := "for what only a cluster admin may, because the person is an owner of another Organization: annotate the Account."
	if reason == accountsv1.ReasonResetLimited {
		why = "for another link too soon after the last. It is sent by itself, within an hour; a cluster admin who annotates the Account need not wait."
	}
	c.True(accountsv1.ConditionRequestBlocked, reason, fmt.Sprintf(
		"Membership %s/%s asks by %s %s", a.Membership.Namespace, a.Membership.Name, a.Annotation, why))
}

// carriedOut are the facts after what was asked for has been carried out, and
// after what is over has been left out of the status. Carried out again, they are
// the same.
func (f Facts) carriedOut() Facts {
	f.Account = f.Account.DeepCopy()
	status := &f.Account.Status
	if status.TwoFactor == "" {
		status.TwoFactor = f.recordedTwoFactor()
	}
	held := f.held()
	status.Leaving = slices.DeleteFunc(status.Leaving, func(m accountsv1.MembershipReference) bool {
		return !slices.ContainsFunc(held, func(h membership.Held) bool { return h.Namespace == string(m.Namespace) && h.Name == string(m.Name) })
	})
	active := meta.FindStatusCondition(status.Conditions, accountsv1.ConditionActive)
	if Disabled(f.Account) && (active == nil || active.Reason != accountsv1.ReasonDisabled) {
		EndSessions(&status.SignIn, metav1.NewTime(f.Now.UTC()).Rfc3339Copy())
	}
	if f.lock().Reached && Settled(status.SignIn, f.Now) {
		// By other limits it may not have been a lock any more.
		EndSessions(&status.SignIn, *status.SignIn.FailureTime)
	}
	f.answer()
	status.Deliveries = f.kept()
	return f
}

// recordedTwoFactor is what the annotation says that a restore brings back.
func (f Facts) recordedTwoFactor() accountsv1.TwoFactor {
	switch recorded := accountsv1.TwoFactor(f.Account.Annotations[accountsv1.TwoFactorAnnotation]); recorded {
	case accountsv1.TwoFactorEnrolled, accountsv1.TwoFactorNotEnrolled:
		return recorded
	}
	return ""
}

// shut tells whether what was counted keeps everybody from signing in with a
// password, and no request can be at the last try any more.
func (f Facts) shut() bool {
	return f.lock().Locked(f.Now) && Settled(f.Account.Status.SignIn, f.Now)
}

func (f Facts) lock() Lock { return LockOf(f.Account.Status.SignIn, f.limits()) }

func (f Facts) limits() Limits { return LimitsOf(f.Belongings) }
