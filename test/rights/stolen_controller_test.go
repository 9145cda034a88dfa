// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
	issuerkeys "github.com/usher-dev/usher/internal/issuer/keys"
)

// The resources of attempts.
const (
	ofOrganizations = "organizations.accounts.usher.dev"
	ofMemberships   = "memberships.accounts.usher.dev"
	ofInvitations   = "invitations.accounts.usher.dev"
	ofAccounts      = "accounts.accounts.usher.dev"
	ofRoleBindings  = "rolebindings.rbac.authorization.k8s.io"
	ofClusterRoles  = "clusterroles.rbac.authorization.k8s.io"
)

// victims are the objects that a stolen token is used against.
type victims struct {
	org         *accountsv1.Organization
	member      *accountsv1.Membership
	invitation  *accountsv1.Invitation
	account     *accountsv1.Account
	credentials *corev1.Secret
	database    *corev1.Secret
	withheld    *corev1.ConfigMap
}

func theVictims(ctx context.Context, home string) victims {
	GinkgoHelper()
	v := victims{
		org: anOrganization(), member: theMemberOf(ctx, home, "developer"), invitation: anInvitation(ctx),
		account: anAcceptedAccount(ctx, twoFactor(accountsv1.TwoFactorEnrolled)),
	}
	v.org.Name, v.org.GenerateName = "", "acme-"
	v.credentials = aSecret(accountsv1.CredentialsNamespace, "account-"+v.account.Name, "accounts.usher.dev/password")
	v.database = aSecret(home, "database", "Opaque")
	v.database.Name, v.database.GenerateName = "", "database-"
	v.withheld = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, GenerateName: "user-name-"}}
	for _, o := range []client.Object{v.org, v.credentials, v.database, v.withheld} {
		Expect(admin.Create(ctx, o)).To(Succeed())
	}
	for _, secret := range []*corev1.Secret{
		aSecret(cluster.Namespace, "usher-link-keys", "accounts.usher.dev/link-keys"),
		aSecret(cluster.Namespace, "usher-reset-keys", "accounts.usher.dev/link-keys"),
		aSecret(cluster.Namespace, "usher-seed-keys", "accounts.usher.dev/seed-keys"),
		aSecret(cluster.Namespace, issuerkeys.SecretName, issuerkeys.SecretType),
		aSecret(cluster.Namespace, "usher-smtp", "Opaque"),
		aSecret(home, accountsv1.CredentialsName, "Opaque"),
	} {
		if err := admin.Create(ctx, secret); !apierrors.IsAlreadyExists(err) {
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(admin.Delete, secret)
		}
	}
	return v
}

// updates returns an attempt's request: a change of the newest version of an object.
func updates[T client.Object](c client.Client, o T, change func(T)) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		return updating(ctx, c, o, change)
	}
}

// patches is updates by a patch.
func patches[T client.Object](c client.Client, o T, change func(T)) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		return patchingWith(ctx, c, o, change)
	}
}

// reports is updates for the status.
func reports[T client.Object](c client.Client, o T, change func(T)) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		change(o)
		return c.Status().Update(ctx, o)
	}
}

// creates returns an attempt's request that creates an object.
func creates(c client.Client, o client.Object) func(context.Context) error {
	return func(ctx context.Context) error { return c.Create(ctx, o) }
}

func deletes(c client.Client, o client.Object) func(context.Context) error {
	return func(ctx context.Context) error { return c.Delete(ctx, o) }
}

func controllerAttempts(ctx context.Context, home string) []attempt {
	GinkgoHelper()
	v := theVictims(ctx, home)
	all := controllerObjectAttempts(v, home)
	all = append(all, controllerAccountAttempts(v)...)
	all = append(all, controllerBindingAttempts(ctx, home)...)
	all = append(all, append(controllerSecretAttempts(v, home), controllerConfigMapAttempts(home)...)...)
	return append(all, controllerOtherAttempts(home)...)
}

