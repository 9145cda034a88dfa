// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/notifier"
	"github.com/usher-dev/usher/internal/withheld"
)

// accountReconciler reconciles Accounts. It:
//
//   - records which Memberships an Account joins and leaves,
//   - carries out what was requested for the Account,
//   - mails its owner,
//   - discards Accounts whose creation was not completed,
//   - completes no Account whose user name is withheld, and
//   - withholds the user name of a deleted Account, and deletes its credentials.
type accountReconciler struct {
	client.Client
	// Live reads past the cache. It is used before something is deleted.
	Live client.Reader
	// Clock returns the current time.
	Clock clock.PassiveClock
	// Events records what happened to an Account, and to its Memberships.
	Events events.EventRecorder
	// Notifier sends mails.
	Notifier *notifier.Notifier
	// Namespace is Usher's own namespace, which contains the records of withheld user
	// names.
	Namespace string
	// Workers is how many Accounts are reconciled at a time.
	Workers int

	// reportedValues holds the unreadable annotation values that an event was recorded about, by
	// object and annotation.
	reportedValues sync.Map
}

var _ reconcile.Reconciler = (*accountReconciler)(nil)

// SetupWithManager adds the controller to the manager and watches everything that can
// change the outcome for an Account.
func (r *accountReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&accountsv1.Account{}).
		Watches(&accountsv1.Invitation{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForInvitation)).
		Watches(&accountsv1.Membership{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForMembership)).
		Watches(&accountsv1.Organization{}, enqueueAtLowPriority(r.enqueueForOrganization), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&accountsv1.Organization{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForOwners), onlyOwnerChanges()).
		Watches(&rbacv1.RoleBinding{}, enqueueForRemovedSubjects()).
		Watches(&rbacv1.ClusterRoleBinding{}, enqueueForRemovedSubjects()).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForReleasedName), onlyDeletions()).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers}).
		Complete(r)
}

// enqueueForInvitation enqueues the Account that accepted an Invitation, and the Accounts that
// were created through it.
func (r *accountReconciler) enqueueForInvitation(ctx context.Context, o client.Object) []reconcile.Request {
	inv := o.(*accountsv1.Invitation)
	found := requests(ctx, r, &accountsv1.AccountList{}, client.MatchingFields{byInvitation: string(inv.UID)})
	if inv.Status.Acceptance.Given() {
		found = append(found, requestsOf(types.NamespacedName{Name: string(inv.Status.Acceptance.AccountRef.Name)})...)
	}
	return found
}

// enqueueForMembership enqueues the Account that holds a Membership or is about to.
func (r *accountReconciler) enqueueForMembership(ctx context.Context, m client.Object) []reconcile.Request {
	key := client.ObjectKeyFromObject(m)
	found := requests(ctx, r, &accountsv1.AccountList{}, client.MatchingFields{byMembership: key.String()})
	if inv, err := find(ctx, r, key, &accountsv1.Invitation{}); err == nil && inv != nil {
		found = append(found, r.enqueueForInvitation(ctx, inv)...)
	}
	return found
}

// enqueueForOrganization enqueues the Accounts with a Membership in the home namespace of an
// Organization. The Organization decides about their locks and requests.
func (r *accountReconciler) enqueueForOrganization(ctx context.Context, o client.Object) []reconcile.Request {
	home := string(o.(*accountsv1.Organization).Spec.Namespace)
	return requests(ctx, r, &accountsv1.AccountList{}, client.MatchingFields{byNamespace: home})
}

// enqueueForOwners enqueues the Accounts of the owners of an Organization. A change of the list
// can release one of them.
func (r *accountReconciler) enqueueForOwners(ctx context.Context, o client.Object) []reconcile.Request {
	org := o.(*accountsv1.Organization)
	var found []reconcile.Request
	for _, owner := range org.Status.Owners {
		key := types.NamespacedName{Namespace: string(org.Spec.Namespace), Name: string(owner.Name)}
		found = append(found, requests(ctx, r, &accountsv1.AccountList{}, client.MatchingFields{byMembership: key.String()})...)
	}
	return found
}

// enqueueForReleasedName enqueues the Account whose user name is no longer withheld.
func (r *accountReconciler) enqueueForReleasedName(_ context.Context, record client.Object) []reconcile.Request {
	name, found := withheld.UserName(record.GetName())
	if !found || record.GetNamespace() != r.Namespace {
		return nil
	}
	return requestsOf(types.NamespacedName{Name: name})
}

// enqueueForRemovedSubjects enqueues the Accounts that a binding was for and no longer is, by its
// subjects and its label. An Account that is being deleted may have waited for that, and
// so may one whose user name is withheld.
func enqueueForRemovedSubjects() handler.EventHandler {
	of := func(o client.Object) []string {
		if o == nil {
			return nil
		}
		names := append(subjectsOf(o), nonEmpty(o.GetLabels()[accountsv1.AccountLabel])...)
		slices.Sort(names)
		return names
	}
	return onEveryChange(func(_ context.Context, q queue, c watchEvent) {
		for _, name := range withheld.Removed(of(c.before), of(c.after)) {
			q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
		}
	})
}

