// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
	issuerkeys "github.com/usher-dev/usher/internal/issuer/keys"
)

// powersOf are attempts that lead to all rights, and for which no service account of
// Usher may have a right.
func powersOf(c client.WithWatch, home string) []attempt {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Name: "mallory"}, Spec: corev1.PodSpec{
		ServiceAccountName: "usher-controller", Containers: []corev1.Container{{Name: "x", Image: "x"}},
	}}
	tokenOf := func(namespace, name string) func(context.Context) error {
		return func(ctx context.Context) error {
			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
			return c.SubResource("token").Create(ctx, account, &authenticationv1.TokenRequest{})
		}
	}
	return []attempt{
		{"create", "pods", "Run a pod with another service account", true, creates(c, pod)},
		{"create", "serviceaccounts/token", "Request a token of the controller", true, tokenOf(cluster.Namespace, "usher-controller")},
		{"create", "serviceaccounts/token", "Request a token of a tenant's service account", true, tokenOf(home, "default")},
		{"create", "clusterroles.rbac.authorization.k8s.io", "Create a ClusterRole", true, creates(c, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "mallory"}})},
		{"update", "clusterroles.rbac.authorization.k8s.io", "Make more ClusterRoles grantable", true, updates(c, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "usher-grantable"}}, func(r *rbacv1.ClusterRole) {
			r.Rules[0].ResourceNames = append(r.Rules[0].ResourceNames, "cluster-admin")
		})},
		{"create", "roles.rbac.authorization.k8s.io", "Create a Role", true, creates(c, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "mallory"}})},
		{"create", "organizations.accounts.usher.dev", "Create an Organization", true, creates(c, anOrganization())},
		{"create", "certificatesigningrequests.certificates.k8s.io", "Read another namespace's Secrets", true, func(ctx context.Context) error {
			return c.List(ctx, &corev1.SecretList{})
		}},
	}
}

func portalAttempts(ctx context.Context, home string) []attempt {
	GinkgoHelper()
	v := theVictims(ctx, home)
	all := append(portalObjectAttempts(ctx, v, home), portalAccountAttempts(v)...)
	return append(append(all, portalSecretAttempts(v, home)...), powersOf(portal, home)...)
}

func portalObjectAttempts(ctx context.Context, v victims, home string) []attempt {
	const status = "invitations/status.accounts.usher.dev"
	mine, another := v.invitation, anInvitation(ctx)
	answers := func(inv *accountsv1.Invitation, change func(*accountsv1.InvitationStatus)) func(context.Context) error {
		return reports(portal, inv, func(i *accountsv1.Invitation) { change(&i.Status) })
	}
	return []attempt{
		{"get,list,watch", ofOrganizations, "Read every Organization", false, readingAll(portal, &accountsv1.OrganizationList{}, v.org)},
		{"get,list,watch", ofMemberships, "Read every Membership", false, readingAll(portal, &accountsv1.MembershipList{}, v.member)},
		{"get,list,watch", ofInvitations, "Read every Invitation", false, readingAll(portal, &accountsv1.InvitationList{}, v.invitation)},
		{"get,list,watch", ofAccounts, "Read every Account, with names and addresses", false, readingAll(portal, &accountsv1.AccountList{}, v.account)},
		{"create", ofMemberships, "Create a Membership", true, creates(portal, aMemberOf(home, "boss"))},
		{"update", ofMemberships, "Change a Membership", true, updates(portal, v.member, func(m *accountsv1.Membership) { m.Spec.Role = "boss" })},
		{"update", "memberships/status.accounts.usher.dev", "Write the status of a Membership", true, reports(portal, v.member.DeepCopy(), func(m *accountsv1.Membership) { m.Status.AccountRef.Name = "mallory" })},
		{"create", ofInvitations, "Create an Invitation", true, creates(portal, anInvitationTo(home, "boss"))},
		{"create", ofRoleBindings, "Bind a ClusterRole", true, creates(portal, aBinding("view"))},
		{"update", status, "Restart the time in which an Invitation is open", true, answers(mine.DeepCopy(), func(s *accountsv1.InvitationStatus) { s.ExpirationTime = after(99) })},
		{"update", status, "Clear the count of guessed codes", true, answers(anInvitation(ctx, guessed(3)), guessed(0))},
		{"update", status, "Accept an open Invitation with any Account", false, answers(mine, accepted("mallory"))},
		{"update", status, "Accept an Invitation that was accepted", true, answers(mine, accepted("john"))},
		{"answer", ofInvitations, "Decline an open Invitation", false, answers(another, declined)},
	}
}