func controllerObjectAttempts(v victims, home string) []attempt {
	made := func(o client.Object, changes ...func(client.Object)) client.Object {
		for _, change := range changes {
			change(o)
		}
		return o
	}
	resets := annotated(accountsv1.ResetAnnotation, "2027-01-15T08:00:00Z")
	return []attempt{
		{"get,list,watch", ofOrganizations, "Read every Organization", false, readingAll(controller, &accountsv1.OrganizationList{}, v.org)},
		{"patch", ofOrganizations, "Replace the spec of an Organization", true, patches(controller, v.org, func(o *accountsv1.Organization) { o.Spec.Seats = 99 })},
		{"patch", ofOrganizations, "Release held mail by annotation", true, patches(controller, client.Object(v.org), annotated(accountsv1.ReleaseMailAnnotation, "2027-01-15T08:00:00Z"))},
		{"update", "organizations/finalizers.accounts.usher.dev", "Change the record of invited founders, so that Usher invites one again", false, patches(controller, client.Object(v.org), annotated(accountsv1.FoundersAnnotation, "mallory"))},
		{"update", "organizations/status.accounts.usher.dev", "Write any status of an Organization, such as its seats and owners", false, reports(controller, v.org, func(o *accountsv1.Organization) {
			o.Status.Owners = []accountsv1.OwnerStatus{{Name: "mallory", Role: "owner"}}
		})},
		{"get,list,watch", ofMemberships, "Read every Membership", false, readingAll(controller, &accountsv1.MembershipList{}, v.member)},
		{"create", ofMemberships, "Create a Membership with any role, whose person Usher then invites", false, creates(controller, aMemberOf(home, "boss"))},
		{"assign", "roles.accounts.usher.dev", "Create a Membership with a permission in addition to its role", false, creates(controller, aMemberOf(home, "boss", overrides(accountsv1.EffectAllow, "deploy")))},
		{"create", ofMemberships, "Create a Membership that requests a link for a new password", true, creates(controller, made(aMemberOf(home, "boss"), resets))},
		{"update", ofMemberships, "Replace the spec of a Membership", true, updates(controller, v.member, func(m *accountsv1.Membership) { m.Spec.Role = "boss" })},
		{"update", ofMemberships, "Request a link for a new password by annotation", true, updates(controller, client.Object(v.member), resets)},
		{"update", ofMemberships, "Label a Membership", true, updates(controller, v.member, func(m *accountsv1.Membership) { m.Labels = map[string]string{"team": "red"} })},
		{"update", "memberships/finalizers.accounts.usher.dev", "Add Usher's finalizer to a Membership", false, updates(controller, client.Object(v.member), finalized(accountsv1.Finalizer))},
		{"update", ofMemberships, "Keep a Membership with a finalizer that Usher never removes", true, updates(controller, client.Object(v.member), finalized(accountsv1.Finalizer, "example.com/hold"))},
		{"update", "memberships/status.accounts.usher.dev", "Write any status of a Membership", false, reports(controller, v.member, func(m *accountsv1.Membership) { m.Status.AccountRef.Name = "mallory" })},
		{"assign", "permissions.accounts.usher.dev", "Write the status of a Membership with overrides", false, reports(controller, v.member, func(m *accountsv1.Membership) { m.Status.AccountRef.Name = "john" })},
		{"delete", ofMemberships, "Delete a Membership", true, deletes(controller, v.member)},
		{"get,list,watch", ofInvitations, "Read every Invitation", false, readingAll(controller, &accountsv1.InvitationList{}, v.invitation)},
		{"create", ofInvitations, "Create an Invitation to any role", false, creates(controller, anInvitationTo(home, "boss"))},
		{"update", ofInvitations, "Record on an Invitation that it was mailed", false, updates(controller, client.Object(v.invitation), annotated(accountsv1.MailedAnnotation, "2027-01-15T08:00:00Z"))},
		{"update", "invitations/finalizers.accounts.usher.dev", "Change the owner of an Invitation", true, updates(controller, client.Object(v.invitation), ownedBy(metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"}))},
		{"update", "invitations/status.accounts.usher.dev", "Write any status of an Invitation, such as that an Account accepted it", false, reports(controller, v.invitation, func(i *accountsv1.Invitation) { accepted("mallory")(&i.Status) })},
		{"delete", ofInvitations, "Delete an Invitation", false, deletes(controller, v.invitation)},
	}
}

func controllerAccountAttempts(v victims) []attempt {
	const status = "accounts/status.accounts.usher.dev"
	incomplete := anAccount("abandoned")
	to := func(change accountChange) func(context.Context) error {
		return reports(controller, v.account, func(a *accountsv1.Account) { change(&a.Status) })
	}
	return []attempt{
		{"get,list,watch", ofAccounts, "Read every Account, with names and addresses", false, readingAll(controller, &accountsv1.AccountList{}, v.account)},
		{"update", ofAccounts, "Enable a disabled Account, or disable one", true, updates(controller, v.account, func(a *accountsv1.Account) { a.Spec.State = accountsv1.AccountSwitchDisabled })},
		{"update", ofAccounts, "Request a link for a new password by annotation on an Account", true, updates(controller, client.Object(v.account), annotated(accountsv1.ResetAnnotation, "2027-01-15T08:00:00Z"))},
		{"update", ofAccounts, "Forget that a person accepted with an Account", true, updates(controller, client.Object(v.account), annotated(accountsv1.MembershipsAnnotation, ""))},
		{"update", ofAccounts, "Record that an Account has no second factor", true, updates(controller, client.Object(v.account), annotated(accountsv1.TwoFactorAnnotation, "NotEnrolled"))},
		{"update", "accounts/finalizers.accounts.usher.dev", "Record that an Account holds any Membership for its own address, or no longer holds one", false, updates(controller, client.Object(v.account), annotated(accountsv1.MembershipsAnnotation, "acme/boss"))},
		{"update", "accounts/finalizers.accounts.usher.dev", "Record that the address of an Account is proved", false, updates(controller, client.Object(v.account), annotated(accountsv1.EmailVerifiedAnnotation, "2027-01-15T08:00:00Z"))},
		{"update", ofAccounts, "Change the record that the address of an Account is proved", true, updates(controller, client.Object(v.account), annotated(accountsv1.EmailVerifiedAnnotation, "2027-01-15T09:00:00Z"))},
		{"update", ofAccounts, "Remove the record that the address of an Account is proved", true, updates(controller, client.Object(v.account), annotated(accountsv1.EmailVerifiedAnnotation, ""))},
		{"delete", ofAccounts, "Delete an Account that a person accepted with", true, deletes(controller, v.account)},
		{"delete", ofAccounts, "Delete an Account that no person accepted with", false, func(ctx context.Context) error {
			if err := client.IgnoreAlreadyExists(admin.Create(ctx, incomplete)); err != nil {
				return err
			}
			return controller.Delete(ctx, incomplete)
		}},
		{"update", status, "Record a request for a link for a new password", true, to(func(s *accountsv1.AccountStatus) {
			s.ResetTimes = append([]metav1.Time{*after(1)}, s.ResetTimes...)
		})},
		{"update", status, "Record that an Account has no second factor", true, to(twoFactor(accountsv1.TwoFactorNotEnrolled))},
		{"update", status, "Revive ended sessions", true, to(func(s *accountsv1.AccountStatus) { s.SignIn.SessionsEndTime = nil })},
		{"update", status, "Make a person leave an Organization", true, to(leaving("acme/jane", "globex/jane-doe"))},
		{"update", status, "Record a request for a code that confirms an address", true, to(emailCodes(1, 0))},
		{"update", status, "Clear the count of wrong codes for an address", true, to(emailGuesses(0))},
		{"update", status, "Record in the status that a person confirmed their address", true, to(confirmed(&at))},
		{"update", status, "Approve a device for a person", true, to(approvals(1, 0))},
		{"update", status, "Record a change of the password", true, to(func(s *accountsv1.AccountStatus) { s.PasswordTime = after(1) })},
		{"update", status, "Clear the counts of wrong passwords and codes, and so the locks", false, to(func(s *accountsv1.AccountStatus) {
			s.SignIn = accountsv1.SignIn{SessionsEndTime: s.SignIn.SessionsEndTime}
		})},
		{"update", status, "Lock an Account, and end its sessions", false, to(func(s *accountsv1.AccountStatus) {
			s.SignIn = accountsv1.SignIn{Failures: 100, FailureTime: after(1), SessionsEndTime: after(1)}
		})},
		{"update", status, "Claim that a mail to a person was sent", false, to(func(s *accountsv1.AccountStatus) { s.Deliveries = nil })},
	}
}

func controllerBindingAttempts(ctx context.Context, home string) []attempt {
	GinkgoHelper()
	to := func(clusterRole, namespace string, subjects ...rbacv1.Subject) func(context.Context) error {
		return creates(controller, aBinding(clusterRole, func(b *rbacv1.RoleBinding) {
			b.Namespace, b.GenerateName, b.Subjects = namespace, "usher:acme:mallory:", subjects
		}))
	}
	mallory := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "usher:mallory"}
	group := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:authenticated"}
	itself := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: "usher-controller", Namespace: cluster.Namespace}
	excluded := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "excluded-", Labels: map[string]string{accountsv1.GrantsLabel: accountsv1.GrantsNever}}}
	Expect(admin.Create(ctx, excluded)).To(Succeed())
	ours, theirs := aBinding("view"), aBinding("view")
	ours.Namespace, theirs.Namespace, theirs.GenerateName = home, home, "theirs-"
	for _, b := range []*rbacv1.RoleBinding{ours, theirs} {
		Expect(admin.Create(ctx, b)).To(Succeed())
	}
	adding := func(b *rbacv1.RoleBinding) func(context.Context) error {
		return func(ctx context.Context) error {
			changed := b.DeepCopy()
			changed.Subjects = append(changed.Subjects, mallory)
			return controller.Patch(ctx, changed, client.MergeFrom(b))
		}
	}
	all := []attempt{
		{"get,list,watch", ofRoleBindings, "Read every RoleBinding", false, readingAll(controller, &rbacv1.RoleBindingList{}, ours)},
		{"get,list,watch", "clusterrolebindings.rbac.authorization.k8s.io", "Read every ClusterRoleBinding", false, readingAll(controller, &rbacv1.ClusterRoleBindingList{}, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "cluster-admin"}})},
		{"get,list,watch", ofClusterRoles, "Read every ClusterRole", false, readingAll(controller, &rbacv1.ClusterRoleList{}, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}})},
		{"create", ofRoleBindings, "Bind a group", true, to("view", home, group)},
		{"create", ofRoleBindings, "Bind its own service account", true, to("edit", home, itself)},
		{"create", ofRoleBindings, "Bind in Usher's own namespace", true, to("view", cluster.Namespace, mallory)},
		{"create", ofRoleBindings, "Bind among the credentials", true, to("view", accountsv1.CredentialsNamespace, mallory)},
		{"create", ofRoleBindings, "Bind in an excluded namespace", true, to("edit", excluded.Name, mallory)},
		{"create", ofRoleBindings, "Bind in a system namespace", true, to("view", metav1.NamespaceSystem, mallory)},
		{"create", "clusterrolebindings.rbac.authorization.k8s.io", "Bind in the whole cluster", true, creates(controller, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "usher:mallory"}, Subjects: []rbacv1.Subject{mallory},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		})},
		{"patch", ofRoleBindings, "Add a user with the prefix `usher:` to one of Usher's RoleBindings", false, adding(ours)},
		{"patch", ofRoleBindings, "Add a user to a RoleBinding of another writer", true, adding(theirs)},
		{"delete", ofRoleBindings, "Delete a RoleBinding of another writer", true, deletes(controller, theirs)},
		{"delete", ofRoleBindings, "Delete one of Usher's RoleBindings", false, deletes(controller, ours)},
	}
	for _, clusterRole := range []string{"usher-controller", "usher-portal", "usher-grantable", "cluster-admin", "admin", "system:basic-user"} {
		all = append(all, attempt{"create", ofRoleBindings, "Bind ClusterRole " + clusterRole, true, to(clusterRole, home, mallory)})
	}
	grantable := []string{"edit", "view", "usher-people-viewer", "usher-people-manager", "usher-organization-owner"}
	for _, clusterRole := range grantable {
		all = append(all, attempt{"create", ofRoleBindings, "Bind a ClusterRole of `usher-grantable` to any user with the prefix `usher:`, outside system namespaces, Usher's own and excluded ones", false, to(clusterRole, home, mallory)})
	}
	for _, clusterRole := range grantable {
		all = append(all, attempt{"bind", ofClusterRoles + " " + clusterRole, "Change ClusterRole " + clusterRole, true, updates(controller, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: clusterRole}}, func(r *rbacv1.ClusterRole) { r.Rules = nil })})
	}
	return all
}

