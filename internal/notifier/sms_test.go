// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"testing"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

func TestTelephone(t *testing.T) {
	for name, c := range map[string]struct {
		by   []accountsv1.DeliveryChannel
		want string
	}{
		"by mail only, with a number": {nil, ""},
		"by SMS":                      {[]accountsv1.DeliveryChannel{"SMS"}, "+393331234567"},
		"by all channels":             {[]accountsv1.DeliveryChannel{"Email", "Link", "SMS"}, "+393331234567"},
		"as a link, with a number":    {[]accountsv1.DeliveryChannel{"Link"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inv := &accountsv1.Invitation{}
			inv.Spec.Delivery, inv.Spec.PhoneNumber = c.by, "+393331234567"
			if got := telephone(inv); got != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
}
