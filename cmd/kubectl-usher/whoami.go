// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/usher-dev/usher/cmd/kubectl-usher/cache"
	"github.com/usher-dev/usher/internal/sanitize"
)

// claims are what the ID token says about the person.
type claims struct {
	UserName string   `json:"preferred_username"`
	Email    string   `json:"email"`
	Groups   []string `json:"groups"`
	// GroupsOmitted is how many groups did not fit into the token.
	GroupsOmitted int `json:"groups_omitted"`
}

// claimsOf reads the claims of tokens that were verified when they were stored. They hold no
// control characters, so they can be printed.
func claimsOf(t cache.Tokens) (claims, error) {
	var who claims
	parts := strings.Split(t.IDToken, ".")
	if len(parts) != 3 {
		return who, errSignIn
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(raw, &who) != nil {
		return who, errors.New("the token in the cache is damaged; run kubectl usher login")
	}
	who.UserName, who.Email = sanitize.SingleLine(who.UserName), sanitize.SingleLine(who.Email)
	for i, group := range who.Groups {
		who.Groups[i] = sanitize.SingleLine(group)
	}
	return who, nil
}

func whoamiCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "Show who is signed in", Args: cobra.NoArgs,
		Long: `Show who is signed in to the cluster of the current context: the user name, the mail address,
and the groups. A group such as acme:developer is a role in an organization.

To see what the cluster makes of that, run kubectl auth whoami.`,
		Example: `  kubectl usher whoami`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(); err != nil {
				return err
			}
			tokens, err := o.current(cmd.Context(), cmd.ErrOrStderr(), false)
			if err != nil {
				return err
			}
			who, err := claimsOf(tokens)
			if err != nil {
				return err
			}
			return who.print(cmd.OutOrStdout(), o.issuer, tokens)
		},
	}
}

func (who claims) print(out io.Writer, issuer string, tokens cache.Tokens) error {
	groups := strings.Join(who.Groups, "\n            ")
	if who.GroupsOmitted > 0 {
		groups += fmt.Sprintf("\n            and %d more", who.GroupsOmitted)
	}
	ends := tokens.Expires.Local().Format(time.RFC1123)
	if tokens.RefreshToken != "" {
		ends += ", and is renewed automatically"
	}
	_, err := fmt.Fprintf(out, "User name:  %s\nMail:       %s\nGroups:     %s\nPortal:     %s\nToken ends: %s\n",
		who.UserName, who.Email, groups, issuer, ends)
	return err
}
