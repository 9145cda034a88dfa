// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/usher-dev/usher/cmd/kubectl-usher/cache"
	"github.com/usher-dev/usher/cmd/kubectl-usher/signin"
)

func loginCommand(o *options) *cobra.Command {
	var device bool
	cmd := &cobra.Command{
		Use: "login", Short: "Sign in to the cluster", Args: cobra.NoArgs,
		Long: `Sign in to the cluster of the current context of your kubeconfig.

The command opens your browser and waits until you signed in there. With --device it shows an
address, a code and a QR code instead, for a browser on another computer or a phone.`,
		Example: `  # Sign in with the browser on this computer
  kubectl usher login

  # Sign in with a phone
  kubectl usher login --device

  # Sign in to the cluster of another context
  kubectl usher login --context staging`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tokens, err := o.login(cmd.Context(), cmd.ErrOrStderr(), device)
			if err != nil {
				return err
			}
			who, err := claimsOf(tokens)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "You are signed in as %s.\n", who.UserName)
			return err
		},
	}
	cmd.Flags().BoolVar(&device, "device", false, "sign in with a browser on another device")
	return cmd
}

// login signs in and replaces the tokens in the cache.
func (o *options) login(ctx context.Context, out io.Writer, device bool) (cache.Tokens, error) {
	if err := o.complete(); err != nil {
		return cache.Tokens{}, err
	}
	file, err := o.tokens()
	if err != nil {
		return cache.Tokens{}, err
	}
	client, err := o.client(ctx, out)
	if err != nil {
		return cache.Tokens{}, err
	}
	unlock, err := file.Lock(ctx, waiting(out))
	if err != nil {
		return cache.Tokens{}, err
	}
	defer unlock()
	return signIn(ctx, client, file, device)
}

// waiting returns what a process says if it waits for another one.
func waiting(out io.Writer) func() {
	return func() {
		_, _ = fmt.Fprintln(out, "Another kubectl usher is signing in. This one continues after that. Press Ctrl-C to stop.")
	}
}

// signIn asks the person to sign in. The caller has the lock of the cache.
func signIn(ctx context.Context, client *signin.Client, file cache.File, device bool) (cache.Tokens, error) {
	with := client.WithBrowser
	if device {
		with = client.WithDevice
	}
	tokens, err := with(ctx)
	if err != nil {
		return cache.Tokens{}, err
	}
	return tokens, file.Write(tokens)
}

func logoutCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "Sign out of the cluster", Args: cobra.NoArgs,
		Long: `Sign out of the cluster of the current context of your kubeconfig.

The command ends the sign-in at the portal and removes the tokens from this computer. Without
a connection to the portal it removes the tokens only. You can end the sign-in on your account
page then.`,
		Example: `  kubectl usher logout`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := o.logout(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			text := "You are signed out."
			if !found {
				text = "You are not signed in."
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
}

// logout removes the tokens, and then revokes them. It reports whether there were any.
func (o *options) logout(ctx context.Context, out io.Writer) (found bool, err error) {
	if err := o.complete(); err != nil {
		return false, err
	}
	file, err := o.tokens()
	if err != nil {
		return false, err
	}
	unlock, err := file.Lock(ctx, waiting(out))
	if err != nil {
		return false, err
	}
	defer unlock()
	tokens, err := file.Read()
	if err != nil && !errors.Is(err, cache.ErrExposed) {
		return false, errors.Join(err, file.Clear())
	}
	if err := file.Clear(); err != nil || tokens.RefreshToken == "" && tokens.AccessToken == "" {
		return false, err
	}
	client, err := o.client(ctx, out)
	if err == nil {
		err = client.Revoke(ctx, tokens)
	}
	if err != nil {
		return true, fmt.Errorf("the tokens were removed from this computer, but the sign-in has not ended; end it on your account page at %s: %w", o.issuer, err)
	}
	return true, nil
}
