// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/session"
)

// mostApprovals is the maximum number of entries in status.deviceApprovals.
const mostApprovals = 5

// ErrNotApproved means that no person has approved a sign-in on a device yet.
var ErrNotApproved = errors.New("the device is not approved yet")

// ApproveDevice records that the person approved the device that shows a code, for life. It
// fails with ErrGone if the session has ended or the Account cannot be used.
func (s *Store) ApproveDevice(ctx context.Context, at *SignedIn, codeHash string, life time.Duration) error {
	return s.changeStatus(ctx, at.Member, func(m *Member, now metav1.Time) error {
		current, alive := m.alive(at.Session.Hash, now.Time)
		if !alive || current.Stage != session.StageSignedIn || m.ClientsRefused(now.Time) != nil {
			return ErrGone
		}
		kept := slices.DeleteFunc(slices.Clone(m.Account.Status.DeviceApprovals), func(a accountsv1.DeviceApproval) bool {
			return a.CodeHash == codeHash || a.Time == nil || now.Sub(a.Time.Time) >= life
		})
		approved := accountsv1.DeviceApproval{CodeHash: codeHash, SessionHash: current.Hash, Time: &now}
		kept = slices.Insert(kept, 0, approved)
		m.Account.Status.DeviceApprovals = kept[:min(len(kept), mostApprovals)]
		return nil
	})
}

// UseDeviceCode begins the sign-in to a client on a device whose code a person approved, and
// returns its first refresh token like UseClientCode. secret is a token that only the device
// has. An approval works once within life. A second use ends the sign-in, even that of another
// device: two devices can have the same user code, because it has few random bits.
//
// UseDeviceCode fails with ErrNotApproved, session.ErrNoSignIn, session.ErrReplayed or
// ErrLocked. As long as the device is not approved, it reads only the cache.
func (s *Store) UseDeviceCode(ctx context.Context, codeHash, secret string, begun session.Client, life time.Duration) (*SignedInTo, string, error) {
	var approved accountsv1.AccountList
	if err := s.Reader.List(ctx, &approved, client.MatchingFields{IndexAccountDevice: codeHash}); err != nil {
		return nil, "", fmt.Errorf("find who approved a device: %w", err)
	}
	if len(approved.Items) == 0 {
		return nil, "", ErrNotApproved
	}
	m, err := s.memberOfToken(ctx, approved.Items[0].Name)
	if err != nil {
		return nil, "", err
	}
	var (
		token   string
		refusal error
	)
	err = s.changeCredentials(ctx, m, func(m *Member, now time.Time) error {
		refusal = nil
		in, found := m.approvalOf(codeHash, now, life)
		if !found {
			refusal = session.ErrNoSignIn
			return ErrUnchanged
		}
		if refusal = m.ClientsRefused(now); refusal != nil {
			return ErrUnchanged
		}
		if !m.Credentials.UseUp(codeHash, now.Add(life), now) {
			refusal = session.ErrReplayed
			m.Credentials.Clients = session.WithoutDevice(m.Credentials.Clients, codeHash)
			return nil
		}
		begun.Session, begun.Device, begun.AuthTime, begun.Methods = in.Hash, codeHash, in.StartTime, in.Methods
		started, text, err := begun.BeginWith(secret, s.Random, now)
		if err != nil {
			return err
		}
		token = text
		begun = started
		m.Credentials.Clients = session.PutClient(m.Credentials.Clients, started, now, m.sessionsEnd())
		return nil
	})
	if err := whyRefused(err, refusal); err != nil {
		return nil, "", err
	}
	return &SignedInTo{m, begun}, token, nil
}

// approvalOf returns the session in which m approved the device with a code.
func (m *Member) approvalOf(codeHash string, now time.Time, life time.Duration) (session.Session, bool) {
	for _, a := range m.Account.Status.DeviceApprovals {
		if a.CodeHash == codeHash && a.Time != nil && now.Sub(a.Time.Time) < life {
			in, alive := m.alive(a.SessionHash, now)
			return in, alive && in.Stage == session.StageSignedIn
		}
	}
	return session.Session{}, false
}
