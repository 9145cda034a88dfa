// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// The NetworkPolicy is a second barrier for the same networks. NAT64 leads to the IPv4 ones as well.
func TestTheNetworkPolicyExceptsTheMetadataNetworks(t *testing.T) {
	t.Parallel()
	manifest, err := os.ReadFile(filepath.Join("..", "..", "config", "network", "controller.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var policy networkingv1.NetworkPolicy
	if err := yaml.UnmarshalStrict(manifest, &policy); err != nil {
		t.Fatal(err)
	}
	excepted := map[string][]string{}
	for _, rule := range policy.Spec.Egress {
		for _, to := range rule.To {
			if to.IPBlock != nil {
				excepted[to.IPBlock.CIDR] = to.IPBlock.Except
			}
		}
	}
	want := map[string][]string{}
	for _, network := range metadata {
		if network.Addr().Is6() {
			want["::/0"] = append(want["::/0"], network.String())
			continue
		}
		want["0.0.0.0/0"] = append(want["0.0.0.0/0"], network.String())
		behind := netip.PrefixFrom(embeddings(network.Addr())["behind NAT64"], 96+network.Bits())
		want["::/0"] = append(want["::/0"], behind.String())
	}
	for _, cidr := range []string{"0.0.0.0/0", "::/0"} {
		slices.Sort(excepted[cidr])
		slices.Sort(want[cidr])
		if !slices.Equal(excepted[cidr], want[cidr]) {
			t.Errorf("%s excepts %v, not %v", cidr, excepted[cidr], want[cidr])
		}
	}
}
