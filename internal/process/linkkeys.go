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
// the links of the other kind.
const (
	// linkKeysSecret has the keys of the links and codes of Invitations.
	linkKeysSecret = "usher-link-keys"
	// resetKeysSecret has the keys of links for a new password.
	resetKeysSecret = "usher-reset-keys"
)

// ensureKeys creates each Secret with a first key if it does not exist. It never changes an
// existing Secret, because links that were sent are checked with its keys.
func ensureKeys(ctx context.Context, c client.Client, namespace string, random io.Reader) error {
	for _, name := range []string{linkKeysSecret, resetKeysSecret} {
		key := make([]byte, invitation.KeySize)
		if _, err := io.ReadFull(random, key); err != nil {
			return fmt.Errorf("create a key for Secret %s: %w", name, err)
		}
		keys := &corev1.Secret{Type: "accounts.usher.dev/link-keys", Data: map[string][]byte{invitation.FirstKeyName(): key}}
		keys.Namespace, keys.Name = namespace, name
		if err := c.Create(ctx, keys); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create Secret %s: %w", name, err)
		}
	}
	return nil
}

// keysOf returns a function that reads a keyring at each call, so that a key added to the
// Secret is used without a restart.
func keysOf(r client.Reader, namespace, name string) func(context.Context) (invitation.Keyring, error) {
	return func(ctx context.Context) (invitation.Keyring, error) {
		var keys corev1.Secret
		if err := r.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &keys); err != nil {
			return invitation.Keyring{}, fmt.Errorf("read Secret %s, which the controller creates when it starts: %w", name, err)
		}
		ring, err := invitation.ParseKeyring(keys.Data)
		if err != nil {
			return invitation.Keyring{}, fmt.Errorf("read Secret %s: %w", name, err)
		}
		return ring, nil
	}
}
