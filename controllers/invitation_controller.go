// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/notifier"
)

// invitationReconciler reconciles Invitations. It:
//
//   - sends invitations to people,
//   - expires them on time,
//   - creates the Membership for an accepted Invitation that was applied manually, and
//   - notifies the people concerned about an answer.
type invitationReconciler struct {
	client.Client
	// Live reads past the cache. It is used before something is deleted.
	Live client.Reader
	// Clock returns the current time.
	Clock clock.PassiveClock
	// Events records what happened to an Invitation.
	Events events.EventRecorder
	// Notifier sends messages.
	Notifier *notifier.Notifier
	// ClusterRoles inspects the ClusterRoles of the catalogue.
	ClusterRoles *ClusterRoles
	// Policies checks whether Usher's policies are in force.
	Policies *Policies
	// Workers is how many Invitations are reconciled at a time.
	Workers int

	// lanes keep some of the workers free.
	lanes notifier.Lanes
}

var _ reconcile.Reconciler = (*invitationReconciler)(nil)

// SetupWithManager adds the controller to the manager and watches everything that can
// change the outcome for an Invitation.
func (r *invitationReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.lanes.MaxWorkers = max(1, r.Workers-1)
	return ctrl.NewControllerManagedBy(mgr).
		For(&accountsv1.Invitation{}).
		Watches(&accountsv1.Invitation{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForSameAddress)).
		Watches(&accountsv1.Membership{}, handler.EnqueueRequestsFromMapFunc(enqueueForSameName)).
		Watches(&accountsv1.Membership{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForSameAddress)).
		Watches(&accountsv1.Account{}, handler.EnqueueRequestsFromMapFunc(enqueueForAccountRecord)).
		Watches(&accountsv1.Account{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForAccountAddress)).
		Watches(&accountsv1.Account{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForAcceptance)).
		Watches(&accountsv1.Organization{}, enqueueForOrganization(r, func() client.ObjectList { return &accountsv1.InvitationList{} })).
		WatchesRawSource(source.Func(r.enqueueForFreeLane)).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers}).
		Complete(r)
}

// enqueueForFreeLane requeues Invitations when the lane of their message becomes free.
func (r *invitationReconciler) enqueueForFreeLane(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	r.lanes.Wake = queue.Add
	return nil
}

// enqueueForSameAddress enqueues the other Invitations to the same address in the Organization.
func (r *invitationReconciler) enqueueForSameAddress(ctx context.Context, o client.Object) []reconcile.Request {
	var key string
	switch o := o.(type) {
	case *accountsv1.Invitation:
		key = invitedKey(o.Spec.OrganizationRef, o.Spec.Email)
	case *accountsv1.Membership:
		key = invitedKey(o.Spec.OrganizationRef, o.Spec.Email)
	}
	return slices.DeleteFunc(
		requests(ctx, r, &accountsv1.InvitationList{}, client.MatchingFields{byInvited: key}),
		func(other reconcile.Request) bool { return other.Name == o.GetName() })
}

// enqueueForAccountAddress enqueues the Invitations to the address of an Account.
func (r *invitationReconciler) enqueueForAccountAddress(ctx context.Context, o client.Object) []reconcile.Request {
	key := address.Key(string(o.(*accountsv1.Account).Spec.Email))
	return requests(ctx, r, &accountsv1.InvitationList{}, client.MatchingFields{byAddress: key})
}

// enqueueForAcceptance enqueues the Invitations that an Account accepted. The Organizations it has
// joined since then decide about the acceptances that have not been carried out.
func (r *invitationReconciler) enqueueForAcceptance(ctx context.Context, account client.Object) []reconcile.Request {
	return requests(ctx, r, &accountsv1.InvitationList{}, client.MatchingFields{byAccount: string(account.GetUID())})
}

