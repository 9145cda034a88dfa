// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/http"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/language"
	"github.com/usher-dev/usher/internal/username"
)

// hashesOfAddress is how many passwords are looked at where somebody signs in
// with an address, whoever has it: an answer does not tell by its time how many
// accounts there are. Of more accounts with one address the oldest count.
const hashesOfAddress = 5

// candidate is an Account that somebody may mean who signs in. The zero value
// stands for none, and costs as much to look at.
type candidate struct {
	account *accountsv1.Account
	// hash of the password.
	hash string
}

// nobody is a name that no Account and no Secret can have.
const nobody = "-"

// candidates are those whom a user name or an address may mean, the oldest
// Account first. How many there are depends on what was typed alone.
func (s *store) candidates(ctx context.Context, typed string) ([]candidate, error) {
	names, err := s.meant(ctx, strings.TrimSpace(typed))
	if err != nil {
		return nil, err
	}
	all := make([]candidate, len(names))
	for i, name := range names {
		if all[i], err = s.candidate(ctx, name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// meant are the names of the Accounts that a user name or an address may mean,
// filled up with nobody.
func (s *store) meant(ctx context.Context, typed string) ([]string, error) {
	if !strings.Contains(typed, "@") {
		if name, ok := username.ParseSignIn(typed); ok {
			return []string{name}, nil
		}
		return []string{nobody}, nil
	}
	accounts, err := s.accountsOf(ctx, typed)
	if err != nil {
		return nil, err
	}
	names := slices.Repeat([]string{nobody}, hashesOfAddress)
	for i := range min(len(accounts), hashesOfAddress) {
		names[i] = accounts[i].Name
	}
	return names, nil
}

// candidate reads an Account and its password, live: both always, so that it
// takes as long where there is none. The Secret may say another UID, because a
// restore gives Accounts new ones; but it must be settled, or its password is
// one that somebody began with.
func (s *store) candidate(ctx context.Context, name string) (candidate, error) {
	found, err := get[accountsv1.Account](ctx, s.live, client.ObjectKey{Name: name})
	if err != nil {
		return candidate{}, err
	}
	secret, err := get[corev1.Secret](ctx, s.live, client.ObjectKey{Namespace: s.namespace, Name: account.SecretName(name)})
	switch {
	case err != nil:
		return candidate{}, err
	case found == nil || !settledAccount(found) || secret == nil || len(secret.Data[account.SettledKey]) == 0:
		return candidate{}, nil
	}
	return candidate{account: found, hash: string(secret.Data[account.PasswordKey])}, nil
}

var signingIn = task{"sign in", "portal.problem.sign-in-not-finished"}

// signIn answers the form that accepts with an account that somebody has. What
// was typed is counted before it is looked at.
func (p *portal) signIn(v visit) {
	seen, f, open := p.receive(v)
	if !open {
		return
	}
	f.fresh = true
	lang := languageOf(v.r, seen)
	if problems := f.signInProblems(lang); len(problems) > 0 {
		p.showForm(v, http.StatusUnprocessableEntity, seen, f, problems...)
		return
	}
	now, counted := p.count(v, seen, f, signingIn)
	if !counted {
		return
	}
	theirs, err := p.verify(v.r.Context(), f)
	if err != nil {
		p.tryAgain(v, now, f, signingIn, err)
		return
	}
	if len(theirs) == 0 {
		p.showForm(v, http.StatusUnprocessableEntity, now, f, problem{fieldSignInName, lang.Text("portal.problem.sign-in-wrong", nil)})
		return
	}
	// All have the address that was typed, or there is one alone.
	oldest := theirs[0]
	now, result, err := p.invitations.save(v.r.Context(), now, acceptedBy(oldest))
	switch {
	case err != nil:
		p.tryAgain(v, seen, f, signingIn, err)
	case result == addressRefused:
		p.showForm(v, http.StatusUnprocessableEntity, now, f, otherAccount(lang, now))
	case result == notOpen:
		p.closed(v, now)
	default:
		p.welcome(v, seen, now.Invitation.Status.Acceptance, oldest.Spec.Email, true)
	}
}

// count counts a password or a code before anybody looks at it. It answers, and
// gives false, if that cannot be done any more.
func (p *portal) count(v visit, seen sight, f form, at task) (sight, bool) {
	now, result, err := p.invitations.save(v.r.Context(), seen, guessed())
	switch {
	case err != nil:
		// The write may have taken effect: then one try is lost.
		p.tryAgain(v, seen, f, at, err)
	case result == guessesSpent:
		p.showForm(v, http.StatusUnprocessableEntity, now, f, problem{
			Text: languageOf(v.r, now).Text("portal.problem.guesses-spent", map[string]string{
				"Address": string(now.Invitation.Spec.Email), "Inviter": inviter(now),
			}),
		})
	case result == notOpen:
		p.closed(v, now)
	default:
		return now, true
	}
	return sight{}, false
}

// verify gives the Accounts whose password was typed, the oldest first.
func (p *portal) verify(ctx context.Context, f form) ([]*accountsv1.Account, error) {
	// Each hash may have to wait for its turn.
	ctx, cancel := context.WithTimeout(ctx, account.AcceptanceTimeout)
	defer cancel()
	candidates, err := p.invitations.candidates(ctx, f.SignInName)
	if err != nil {
		return nil, err
	}
	var theirs []*accountsv1.Account
	for _, c := range candidates {
		right, err := p.hasher.Verify(ctx, f.signInPassword, c.hash)
		if err != nil {
			return nil, err
		}
		if right && c.account != nil {
			theirs = append(theirs, c.account)
		}
	}
	return theirs, nil
}

// otherAccount is said to somebody whose account has an address that will not
// do. Only whoever knows its password gets that far.
func otherAccount(lang language.Tag, seen sight) problem {
	if seen.anyAddress() {
		return notAllowed(lang, seen, fieldSignInName)
	}
	return problem{fieldSignInName, lang.Text("portal.problem.sign-in-address", map[string]string{
		"Address": string(seen.Invitation.Spec.Email), "Inviter": inviter(seen),
	})}
}