func controllerSecretAttempts(v victims, home string) []attempt {
	token := aSecret(home, "mallory-link", string(corev1.SecretTypeServiceAccountToken))
	token.Annotations = map[string]string{corev1.ServiceAccountNameKey: "default"}
	ownToken := aSecret(cluster.Namespace, "account-mallory", string(corev1.SecretTypeServiceAccountToken))
	ownToken.Annotations = map[string]string{corev1.ServiceAccountNameKey: "usher-portal"}
	link := aSecret(home, "mallory-link", accountsv1.LinkSecretType)
	reads := func(o *corev1.Secret) func(context.Context) error {
		return func(ctx context.Context) error { return patching(ctx, o) }
	}
	gets := func(name string) func(context.Context) error {
		return func(ctx context.Context) error {
			return controller.Get(ctx, client.ObjectKey{Namespace: cluster.Namespace, Name: name}, &corev1.Secret{})
		}
	}
	return append(issuerKeyAttempts(home), []attempt{
		{"get,list,watch", "secrets usher-credentials", "Read the mail credentials of every tenant", false, readingNamed(controller, &corev1.SecretList{}, home, accountsv1.CredentialsName)},
		{"get,list,watch", "configmaps usher-mail-templates", "Read the mail templates of every tenant", false, readingNamed(controller, &corev1.ConfigMapList{}, home, accountsv1.MailTemplatesName)},
		{"get,list,watch", "secrets usher-link-keys", "Read the keys of invitations, and so derive every invitation link and code", false, gets("usher-link-keys")},
		{"get,list,watch", "secrets usher-reset-keys", "Read the keys of reset links, and so set the password of a person after a request that the portal recorded; the second factor stays", false, gets("usher-reset-keys")},
		{"get", "secrets", "Read the credentials of an Account", true, func(ctx context.Context) error {
			return controller.Get(ctx, client.ObjectKeyFromObject(v.credentials), v.credentials.DeepCopy())
		}},
		{"get", "secrets", "Read the keys of authenticator apps", true, gets("usher-seed-keys")},
		{"get", "secrets", "Read the password of the mail server", true, gets("usher-smtp")},
		{"list", "secrets", "List Secrets", true, func(ctx context.Context) error {
			return controller.List(ctx, &corev1.SecretList{}, client.InNamespace(cluster.Namespace))
		}},
		{"patch", "secrets", "Read the credentials of an Account in the response to a patch", true, reads(v.credentials)},
		{"patch", "secrets", "Read a Secret of a tenant in the response to a patch", true, reads(v.database)},
		{"patch", "secrets", "Change the keys of reset links", true, reads(aSecret(cluster.Namespace, "usher-reset-keys", ""))},
		{"create", "secrets", "Create a token of a service account of a tenant", true, creates(controller, token)},
		{"create", "secrets", "Create a token of the portal", true, creates(controller, ownToken)},
		{"create", "secrets", "Create credentials of an Account", true, creates(controller, aSecret(accountsv1.CredentialsNamespace, "account-forged", "accounts.usher.dev/password"))},
		{"create", "secrets", "Create a Secret of the type `accounts.usher.dev/link` whose name ends in `-link`", false, creates(controller, link)},
		{"patch", "secrets", "Read and change such a Secret", false, reads(link)},
		{"delete", "secrets", "Delete a Secret of a tenant", true, deletes(controller, v.database)},
		{"delete", "secrets", "Delete such a Secret", false, deletes(controller, link)},
		{"delete", "secrets", "Delete the credentials of any Account", false, deletes(controller, v.credentials)},
	}...)
}