// Reconcile moves one Invitation one step towards its desired state.
func (r *invitationReconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	inv, err := find(ctx, r, req.NamespacedName, &accountsv1.Invitation{})
	if err != nil || inv == nil {
		return ctrl.Result{}, err
	}
	status := track(r.Client, inv)
	if stale := r.Notifier.RestoreEnd(inv); stale {
		return ctrl.Result{}, nil // the newer object has its own event
	}
	before := inv.Status
	defer func() {
		if result, err = status.finish(ctx, r.Clock.Now(), result, err); status.isSaved() {
			r.recordAnswerEvent(before, inv)
			r.recordCodeEvent(before, inv)
		}
	}()

	facts, err := r.observe(ctx, inv)
	if err != nil {
		return ctrl.Result{}, err
	}
	plan := invitation.Decide(facts)
	switch {
	case plan.Delete:
		return ctrl.Result{}, r.deleteOrphan(ctx, inv)
	case plan.Mark:
		return ctrl.Result{}, r.recordMailed(ctx, inv)
	case plan.CreateMembership:
		err = r.createMembership(ctx, inv)
	case plan.Withdraw != nil:
		err = r.deleteLinkSecret(ctx, inv, *plan.Withdraw)
	case plan.Claim != nil:
		var busy bool
		busy, err = r.deliver(ctx, status, facts, *plan.Claim)
		plan = invitation.Decide(r.asOfNow(facts))
		if busy {
			plan = invitation.AwaitLane(plan)
		}
	}
	inv.Status = invitation.Report(r.asOfNow(facts))
	return ctrl.Result{RequeueAfter: plan.After}, err
}

// asOfNow returns the same facts as of now.
func (r *invitationReconciler) asOfNow(f invitation.Facts) invitation.Facts {
	f.Now = r.Clock.Now()
	return f
}

// invitationMessage is a message about an Invitation.
type invitationMessage struct {
	facts invitation.Facts
	try   invitation.Claim
	clock clock.PassiveClock
}

func (m invitationMessage) object() objectWithConditions { return m.facts.Invitation }

func (m invitationMessage) claim() (undo func()) {
	inv := m.facts.Invitation
	unclaimed := *inv.Status.DeepCopy()
	invitation.Begin(&inv.Status, m.try)
	inv.Status = invitation.Report(m.facts)
	return func() { inv.Status = unclaimed }
}

func (m invitationMessage) report() {
	m.facts.Now = m.clock.Now()
	m.facts.Invitation.Status = invitation.Report(m.facts)
}

func (m invitationMessage) deliveries() []accountsv1.Delivery {
	return m.facts.Invitation.Status.Deliveries
}

func (m invitationMessage) message() notifier.Message {
	return notifier.Message{Delivery: invitation.Delivery(m.facts.Invitation, m.try.Name), Invitation: &m.facts}
}

// deliver makes the next try of a message, and records an event about a link that was
// sent.
func (r *invitationReconciler) deliver(ctx context.Context, status *tracker, f invitation.Facts, claim invitation.Claim) (busy bool, err error) {
	release, reserved := r.Notifier.Reserve(f.Organization, f.Invitation, claim)
	if !reserved {
		return true, nil
	}
	defer func() {
		if busy || !claim.IsIn(f.Invitation) {
			release()
		}
	}()
	by := deliverer{clock: r.Clock, notifier: r.Notifier, lanes: &r.lanes}
	busy, err = by.deliver(ctx, status, invitationMessage{facts: f, try: claim, clock: r.Clock})
	if err == nil && !busy {
		r.recordDeliveryEvent(f.Invitation, claim.Name)
	}
	return busy, err
}

// deleteLinkSecret deletes the Secret with a link that no longer works.
func (r *invitationReconciler) deleteLinkSecret(ctx context.Context, inv *accountsv1.Invitation, d accountsv1.Delivery) error {
	if err := r.Notifier.Withdraw(ctx, inv, d); err != nil {
		return err
	}
	notifier.Media().End(inv.Status.Deliveries, d.Name, accountsv1.DeliveryWithdrawn, "", r.Clock.Now())
	return nil
}

// recordMailed annotates the Invitation as mailed, because annotations survive a restore.
func (r *invitationReconciler) recordMailed(ctx context.Context, inv *accountsv1.Invitation) error {
	marked := inv.DeepCopy()
	if marked.Annotations == nil {
		marked.Annotations = map[string]string{}
	}
	marked.Annotations[accountsv1.MailedAnnotation] = inv.Status.Attempt.ClaimTime.UTC().Format(time.RFC3339)
	return r.Update(ctx, marked)
}

