// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// claimsOf returns the claims of an ID token. It verifies nothing.
func claimsOf(t *testing.T, idToken string) map[string]any {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(idToken, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	decode(t, string(payload), &claims)
	return claims
}

func TestEachScopeGrantsItsClaims(t *testing.T) {
	always := []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "amr", "azp", "at_hash"}
	for scope, more := range map[string][]string{
		"openid":                           nil,
		"openid unknown":                   nil,
		"openid profile":                   {"name", "given_name", "family_name", "preferred_username"},
		"openid email":                     {"email", "email_verified"},
		"openid groups":                    {"groups"},
		"openid groups email groups email": {"groups", "email", "email_verified"},
	} {
		w := memberWorld(t)
		w.alterJane(func(a *accountsv1.Account, _ *account.Credentials) {
			a.Spec.GivenName, a.Spec.FamilyName = "Jane", "Doe"
		})
		got := w.ask(issuer.PathToken, exchange(w.aCode(w.browser(), authorization("scope", scope))))
		want := slices.Sorted(slices.Values(slices.Concat(always, more)))
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(claimsOf(t, got.ID)))); diff != "" {
			t.Errorf("%s, claims of the ID token (-want +got):\n%s", scope, diff)
		}
		var info map[string]any
		w.Must(json.Unmarshal(w.userInfo(got.Access).Body.Bytes(), &info))
		want = slices.Sorted(slices.Values(append([]string{"sub"}, more...)))
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(info))); diff != "" {
			t.Errorf("%s, user info (-want +got):\n%s", scope, diff)
		}
	}
}

// An API server believes an address if the claim is missing.
func TestAnAddressThatIsNotProvedIsCalledSo(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*accountsv1.Account)
		want   bool
	}{
		"proved":     {func(*accountsv1.Account) {}, true},
		"not proved": {unproved, false},
		"proved a moment ago by mail": {func(a *accountsv1.Account) {
			unproved(a)
			a.Status.EmailVerifiedTime = new(metav1.NewTime(storetest.Start))
		}, true},
	} {
		w := memberWorld(t)
		w.alterJane(func(a *accountsv1.Account, _ *account.Credentials) { tc.change(a) })
		got := w.ask(issuer.PathToken, exchange(w.aCode(w.browser(), authorization("scope", "openid email"))))
		var info map[string]any
		w.Must(json.Unmarshal(w.userInfo(got.Access).Body.Bytes(), &info))
		for where, claims := range map[string]map[string]any{"ID token": claimsOf(t, got.ID), "user info": info} {
			if claims["email"] != "jane.doe@example.com" || claims["email_verified"] != tc.want {
				t.Errorf("%s, %s: %v", name, where, claims)
			}
		}
	}
}
