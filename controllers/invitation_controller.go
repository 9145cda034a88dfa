// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
)

// InvitationReconciler mails invitations, ends them when their time is over,
// and makes the Membership that an Invitation applied by hand stands for.
type InvitationReconciler struct {
	client.Client
	// Live reads past the cache, before something is deleted.
	Live client.Reader
	// Clock tells the time.
	Clock clock.PassiveClock
	// Events records what happened to an Invitation.
	Events events.EventRecorder
	// Post mails.
	Post *Post
	// Workers is how many Invitations are worked on at a time.
	Workers int
}

var _ reconcile.Reconciler = (*InvitationReconciler)(nil)

// SetupWithManager makes the manager call Reconcile when something changes
// that decides about an Invitation.
func (r *InvitationReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&accountsv1.Invitation{}).
		Watches(&accountsv1.Membership{}, handler.EnqueueRequestsFromMapFunc(sameName)).
		Watches(&accountsv1.Account{}, handler.EnqueueRequestsFromMapFunc(theRecorded)).
		Watches(&accountsv1.Organization{}, handler.EnqueueRequestsFromMapFunc(r.ofOrganization)).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers}).
		Complete(r)
}

func (r *InvitationReconciler) ofOrganization(ctx context.Context, org client.Object) []reconcile.Request {
	return requests(ctx, r, &accountsv1.InvitationList{}, client.MatchingFields{byOrganization: org.GetName()})
}

// Reconcile brings one Invitation one step further.
func (r *InvitationReconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	inv, err := find(ctx, r, req.NamespacedName, &accountsv1.Invitation{})
	if err != nil || inv == nil {
		return ctrl.Result{}, err
	}
	status := track(r.Client, inv)
	if behind := r.Post.recall(inv); behind {
		return ctrl.Result{}, nil // the newer one is on its way
	}
	defer func() { result, err = status.finish(ctx, r.Clock.Now(), result, err) }()

	facts, err := r.observe(ctx, inv)
	if err != nil {
		return ctrl.Result{}, err
	}
	plan := invitation.Decide(facts)
	switch {
	case plan.Delete:
		return ctrl.Result{}, r.deleteOrphan(ctx, inv)
	case plan.CreateMembership:
		err = r.createMembership(ctx, inv)
	case plan.Claim != nil:
		err = r.mail(ctx, status, facts, *plan.Claim)
		plan = invitation.Decide(r.lookAgain(facts))
	}
	inv.Status = invitation.Report(r.lookAgain(facts))
	return ctrl.Result{RequeueAfter: plan.After}, err
}

func (r *InvitationReconciler) observe(ctx context.Context, inv *accountsv1.Invitation) (invitation.Facts, error) {
	var none invitation.Facts
	key := client.ObjectKeyFromObject(inv)
	org, homeTaken, err := findOrganization(ctx, r, inv.Spec.OrganizationRef.Name)
	if err != nil {
		return none, err
	}
	m, err := find(ctx, r, key, &accountsv1.Membership{})
	if err != nil {
		return none, err
	}
	account, err := findHolder(ctx, r, key, inv.Spec.Email)
	if err != nil {
		return none, err
	}
	gone, err := r.accepterGone(ctx, inv)
	if err != nil {
		return none, err
	}
	keyFault := ""
	keys, err := r.Post.Keys(ctx)
	if err != nil {
		keyFault = err.Error()
	}
	return invitation.Facts{
		Offer:        invitation.Offer{Invitation: inv, Organization: org, Membership: m, TakenUp: account != nil},
		Now:          r.Clock.Now(),
		AccepterGone: gone,
		HomeTaken:    homeTaken != "",
		Holder:       r.Post.Holder,
		SendDeadline: r.Post.Deadline,
		NewestKey:    keys.Newest(),
		KeyFault:     keyFault,
		MailDomain:   r.Post.domain(),
	}, nil
}

