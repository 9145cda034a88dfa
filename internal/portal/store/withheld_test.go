// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/withheld"
)

func retired(userName string) client.Object {
	return withheld.Record(storetest.System, userName, storetest.Start)
}

func bound(userNames ...string) client.Object {
	return withheld.BoundList(storetest.System, map[string][]string{"": userNames}, func(string) bool { return false })
}

func TestAcceptWithAWithheldName(t *testing.T) {
	leave := func(w *storetest.World) { w.Must(w.Client.Create(context.Background(), retired("jane-doe"))) }
	for name, tc := range map[string]struct {
		objects []client.Object
		tap     func(*storetest.World) *storetest.Tapped
		want    store.Outcome
	}{
		"that a deleted account had":               {objects: []client.Object{retired("jane-doe")}, want: store.NameTaken},
		"that a binding names":                     {objects: []client.Object{bound("john", "jane-doe")}, want: store.NameTaken},
		"that a deleted account of the link began": {objects: []client.Object{retired("jane-doe"), storetest.MadeFor(storetest.JaneUID, "jane-doe")}, want: store.NameTaken},
		// The earlier account existed when the form was checked.
		"whose account is deleted just before":  {tap: storetest.DoBefore("create account", leave), want: store.NameTaken},
		"other than the name that is withheld":  {objects: []client.Object{retired("jane-doe2"), retired("jane"), bound("doe-jane")}, want: store.Done},
		"with another qualifier than this name": {objects: []client.Object{retired("jane-doe.acme"), bound("jane-doe.acme")}, want: store.Done},
	} {
		t.Run(name, func(t *testing.T) {
			w := storetest.NewWorld(t, tc.objects...)
			tapped := &storetest.Tapped{}
			if tc.tap != nil {
				tapped = tc.tap(w)
			}
			seen, outcome, err := w.Through(tapped).Accept(t.Context(), w.Parsed(), storetest.Chosen("jane-doe", "mine"))
			if outcome != tc.want || err != nil || seen.Status != invitation.LinkOpen {
				t.Fatalf("%v, %v, %v", outcome, seen.Status, err)
			}
			if tc.want == store.NameTaken && (w.Secret("jane-doe") != nil || w.Invitation().Status.Acceptance.Given()) {
				t.Error("the name was given away")
			}
		})
	}
}