// Reconcile moves one Account one step towards its desired state.
func (r *accountReconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	a, err := find(ctx, r, req.NamespacedName, &accountsv1.Account{})
	if err != nil || a == nil {
		return ctrl.Result{}, err
	}
	status := track(r.Client, a)
	if stale := r.Notifier.RestoreEnd(a); stale {
		return ctrl.Result{}, nil // the newer object has its own event
	}
	var facts account.Facts
	blocked := blockedMessage(a)
	defer func() {
		result, err = status.finish(ctx, r.Clock.Now(), result, err)
		if status.isSaved() && blockedMessage(a) != blocked {
			r.recordBlockedEvent(facts)
		}
	}()

	facts, err = r.observe(ctx, a)
	if err != nil {
		return ctrl.Result{}, err
	}
	r.recordUnreadableEvent(facts)
	plan := account.Decide(facts)
	if err := r.act(ctx, a, plan); err != nil || plan.Discard || plan.RemoveFinalizer {
		return ctrl.Result{}, err
	}
	if plan.Claim != nil {
		by := deliverer{clock: r.Clock, notifier: r.Notifier}
		_, err = by.deliver(ctx, status, accountMessage{facts: facts, try: *plan.Claim, clock: r.Clock})
		facts.Now = r.Clock.Now()
		plan = account.Decide(facts)
	}
	a.Status = account.Report(facts)
	return ctrl.Result{RequeueAfter: plan.After}, err
}

// accountMessage is a mail about an Account.
type accountMessage struct {
	facts account.Facts
	try   account.Claim
	clock clock.PassiveClock
}

func (m accountMessage) object() objectWithConditions { return m.facts.Account }

// claim writes the claim together with the report of what was requested.
func (m accountMessage) claim() (undo func()) {
	a := m.facts.Account
	unclaimed := *a.Status.DeepCopy()
	a.Status = account.Report(m.facts)
	account.Begin(&a.Status, m.try)
	return func() { a.Status = unclaimed }
}

func (m accountMessage) report() {
	m.facts.Now = m.clock.Now()
	m.facts.Account.Status = account.Report(m.facts)
}

func (m accountMessage) deliveries() []accountsv1.Delivery { return m.facts.Account.Status.Deliveries }

func (m accountMessage) message() notifier.Message {
	var claimed accountsv1.Delivery
	if d := delivery.Find(m.deliveries(), m.try.Name); d != nil {
		claimed = *d
	}
	return notifier.Message{Delivery: claimed, Account: &m.facts}
}

func (r *accountReconciler) act(ctx context.Context, a *accountsv1.Account, plan account.Plan) error {
	switch {
	case plan.Annotates():
		return r.annotate(ctx, a, plan)
	case plan.Discard:
		return client.IgnoreNotFound(r.Delete(ctx, a, client.Preconditions{UID: &a.UID, ResourceVersion: &a.ResourceVersion}))
	case plan.RemoveFinalizer:
		return r.release(ctx, a, plan)
	}
	return nil
}

// release withholds the user name of a deleted Account, deletes its credentials, and then
// lets it go. It does nothing if the Account no longer exists and only the cache still has
// it: an admin may have released the name since, and the next Account may have it.
func (r *accountReconciler) release(ctx context.Context, a *accountsv1.Account, plan account.Plan) error {
	newest, err := find(ctx, r.Live, client.ObjectKeyFromObject(a), &accountsv1.Account{})
	if err != nil || newest == nil || newest.UID != a.UID {
		return err
	}
	if plan.RetireName {
		if err := applyConfigMap(ctx, r, withheld.Record(r.Namespace, a.Name, a.DeletionTimestamp.Time)); err != nil {
			return err
		}
	}
	credentials := &corev1.Secret{}
	credentials.Namespace, credentials.Name = accountsv1.CredentialsNamespace, account.SecretName(a.Name)
	if err := r.Delete(ctx, credentials); client.IgnoreNotFound(err) != nil {
		return err
	}
	controllerutil.RemoveFinalizer(a, accountsv1.Finalizer)
	return client.IgnoreNotFound(r.Update(ctx, a))
}

// annotate writes into annotations what must survive a restore.
func (r *accountReconciler) annotate(ctx context.Context, a *accountsv1.Account, plan account.Plan) error {
	if a.Annotations == nil {
		a.Annotations = map[string]string{}
	}
	if plan.Record != nil {
		a.Annotations[accountsv1.MembershipsAnnotation] = *plan.Record
	}
	if plan.TwoFactor != "" {
		a.Annotations[accountsv1.TwoFactorAnnotation] = string(plan.TwoFactor)
	}
	if plan.EmailVerified != "" {
		a.Annotations[accountsv1.EmailVerifiedAnnotation] = plan.EmailVerified
	}
	if err := r.Update(ctx, a); err != nil {
		return err
	}
	return r.recordLeftEvent(ctx, a, plan.Left)
}
