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

// linkKeysSecret is the Secret with the keys that links are made with. It is in Usher's
// own namespace.
const linkKeysSecret = "usher-link-keys"

// ensureLinkKeys creates the Secret with a first key if it does not exist. It never
// changes an existing Secret, because links that were sent are checked with its keys.
func ensureLinkKeys(ctx context.Context, c client.Client, namespace string, random io.Reader) error {
	key := make([]byte, invitation.KeySize)
	if _, err := io.ReadFull(random, key); err != nil {
		return fmt.Errorf("create a link key: %w", err)
	}
	keys := &corev1.Secret{Type: "accounts.usher.dev/link-keys", Data: map[string][]byte{invitation.FirstKeyName(): key}}
	keys.Namespace, keys.Name = namespace, linkKeysSecret
	if err := c.Create(ctx, keys); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create Secret %s: %w", linkKeysSecret, err)
	}
	return nil
}

// linkKeys returns a function that reads the keyring at each call, so that a key added to
// the Secret is used without a restart.
func linkKeys(r client.Reader, namespace string) func(context.Context) (invitation.Keyring, error) {
	return func(ctx context.Context) (invitation.Keyring, error) {
		var keys corev1.Secret
		if err := r.Get(ctx, types.NamespacedName{Namespace: namespace, Name: linkKeysSecret}, &keys); err != nil {
			return invitation.Keyring{}, fmt.Errorf("read the link keys: %w", err)
		}
		return invitation.ParseKeyring(keys.Data)
	}
}