func portalAccountAttempts(v victims) []attempt {
	const status = "accounts/status.accounts.usher.dev"
	made := func(changes ...func(client.Object)) *accountsv1.Account {
		a := anAccount("")
		a.GenerateName = "mallory-"
		for _, change := range changes {
			change(a)
		}
		return a
	}
	to := func(change accountChange) func(context.Context) error {
		return reports(portal, v.account, func(a *accountsv1.Account) { change(&a.Status) })
	}
	return []attempt{
		{"create", ofAccounts, "Create Accounts that hold no Membership", false, creates(portal, made())},
		{"create", ofAccounts, "Create an Account that holds a Membership", true, creates(portal, made(annotated(accountsv1.MembershipsAnnotation, "acme/boss")))},
		{"update", ofAccounts, "Record that an Account holds a Membership", true, updates(portal, client.Object(v.account), annotated(accountsv1.MembershipsAnnotation, "acme/boss"))},
		{"create", ofAccounts, "Create an Account whose address is recorded as proved", true, creates(portal, made(annotated(accountsv1.EmailVerifiedAnnotation, "2027-01-15T08:00:00Z")))},
		{"update", ofAccounts, "Write the record that the address of an Account is proved", true, updates(portal, client.Object(v.account), annotated(accountsv1.EmailVerifiedAnnotation, "2027-01-15T08:00:00Z"))},
		{"delete", ofAccounts, "Delete an Account", true, deletes(portal, v.account)},
		{"update", status, "Write a condition of an Account", true, to(func(s *accountsv1.AccountStatus) { s.Conditions[0].Reason = "Forged" })},
		{"update", status, "Change the recipient of a mail", true, to(func(s *accountsv1.AccountStatus) { s.Deliveries[0].Recipient = "mallory@example.org" })},
		{"update", status, "Forget requests for a link for a new password, and so their limit", true, to(func(s *accountsv1.AccountStatus) { s.ResetTimes = nil })},
		{"update", status, "Forget requests for a code that confirms an address, and so their limit", true, to(emailCodes())},
		{"update", status, "Clear the count of wrong codes for an address", true, to(emailGuesses(0))},
		{"update", status, "Record that a person confirmed their address", false, to(confirmed(&at))},
		{"update", status, "Change the time at which a person confirmed their address", true, to(confirmed(after(1)))},
		{"update", status, "Forget that a person confirmed their address", true, to(confirmed(nil))},
		{"update", status, "Revive ended sessions", true, to(func(s *accountsv1.AccountStatus) { s.SignIn.SessionsEndTime = nil })},
		{"update", status, "Make a person leave an Organization", false, to(leaving("acme/jane", "globex/jane-doe"))},
		{"update", status, "Approve a device for a person, which works only with a living session of that person", false, to(approvals(1, 0))},
		{"update", status, "Record a request for a mail to a person", false, to(resets(1, 0))},
		{"update", status, "Record that an Account has no second factor", false, to(twoFactor(accountsv1.TwoFactorNotEnrolled))},
		{"update", status, "End the sessions of an Account", true, to(func(s *accountsv1.AccountStatus) { s.SignIn.SessionsEndTime = after(24 * 365) })},
		{"update", status, "Lock an Account, with a time in the future", false, to(func(s *accountsv1.AccountStatus) {
			s.SignIn.Failures, s.SignIn.FailureTime = s.SignIn.Failures+1, after(24*365)
		})},
	}
}

func portalSecretAttempts(v victims, home string) []attempt {
	token := aSecret(cluster.Namespace, "account-mallory", string(corev1.SecretTypeServiceAccountToken))
	token.Annotations = map[string]string{corev1.ServiceAccountNameKey: "usher-controller"}
	gets := func(namespace, name string) func(context.Context) error {
		return func(ctx context.Context) error {
			return portal.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &corev1.Secret{})
		}
	}
	keys := aSecret(cluster.Namespace, "usher-reset-keys", "")
	issuer := aSecret(cluster.Namespace, issuerkeys.SecretName, issuerkeys.SecretType)
	return []attempt{
		{"get", "secrets", "Read the credentials of any Account", false, gets(accountsv1.CredentialsNamespace, v.credentials.Name)},
		{"get", "secrets usher-reset-keys", "Read the keys of reset links, and so derive the link of any recorded request", false, gets(cluster.Namespace, "usher-reset-keys")},
		{"get", "secrets usher-seed-keys", "Read the keys of authenticator apps", false, gets(cluster.Namespace, "usher-seed-keys")},
		{"get", "secrets " + issuer.Name, "Read the keys of the issuer, and so sign ID tokens of any person for any client", false, gets(issuer.Namespace, issuer.Name)},
		{"list", "secrets", "Watch the keys of the issuer", true, readingNamed(portal, &corev1.SecretList{}, issuer.Namespace, issuer.Name)},
		{"create", "secrets", "Create keys of the issuer", true, creates(portal, issuer.DeepCopy())},
		{"update", "secrets", "Change the keys of the issuer", true, updates(portal, issuer.DeepCopy(), changedData)},
		{"patch", "secrets", "Change the keys of the issuer with a patch", true, patches(portal, issuer.DeepCopy(), changedData)},
		{"delete", "secrets", "Delete the keys of the issuer", true, deletes(portal, issuer)},
		{"get", "secrets", "Read the password of the mail server", true, gets(cluster.Namespace, "usher-smtp")},
		{"get,list,watch", "configmaps", "Read the ConfigMaps of Usher's own namespace, such as the withheld user names", false, readingIn(portal, &corev1.ConfigMapList{}, v.withheld)},
		{"list,watch", "secrets usher-link-keys", "Watch the keys of invitations", false, readingNamed(portal, &corev1.SecretList{}, cluster.Namespace, "usher-link-keys")},
		{"list", "secrets", "List Secrets", true, func(ctx context.Context) error {
			return portal.List(ctx, &corev1.SecretList{}, client.InNamespace(cluster.Namespace))
		}},
		{"get", "secrets", "Read a Secret of a tenant", true, gets(home, v.database.Name)},
		{"create", "secrets", "Create the credentials of any Account", false, creates(portal, aSecret(accountsv1.CredentialsNamespace, "account-"+v.account.Name+"-2", "accounts.usher.dev/password"))},
		{"update", "secrets", "Change the credentials of any Account, and so use the portal as any person", false, updates(portal, v.credentials, changedData)},
		{"create", "secrets", "Create a token of the controller", true, creates(portal, token)},
		{"create", "secrets", "Create a Secret of a tenant", true, creates(portal, aSecret(home, "mallory-link", accountsv1.LinkSecretType))},
		{"update", "secrets", "Change the keys of reset links", true, updates(portal, keys, changedData)},
		{"delete", "secrets", "Delete the credentials of an Account", true, deletes(portal, v.credentials)},
	}
}
