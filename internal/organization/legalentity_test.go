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
		"the same text":                              {of("Acme S.p.A.", "acme-shop"), of("Acme S.p.A.", "acme-labs"), true},
		"different texts":                            {of("Acme S.p.A.", "acme-shop"), of("Beta GmbH", "beta"), false},
		"the same text in another case":              {of("Acme S.p.A.", "acme-shop"), of("ACME S.P.A.", "acme-labs"), false},
		"one without a text, and itself":             {of("", "acme"), of("", "acme"), true},
		"two without a text":                         {of("", "acme"), of("", "beta"), false},
		"one with the name of the other as its text": {of("acme", "beta"), of("", "acme"), false},
		"one with the identifier of the other as its text": {
			of(accountsv1.DisplayText("organization/acme"), "beta"), of("", "acme"), false,
		},
		"one with a text, and an Organization of that name": {of("acme", "beta"), of("acme", "acme"), true},
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
		"no Organization so far":                                    {shop, nil, true},
		"one more of the same legal entity":                         {shop, []*accountsv1.Organization{labs}, true},
		"the same Organization again":                               {shop, []*accountsv1.Organization{shop, labs}, true},
		"another legal entity":                                      {shop, []*accountsv1.Organization{beta}, false},
		"another legal entity among several":                        {shop, []*accountsv1.Organization{labs, beta}, false},
		"into one without a text":                                   {single, []*accountsv1.Organization{shop}, false},
		"out of one without a text":                                 {shop, []*accountsv1.Organization{single}, false},
		"the same Organization without a text again":                {single, []*accountsv1.Organization{single}, true},
		"another legal entity that was deleted":                     {shop, []*accountsv1.Organization{nil, labs}, true},
		"into a deleted one":                                        {nil, []*accountsv1.Organization{beta}, true},
		"current Organizations that no longer share a legal entity": {labs, []*accountsv1.Organization{beta, shop}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := MayJoin(c.org, c.current); got != c.want {
				t.Errorf("it is %t", got)
			}
		})
	}
}
