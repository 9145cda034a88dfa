// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/usher-dev/usher/internal/invitation"
)

// The Secrets with keyrings, in Usher's own namespace. One leaked keyring must not open
// what another one protects.
const (
	// linkKeysSecret has the keys of the links and codes of Invitations. The controller
	// creates it.
	linkKeysSecret = "usher-link-keys"
	// resetKeysSecret has the keys of links for a new password. The controller creates it.
	resetKeysSecret = "usher-reset-keys"
	// seedKeysSecret has the keys that seal the seeds of authenticator apps. The portal
	// creates it, and the controller cannot read it.
	seedKeysSecret = "usher-seed-keys" //nolint:gosec // the name of a Secret, not its content
)

// The types of these Secrets.
const (
	linkKeysType corev1.SecretType = "accounts.usher.dev/link-keys"
	seedKeysType corev1.SecretType = "accounts.usher.dev/seed-keys"
)

// ensureKeys creates a Secret with a first key if it does not exist. It never changes an
// existing Secret, because links that were sent and stored seeds depend on its keys.
func ensureKeys(ctx context.Context, c client.Client, namespace, name string, kind corev1.SecretType, random io.Reader) error {
	key := make([]byte, invitation.KeySize)
	if _, err := io.ReadFull(random, key); err != nil {
		return fmt.Errorf("create a key for Secret %s: %w", name, err)
	}
	keys := &corev1.Secret{Type: kind, Data: map[string][]byte{invitation.FirstKeyName(): key}}
	keys.Namespace, keys.Name = namespace, name
	if err := c.Create(ctx, keys); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create Secret %s: %w", name, err)
	}
	return nil
}

// keysOf returns a function that reads a keyring at each call, so that a key added to the
// Secret is used without a restart.
func keysOf(r client.Reader, namespace, name string) func(context.Context) (invitation.Keyring, error) {
	return func(ctx context.Context) (invitation.Keyring, error) {
		var keys corev1.Secret
		if err := r.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &keys); err != nil {
			return invitation.Keyring{}, fmt.Errorf("read Secret %s, which Usher creates when it starts: %w", name, err)
		}
		ring, err := invitation.ParseKeyring(keys.Data)
		if err != nil {
			return invitation.Keyring{}, fmt.Errorf("read Secret %s: %w", name, err)
		}
		return ring, nil
	}
}