// issuerKeyAttempts are about the keys of the issuer, which the controller rotates.
func issuerKeyAttempts(home string) []attempt {
	keys := aSecret(cluster.Namespace, issuerkeys.SecretName, issuerkeys.SecretType)
	named := "secrets " + keys.Name
	token := aSecret(cluster.Namespace, keys.Name, string(corev1.SecretTypeServiceAccountToken))
	token.Annotations = map[string]string{corev1.ServiceAccountNameKey: "usher-portal"}
	return []attempt{
		{"get", named, "Read the keys of the issuer, and so sign ID tokens of any person for any client", false, func(ctx context.Context) error {
			return controller.Get(ctx, client.ObjectKeyFromObject(keys), keys.DeepCopy())
		}},
		{"update", named, "Replace the keys of the issuer, and so end every sign-in to a client", false, updates(controller, keys.DeepCopy(), changedData)},
		{"patch", "secrets", "Replace the keys of the issuer with a patch", false, patches(controller, keys.DeepCopy(), changedData)},
		{"list", "secrets", "Watch the keys of the issuer", true, readingNamed(controller, &corev1.SecretList{}, keys.Namespace, keys.Name)},
		{"delete", "secrets", "Delete the keys of the issuer", true, deletes(controller, keys)},
		{"create", "secrets", "Create a token of the portal in place of the keys of the issuer", true, creates(controller, token)},
		{"create", "secrets", "Create keys of the issuer in another namespace", true, creates(controller, aSecret(home, keys.Name, issuerkeys.SecretType))},
		{"create", "secrets", "Create keys of the issuer with another name", true, creates(controller, aSecret(keys.Namespace, keys.Name+"-2", issuerkeys.SecretType))},
	}
}

