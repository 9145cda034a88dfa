// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"errors"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// ErrDown is the error of a call that fails or whose answer is lost.
var ErrDown = errors.New("the API server is down")

// Tapped is a client with a hook around each call. Before may fail the call. after may
// replace its error.
type Tapped struct {
	client.Client
	Before func(call string) error
	after  func(call string, err error) error
}

func (c *Tapped) around(verb string, obj client.Object, call func() error) error {
	name := verb
	switch obj.(type) {
	case *accountsv1.Invitation:
		name += " invitation"
	case *accountsv1.Account:
		name += " account"
	case *corev1.Secret:
		name += " secret"
	default:
		return call()
	}
	if c.Before != nil {
		if err := c.Before(name); err != nil {
			return err
		}
	}
	err := call()
	if c.after != nil {
		err = c.after(name, err)
	}
	return err
}

// Get is a tapped call.
func (c *Tapped) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	return c.around("get", obj, func() error { return c.Client.Get(ctx, key, obj, opts...) })
}

// Create is a tapped call.
func (c *Tapped) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	return c.around("create", obj, func() error { return c.Client.Create(ctx, obj, opts...) })
}

// Update is a tapped call.
func (c *Tapped) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	return c.around("update", obj, func() error { return c.Client.Update(ctx, obj, opts...) })
}

// Status returns a writer whose updates are tapped calls.
func (c *Tapped) Status() client.SubResourceWriter {
	return tappedStatus{c.Client.Status(), c}
}

type tappedStatus struct {
	client.SubResourceWriter
	tapped *Tapped
}

func (s tappedStatus) Update(ctx context.Context, obj client.Object, opts ...client.SubResourceUpdateOption) error {
	switch obj := obj.(type) {
	case *accountsv1.Invitation:
		stored := obj.DeepCopy()
		return s.update(ctx, "record", stored, func() { stored.DeepCopyInto(obj) }, opts)
	case *accountsv1.Account:
		stored := obj.DeepCopy()
		return s.update(ctx, "note", stored, func() { stored.DeepCopyInto(obj) }, opts)
	default:
		return errors.New("the portal writes only the status of invitations and accounts")
	}
}

// update stores a copy. If the answer is lost, the caller does not see what was stored
// either.
func (s tappedStatus) update(ctx context.Context, verb string, stored client.Object, tell func(), opts []client.SubResourceUpdateOption) error {
	err := s.tapped.around(verb, stored, func() error { return s.SubResourceWriter.Update(ctx, stored, opts...) })
	if err == nil {
		tell()
	}
	return err
}

// DoBefore runs do before the first call with a name, such as "create secret".
func DoBefore(name string, do func(*World)) func(*World) *Tapped {
	return func(w *World) *Tapped {
		var first sync.Once
		return &Tapped{Before: func(call string) error {
			if call == name {
				first.Do(func() { do(w) })
			}
			return nil
		}}
	}
}

// DoAfter runs do after the first call with a name.
func DoAfter(name string, do func(*World)) func(*World) *Tapped {
	return func(w *World) *Tapped {
		var first sync.Once
		return &Tapped{after: func(call string, err error) error {
			if call == name {
				first.Do(func() { do(w) })
			}
			return err
		}}
	}
}

// Refuse fails every call with a name.
func Refuse(name string, failure error) func(*World) *Tapped {
	return func(*World) *Tapped {
		return &Tapped{Before: func(call string) error {
			if call == name {
				return failure
			}
			return nil
		}}
	}
}

// LoseAnswer lets every call with a name take effect, and fails its answer.
func LoseAnswer(name string) func(*World) *Tapped {
	return func(*World) *Tapped {
		return &Tapped{after: func(call string, err error) error {
			if call == name {
				return ErrDown
			}
			return err
		}}
	}
}