// recordDeliveryEvent records an event about the result of sending the link, once the
// status has it too.
func (r *invitationReconciler) recordDeliveryEvent(inv *accountsv1.Invitation, name string) {
	d := invitation.Delivery(inv, name)
	if d.Purpose != accountsv1.PurposeInvitation {
		return
	}
	switch d.Result {
	case accountsv1.DeliverySent:
		if notifier.Media().MayNotResend(d) {
			r.Events.Eventf(inv, nil, "Warning", accountsv1.ReasonUnconfirmed, "Deliver",
				"%s to %s: sent, but never confirmed. If it did not arrive, send it again", d.Medium, d.Recipient)
			return
		}
		r.Events.Eventf(inv, nil, "Normal", accountsv1.ReasonSent, "Deliver", "%s to %s: sent", d.Medium, d.Recipient)
	case accountsv1.DeliveryRefused:
		r.Events.Eventf(inv, nil, "Warning", accountsv1.ReasonRefused, "Deliver", "%s to %s: refused permanently", d.Medium, d.Recipient)
	case accountsv1.DeliveryTemporaryFailure, accountsv1.DeliveryWithdrawn:
	}
}

// recordCodeEvent records an event about a requested code that is held, because the condition
// lasts only as long as the code.
func (r *invitationReconciler) recordCodeEvent(before accountsv1.InvitationStatus, inv *accountsv1.Invitation) {
	blocked := meta.FindStatusCondition(inv.Status.Conditions, accountsv1.ConditionCodeBlocked)
	if blocked != nil && meta.FindStatusCondition(before.Conditions, accountsv1.ConditionCodeBlocked) == nil {
		r.Events.Eventf(inv, nil, "Warning", accountsv1.ConditionCodeBlocked, "Deliver", "%s", notifier.Answer(blocked.Message))
	}
}

// recordAnswerEvent records an event about how an Invitation ended.
func (r *invitationReconciler) recordAnswerEvent(before accountsv1.InvitationStatus, inv *accountsv1.Invitation) {
	ready := meta.FindStatusCondition(inv.Status.Conditions, accountsv1.ConditionReady)
	if ready == nil || inv.Status.State == before.State {
		return
	}
	switch inv.Status.State {
	case accountsv1.InvitationActive, accountsv1.InvitationDeclined, accountsv1.InvitationExpired:
		r.Events.Eventf(inv, nil, "Normal", ready.Reason, "Answer", "%s", notifier.Answer(ready.Message))
	case accountsv1.InvitationFailed:
		r.Events.Eventf(inv, nil, "Warning", ready.Reason, "Report", "%s", notifier.Answer(ready.Message))
	case accountsv1.InvitationSending, accountsv1.InvitationPending:
	}
}

// createMembership creates the Membership for an accepted Invitation that was applied
// manually. Because of the acceptance, the Account then holds the Membership.
func (r *invitationReconciler) createMembership(ctx context.Context, inv *accountsv1.Invitation) error {
	m := &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: inv.Namespace,
			Name:      inv.Name,
		},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: inv.Spec.OrganizationRef,
			Email:           inv.Spec.Email,
			GivenName:       inv.Spec.GivenName,
			FamilyName:      inv.Spec.FamilyName,
			InvitedBy:       inv.Spec.InvitedBy,
			Role:            inv.Spec.Role,
			InvitationTerms: *inv.Spec.InvitationTerms.DeepCopy(),
		},
	}
	if err := r.Create(ctx, m); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}

// deleteOrphan deletes an Invitation whose Membership was deleted. It first confirms that
// past the cache.
func (r *invitationReconciler) deleteOrphan(ctx context.Context, inv *accountsv1.Invitation) error {
	m, err := find(ctx, r.Live, client.ObjectKeyFromObject(inv), &accountsv1.Membership{})
	if err != nil {
		return err
	}
	if m != nil && metav1.IsControlledBy(inv, m) {
		return nil
	}
	return client.IgnoreNotFound(r.Delete(ctx, inv, client.Preconditions{UID: &inv.UID}))
}
