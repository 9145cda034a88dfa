// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

func of(entity accountsv1.DisplayText, name string) *accountsv1.Organization {
	return &accountsv1.Organization{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: accountsv1.OrganizationSpec{LegalEntity: entity}}
}

func TestSameLegalEntity(t *testing.T) {
	for name, c := range map[string]struct {
		a, b *accountsv1.Organization
		want bool
	}{
		"the same words":                      {of("Acme S.p.A.", "acme-shop"), of("Acme S.p.A.", "acme-labs"), true},
		"other words":                         {of("Acme S.p.A.", "acme-shop"), of("Beta GmbH", "beta"), false},
		"the same words in other letters":     {of("Acme S.p.A.", "acme-shop"), of("ACME S.P.A.", "acme-labs"), false},
		"one that says nothing, and itself":   {of("", "acme"), of("", "acme"), true},
		"two that say nothing":                {of("", "acme"), of("", "beta"), false},
		"one that says the name of the other": {of("acme", "beta"), of("", "acme"), false},
		"one that says what stands for the other": {
			of(accountsv1.DisplayText("organization/acme"), "beta"), of("", "acme"), false,
		},
		"one that says something, and one of that name": {of("acme", "beta"), of("acme", "acme"), true},
	} {
		t.Run(name, func(t *testing.T) {
			if SameLegalEntity(c.a, c.b) != c.want || SameLegalEntity(c.b, c.a) != c.want {
				t.Errorf("%q and %q: it is not %t", LegalEntity(c.a), LegalEntity(c.b), c.want)
			}
		})
	}
}

func TestMayJoin(t *testing.T) {
	shop, labs, beta := of("Acme S.p.A.", "acme-shop"), of("Acme S.p.A.", "acme-labs"), of("Beta GmbH", "beta")
	single := of("", "single")
	for name, c := range map[string]struct {
		org     *accountsv1.Organization
		current []*accountsv1.Organization
		want    bool
	}{
		"somebody who belongs to none":                   {shop, nil, true},
		"one more of the same":                           {shop, []*accountsv1.Organization{labs}, true},
		"the same again":                                 {shop, []*accountsv1.Organization{shop, labs}, true},
		"one of another":                                 {shop, []*accountsv1.Organization{beta}, false},
		"one of another among several":                   {shop, []*accountsv1.Organization{labs, beta}, false},
		"into one of its own":                            {single, []*accountsv1.Organization{shop}, false},
		"out of one of its own":                          {shop, []*accountsv1.Organization{single}, false},
		"one of its own again":                           {single, []*accountsv1.Organization{single}, true},
		"where another is gone":                          {shop, []*accountsv1.Organization{nil, labs}, true},
		"into one that is gone":                          {nil, []*accountsv1.Organization{beta}, true},
		"somebody whose own are not the same any longer": {labs, []*accountsv1.Organization{beta, shop}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := MayJoin(c.org, c.current); got != c.want {
				t.Errorf("it is %t", got)
			}
		})
	}
}
