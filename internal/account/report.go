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

// Report returns the status of the Account after pending requests to unlock it have been
// carried out.
// Fields that the portal has written stay as they are. Everything else follows from the
// facts.
func Report(f Facts) accountsv1.AccountStatus {
	going := f.Account.DeletionTimestamp != nil
	if IsIncomplete(f.Account) && f.acceptanceInFlight() && !going && !f.nameWithheld() {
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
		message := "The Account is disabled: it cannot sign in and has no access. To enable it, set spec.state to Active."
		c.Ready(accountsv1.ReasonDisabled, message)
		c.False(accountsv1.ConditionActive, accountsv1.ReasonDisabled, message)
	case f.nameWithheld():
		status.State = accountsv1.AccountPending
		message := fmt.Sprintf("No new Account may have this user name, because of %s. To invite the person again, delete the Invitation. "+
			"To let them have the name, delete that object.", f.NameWithheld)
		c.Stalled(accountsv1.ReasonUserNameWithheld, message)
		c.False(accountsv1.ConditionActive, accountsv1.ReasonUserNameWithheld, message)
	case IsIncomplete(f.Account):
		status.State = accountsv1.AccountPending
		message := "The invited person started to accept the invitation. They can finish with the same link."
		c.Ready(accountsv1.ReasonAwaitingAcceptance, message)
		c.False(accountsv1.ConditionActive, accountsv1.ReasonNotAccepted, message)
	default:
		status.State = accountsv1.AccountActive
		if f.isLocked() {
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

// signInConditions sets the conditions about sign-in.
func (f Facts) signInConditions(c *condition.Set) {
	switch {
	case f.lock(FactorCode).Certain(f.Now):
		c.True(accountsv1.ConditionLocked, accountsv1.ReasonTooManyFailures,
			"Too many wrong codes of the second factor, after the right password. The lock ends by itself, or with the annotation "+
				accountsv1.UnlockAnnotation+". A new password does not end it. The member can sign in with a passkey.")
	case f.lock(FactorPassword).Certain(f.Now):
		c.True(accountsv1.ConditionLocked, accountsv1.ReasonTooManyFailures,
			"Too many wrong passwords. The lock ends by itself, when the member resets the password at the portal, "+
				"or with the annotation "+accountsv1.UnlockAnnotation+". Browsers that the member has signed in with before are not locked.")
	default:
		c.False(accountsv1.ConditionLocked, accountsv1.ReasonNotLocked, "The Account is not locked.")
	}
	if f.Account.Status.TwoFactor == accountsv1.TwoFactorEnrolled {
		c.True(accountsv1.ConditionTwoFactorEnrolled, accountsv1.ReasonEnrolled, "Signing in requires a second factor or a passkey.")
	} else {
		c.False(accountsv1.ConditionTwoFactorEnrolled, accountsv1.ReasonNotEnrolled,
			"The Account has no second factor. The member can set one up at the portal.")
	}
	if f.Account.EmailVerified() {
		c.True(accountsv1.ConditionEmailVerified, accountsv1.ReasonVerified, "The member receives mail at the address.")
	} else {
		c.False(accountsv1.ConditionEmailVerified, accountsv1.ReasonNotVerified,
			"It is not proved that the member receives mail at the address. The member can confirm it at the portal.")
	}
}

// requestBlocked sets the condition about a request that is not carried out.
func (f Facts) requestBlocked(c *condition.Set) {
	a, reason := Blocked(f)
	if a == nil {
		return
	}
	why := "the member is an owner of another Organization. Only a cluster admin can make this request, by annotating the Account."
	switch reason {
	case accountsv1.ReasonResetLimited:
		why = "it is too soon after the last link. Usher sends another link by itself, within an hour. A cluster admin who annotates the Account does not have to wait."
	case accountsv1.ReasonUnlockLimited:
		why = "it is too soon after the last unlock. Managers can unlock an Account once a minute, and 5 times in 24 hours. " +
			"Usher unlocks it by itself if that is possible within an hour. A cluster admin who annotates the Account does not have to wait."
	}
	c.True(accountsv1.ConditionRequestBlocked, reason, fmt.Sprintf(
		"Membership %s/%s has a blocked request by annotation %s: %s", a.Membership.Namespace, a.Membership.Name, a.Annotation, why))
}

// carriedOut returns the facts after pending requests have been carried out and outdated
// entries have been removed from the status. It is idempotent.
func (f Facts) carriedOut() Facts {
	f.Account = f.Account.DeepCopy()
	status := &f.Account.Status
	if status.TwoFactor == "" {
		status.TwoFactor = f.recordedTwoFactor()
	}
	held := f.heldMemberships()
	status.Leaving = slices.DeleteFunc(status.Leaving, func(m accountsv1.MembershipReference) bool {
		return !slices.ContainsFunc(held, func(h membership.RecordEntry) bool {
			return h.Namespace == string(m.Namespace) && h.Name == string(m.Name)
		})
	})
	active := meta.FindStatusCondition(status.Conditions, accountsv1.ConditionActive)
	if Disabled(f.Account) && (active == nil || active.Reason != accountsv1.ReasonDisabled) {
		EndSessions(&status.SignIn, metav1.NewTime(f.Now.UTC()).Rfc3339Copy())
	}
	f.open()
	status.Deliveries = f.kept()
	return f
}

// recordedTwoFactor returns the value of the annotation, which a restore brings back.
func (f Facts) recordedTwoFactor() accountsv1.TwoFactor {
	switch recorded := accountsv1.TwoFactor(f.Account.Annotations[accountsv1.TwoFactorAnnotation]); recorded {
	case accountsv1.TwoFactorEnrolled, accountsv1.TwoFactorNotEnrolled:
		return recorded
	}
	return ""
}

// lock returns the lock for a factor.
func (f Facts) lock(factor Factor) Lock {
	return LockOf(f.Account.Status.SignIn, factor, f.limits())
}

func (f Facts) limits() Limits { return LimitsOf(f.Belongings) }

// closedLocks returns the locks that are closed now, certainly or not.
func (f Facts) closedLocks() []Lock {
	var closed []Lock
	for _, factor := range factors {
		if lock := f.lock(factor); lock.Locked(f.Now) {
			closed = append(closed, lock)
		}
	}
	return closed
}

// isLocked reports whether a lock is certainly closed.
func (f Facts) isLocked() bool {
	return slices.ContainsFunc(f.closedLocks(), func(l Lock) bool { return l.Certain(f.Now) })
}