// changedData replaces what a Secret keeps.
func changedData(s *corev1.Secret) { s.Data = map[string][]byte{"x": []byte("x")} }

// controllerConfigMapAttempts are about the records of withheld user names.
func controllerConfigMapAttempts(home string) []attempt {
	record := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Name: "user-name-mallory"}}
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Name: "mallory"}}
	templates := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: accountsv1.MailTemplatesName}}
	return []attempt{
		{"create", "configmaps", "Withhold any user name", false, creates(controller, record)},
		{"patch", "configmaps", "Change when a user name was withheld", false, func(ctx context.Context) error {
			return controller.Patch(ctx, record, client.RawPatch(types.MergePatchType, []byte(`{"data":{"retiredTime":"2020-01-01T00:00:00Z"}}`)))
		}},
		{"get,list,watch", "configmaps", "Read the ConfigMaps of Usher's own namespace", false, readingIn(controller, &corev1.ConfigMapList{}, record)},
		{"delete", "configmaps", "Release a withheld user name", false, deletes(controller, record)},
		{"create", "configmaps", "Create another ConfigMap in Usher's own namespace", true, creates(controller, settings)},
		{"create", "configmaps", "Create the mail templates of a tenant", true, creates(controller, templates)},
	}
}

func controllerOtherAttempts(home string) []attempt {
	event := func() *eventsv1.Event {
		return &eventsv1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "mallory-"}, EventTime: metav1.NowMicro(), ReportingController: "usher",
			ReportingInstance: "usher", Action: "Forge", Reason: "Forged", Type: "Normal",
		}
	}
	noted := event()
	policy := admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "usher-controller-secrets"}}
	binding := admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: policy.ObjectMeta}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Name: "usher-controller"}}
	const policies, bindings = "validatingadmissionpolicies.admissionregistration.k8s.io", "validatingadmissionpolicybindings.admissionregistration.k8s.io"
	return append([]attempt{
		{"get,list,watch", policies, "Read every admission policy", false, readingAll(controller, &admissionregistrationv1.ValidatingAdmissionPolicyList{}, policy.DeepCopy())},
		{"get,list,watch", bindings, "Read every binding of an admission policy", false, readingAll(controller, &admissionregistrationv1.ValidatingAdmissionPolicyBindingList{}, binding.DeepCopy())},
		{"update", policies, "Change an admission policy", true, updates(controller, policy.DeepCopy(), func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
			p.Labels = map[string]string{"x": "x"}
		})},
		{"delete", bindings, "Delete the binding of an admission policy", true, deletes(controller, binding.DeepCopy())},
		{"get,list,watch", "namespaces", "Read every namespace", false, readingAll(controller, &corev1.NamespaceList{}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}})},
		{"create", "namespaces", "Create namespaces", false, creates(controller, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "mallory-"}})},
		{"create", "events.events.k8s.io", "Write events, in every namespace", false, creates(controller, noted)},
		{"patch", "events.events.k8s.io", "Change events, in every namespace", false, func(ctx context.Context) error {
			changed := noted.DeepCopy()
			changed.Series = &eventsv1.EventSeries{Count: 7, LastObservedTime: metav1.NowMicro()}
			return controller.Patch(ctx, changed, client.MergeFrom(noted))
		}},
		{"create", "leases.coordination.k8s.io", "Create leases in Usher's own namespace", false, creates(controller, lease.DeepCopy())},
		{"get,update", "leases.coordination.k8s.io usher-controller", "Take the lease of the controllers, and so stop them", false, func(ctx context.Context) error {
			held := lease.DeepCopy()
			if err := controller.Get(ctx, client.ObjectKeyFromObject(held), held); err != nil {
				return err
			}
			return controller.Update(ctx, held)
		}},
	}, powersOf(controller, home)...)
}
