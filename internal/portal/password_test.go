// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/url"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// toAnother returns a form that changes validPassword to another one.
func toAnother() url.Values {
	return url.Values{fieldCurrentPassword: {validPassword}, fieldNewPassword: {another}, fieldNewPasswordAgain: {another}}
}

// TestAChangeOfThePasswordKillsLinksOfClocksThatAreAhead has links that were
// requested at a portal whose clock is ahead, before the change and during it.
func TestAChangeOfThePasswordKillsLinksOfClocksThatAreAhead(t *testing.T) {
	ahead := storetest.Start.Add(time.Minute)
	ask := func(w *world) {
		a := w.Account("jane")
		a.Status.ResetTimes = []metav1.Time{metav1.NewTime(ahead)}
		w.Must(w.Client.Status().Update(context.Background(), a))
	}
	for name, tc := range map[string]struct{ before, meanwhile bool }{
		"before":                         {before: true},
		"while the password is compared": {meanwhile: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := worlds(t)(t, acmeMember(t, "jane")...)
			b := w.browser()
			b.signIn("jane", validPassword)
			if tc.before {
				ask(w)
			}
			w.config.Hasher = watched{storetest.PlainHasher{}, func(string) {
				if tc.meanwhile {
					ask(w)
				}
			}}
			b.handler = w.build().handler
			expectTo(t, b.fill("/account/password?lang=en", toAnother()), "/account?lang=en&done=password")
			w.Clock.SetTime(ahead.Add(time.Second))
			expect(t, b.visit(w.resetPath("jane", ahead)), 410, "This link can no longer be used")
			if c := w.credentials("jane"); !c.PasswordTime.Equal(ahead) || !w.Account("jane").Status.PasswordTime.Time.Equal(ahead) {
				t.Errorf("the password time is %s", c.PasswordTime)
			}
		})
	}
}

func TestARehashedPasswordCanBeChangedAgain(t *testing.T) {
	w := worldWith(t, personWithPassword(t, "jane")...)
	b := w.browser()
	b.signIn("jane", validPassword)
	w.config.Hasher = watched{storetest.PlainHasher{}, func(string) {
		w.alterJane(func(_ *accountsv1.Account, c *account.Credentials) { c.Password = "renewed hash" })
	}}
	b.handler = w.build().handler
	expect(t, b.fill("/account/password", toAnother()), 503, "Your password couldn't be changed right now.")
	if c := w.credentials("jane"); c.Password != "renewed hash" || !b.isIn() {
		t.Errorf("the stored password is %q", c.Password)
	}
}

func TestAPasswordIsChangedWhereItCannotBeNoted(t *testing.T) {
	w := worldWith(t, personWithPassword(t, "jane")...)
	b := w.browser()
	b.signIn("jane", validPassword)
	writes := 0
	w.interfere(interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, name string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
			if writes++; writes > 1 { // the first counts the current password
				return storetest.ErrDown
			}
			return c.SubResource(name).Update(ctx, obj, opts...)
		},
	})
	b.handler = w.handler
	expectTo(t, b.fill("/account/password?lang=en", toAnother()), "/account?lang=en&done=password")
	if !b.isIn() || w.credentials("jane").Password != "hash of "+another {
		t.Errorf("signed in: %t, stored password %q", b.isIn(), w.credentials("jane").Password)
	}
}
