// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientauthv1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"

	"github.com/usher-dev/usher/cmd/kubectl-usher/cache"
	"github.com/usher-dev/usher/cmd/kubectl-usher/signin"
)

const (
	// renewBefore is how long before its end a token is renewed, so that it does not end on
	// the way.
	renewBefore = 30 * time.Second
	// clockStep is how far a clock can go back before the times in the cache mean nothing.
	clockStep = time.Minute
	// lockTime limits how long a process without a person waits for another one.
	lockTime = time.Minute
)

// errSignIn tells the person what to do.
var errSignIn = errors.New("you are not signed in, or your sign-in has ended; run kubectl usher login, with --context if this is not the current context")

func credentialCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "credential", Short: "Print the credential for kubectl", Args: cobra.NoArgs,
		Long: `Print the credential for kubectl, as an ExecCredential of client.authentication.k8s.io/v1.

Kubeconfigs name this command, and kubectl calls it. It renews the tokens if necessary. If
you must sign in, it opens your browser, provided that kubectl runs in a terminal.`,
		Example: `  kubectl usher credential --issuer https://accounts.example.com`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(); err != nil {
				return err
			}
			tokens, err := o.current(cmd.Context(), cmd.ErrOrStderr(), isInteractive(os.Getenv("KUBERNETES_EXEC_INFO")))
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(clientauthv1.ExecCredential{
				TypeMeta: metav1.TypeMeta{APIVersion: clientauthv1.SchemeGroupVersion.String(), Kind: "ExecCredential"},
				Status: &clientauthv1.ExecCredentialStatus{
					Token: tokens.IDToken, ExpirationTimestamp: &metav1.Time{Time: tokens.Expires.Add(-renewBefore)},
				},
			})
		},
	}
}

// isInteractive reports whether kubectl lets the plugin talk to a person.
func isInteractive(info string) bool {
	var asked clientauthv1.ExecCredential
	return json.Unmarshal([]byte(info), &asked) == nil && asked.Spec.Interactive
}

// current returns tokens that are good for a while. It renews them if necessary, and asks
// the person to sign in only if that is allowed. One process at a time does so; the others
// get what it wrote.
func (o *options) current(ctx context.Context, out io.Writer, interactive bool) (cache.Tokens, error) {
	file, err := o.tokens()
	if err != nil {
		return cache.Tokens{}, err
	}
	tokens, err := file.Read()
	if err != nil || isGood(tokens, o.clock.Now()) {
		return tokens, err
	}
	if tokens.RefreshToken == "" && !interactive {
		return cache.Tokens{}, errSignIn
	}
	unlock, err := lock(ctx, file, out, interactive)
	if err != nil {
		return cache.Tokens{}, err
	}
	defer unlock()
	if tokens, err = file.Read(); err != nil || isGood(tokens, o.clock.Now()) {
		return tokens, err
	}
	client, err := o.client(ctx, out)
	if err != nil {
		return cache.Tokens{}, err
	}
	next, err := client.Refresh(ctx, tokens)
	switch {
	case err == nil:
		return next, file.Write(next)
	case next.RefreshToken != "": // the old one has been used
		return cache.Tokens{}, errors.Join(err, file.Write(next))
	case !errors.Is(err, signin.ErrEnded):
		return cache.Tokens{}, err
	}
	if err := file.Clear(); err != nil {
		return cache.Tokens{}, err
	}
	if !interactive {
		return cache.Tokens{}, errSignIn
	}
	if tokens.RefreshToken != "" {
		_, _ = fmt.Fprintln(out, "Your sign-in has ended.")
	}
	return signIn(ctx, client, file, false)
}

// lock takes the lock of the cache. Without a person it does not wait for a sign-in that
// takes long.
func lock(ctx context.Context, file cache.File, out io.Writer, interactive bool) (unlock func(), err error) {
	if interactive {
		return file.Lock(ctx, waiting(out))
	}
	limited, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	unlock, err = file.Lock(limited, waiting(out))
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, errors.New("another kubectl usher is still waiting for a sign-in; finish that, and run the command again")
	}
	return unlock, err
}

// isGood reports whether an ID token works for a while. One that begins in the future shows
// that the clock went back.
func isGood(t cache.Tokens, now time.Time) bool {
	return t.IDToken != "" && t.Issued.Sub(now) < clockStep && t.Expires.Sub(now) > renewBefore
}
