// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// linkSecrets keeps links in Secrets beside their Invitations. It can neither
// read a Secret nor, held by a ValidatingAdmissionPolicy, touch one of another
// type.
type linkSecrets struct{ client client.Client }

// foreignSecretError says that the name of a Secret is somebody else's.
type foreignSecretError struct{ name string }

func (e *foreignSecretError) Error() string {
	return fmt.Sprintf("Secret %s is somebody else's; remove or rename it, and ask for a resend", e.name)
}

// Permanent is true: Usher never writes over it.
func (*foreignSecretError) Permanent() bool { return true }

// write puts a link into the Secret of an Invitation, which goes with it.
func (l linkSecrets) write(ctx context.Context, inv *accountsv1.Invitation, secret, link string) error {
	config := corev1ac.Secret(secret, inv.Namespace).
		WithType(corev1.SecretType(accountsv1.LinkSecretType)).
		WithLabels(map[string]string{accountsv1.ManagedByLabel: accountsv1.ManagedByValue}).
		WithOwnerReferences(metav1ac.OwnerReference().
			WithAPIVersion(accountsv1.GroupVersion.String()).WithKind("Invitation").WithName(inv.Name).WithUID(inv.UID)).
		WithData(map[string][]byte{accountsv1.LinkKey: []byte(link)})
	err := l.client.Apply(ctx, config, client.FieldOwner(accountsv1.FieldManager), client.ForceOwnership)
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
		return &foreignSecretError{secret}
	}
	return err
}

// remove deletes the Secret of an Invitation. One that is gone, or that is
// somebody else's by now, is no error.
func (l linkSecrets) remove(ctx context.Context, inv *accountsv1.Invitation, secret string) error {
	gone := &corev1.Secret{}
	gone.Namespace, gone.Name = inv.Namespace, secret
	if err := l.client.Delete(ctx, gone); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
		return err
	}
	return nil
}