// accepterGone tells whether the Account that accepted is no more. The cache
// may not have it yet, so it is looked for past the cache before it is given up.
func (r *InvitationReconciler) accepterGone(ctx context.Context, inv *accountsv1.Invitation) (bool, error) {
	by := inv.Status.Acceptance.AccountRef
	if !inv.Status.Acceptance.Given() || invitation.IsHistory(inv) {
		return false, nil
	}
	for _, reader := range []client.Reader{r, r.Live} {
		a, err := find(ctx, reader, client.ObjectKey{Name: string(by.Name)}, &accountsv1.Account{})
		if err != nil {
			return false, err
		}
		if a != nil && string(a.UID) == by.UID {
			return false, nil
		}
	}
	return true, nil
}

// lookAgain is the same facts at the present time.
func (r *InvitationReconciler) lookAgain(f invitation.Facts) invitation.Facts {
	f.Now = r.Clock.Now()
	return f
}

// mail is claim → send → record. The claim goes to the API server before
// anything goes to the mail server; the record is the save at the end of the
// reconciliation, right after the mail server's answer.
func (r *InvitationReconciler) mail(ctx context.Context, status *tracker, f invitation.Facts, claim accountsv1.Delivery) error {
	inv := f.Invitation
	unclaimed := *inv.Status.DeepCopy()
	invitation.Begin(&inv.Status, claim, invitation.Validity(f.Organization))
	inv.Status = invitation.Report(f)
	if err := status.save(ctx); err != nil {
		// Not known to be claimed is not claimed.
		inv.Status = unclaimed
		return err
	}
	result, answer := r.Post.send(ctx, inv)
	invitation.End(&inv.Status.Delivery, result, answer, r.Clock.Now())
	r.Post.remember(inv, false)
	inv.Status = invitation.Report(r.lookAgain(f))
	if err := status.save(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	r.Post.remember(inv, true)
	r.tell(inv)
	return nil
}

// tell records an event about how a try ended, once the status says so too.
func (r *InvitationReconciler) tell(inv *accountsv1.Invitation) {
	switch inv.Status.Delivery.Result {
	case accountsv1.DeliverySent:
		r.Events.Eventf(inv, nil, "Normal", accountsv1.ReasonSent, "Mail", "Mailed the invitation to %s", inv.Spec.Email)
	case accountsv1.DeliveryRefused:
		r.Events.Eventf(inv, nil, "Warning", accountsv1.ReasonRefused, "Mail", "The mail server refused the invitation to %s", inv.Spec.Email)
	case accountsv1.DeliveryTemporaryFailure:
	}
}

// createMembership makes the Membership that an accepted Invitation applied by
// hand stands for. The Account takes it up by the acceptance.
func (r *InvitationReconciler) createMembership(ctx context.Context, inv *accountsv1.Invitation) error {
	m := &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:  inv.Namespace,
			Name:       inv.Name,
			Finalizers: []string{accountsv1.Finalizer},
		},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: inv.Spec.OrganizationRef,
			Email:           inv.Spec.Email,
			GivenName:       inv.Spec.GivenName,
			FamilyName:      inv.Spec.FamilyName,
			InvitedBy:       inv.Spec.InvitedBy,
			Role:            inv.Spec.Role,
		},
	}
	if err := r.Create(ctx, m); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}

// deleteOrphan deletes an Invitation whose Membership is gone, after it has
// made sure of that past the cache.
func (r *InvitationReconciler) deleteOrphan(ctx context.Context, inv *accountsv1.Invitation) error {
	m, err := find(ctx, r.Live, client.ObjectKeyFromObject(inv), &accountsv1.Membership{})
	if err != nil {
		return err
	}
	if m != nil && metav1.IsControlledBy(inv, m) {
		return nil
	}
	return client.IgnoreNotFound(r.Delete(ctx, inv, client.Preconditions{UID: &inv.UID}))
}
