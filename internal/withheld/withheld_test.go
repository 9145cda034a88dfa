// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package withheld

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var deleted = time.Date(2026, time.May, 4, 10, 0, 0, 0, time.UTC)

func TestARecordEndsAfterTheRetention(t *testing.T) {
	year := 365 * 24 * time.Hour
	record := Record("usher-system", "jane-doe.acme", deleted.In(time.FixedZone("", 3600)))
	if got := End(record, year); !got.Equal(deleted.Add(year)) {
		t.Errorf("it ends at %v", got)
	}
	if name, found := UserName(record.Name); !found || name != "jane-doe.acme" {
		t.Errorf("UserName(%q) = %q, %t", record.Name, name, found)
	}
}

func TestARecordWithoutAReadableTimeEndsByItsAge(t *testing.T) {
	for _, data := range []map[string]string{nil, {retiredTimeKey: ""}, {retiredTimeKey: "yesterday"}} {
		record := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(deleted)}, Data: data}
		if got := End(record, time.Hour); !got.Equal(deleted.Add(time.Hour)) {
			t.Errorf("with %v, it ends at %v", data, got)
		}
	}
}

func TestTheListIsNoRecord(t *testing.T) {
	for _, name := range []string{BoundListName, "usher-settings", "kube-root-ca.crt"} {
		if userName, found := UserName(name); found {
			t.Errorf("UserName(%q) = %q", name, userName)
		}
	}
}

func TestTheListHasBoundNamesThatAreNotInUse(t *testing.T) {
	named := []string{"john", "jane-doe.acme", "mara", "john", "", "Jane", "a/b", "a:b", "-", strings.Repeat("a", 64)}
	before := slices.Clone(named)
	list := BoundList("usher-system", map[string][]string{"": named}, func(name string) bool { return name == "mara" })
	if diff := cmp.Diff(map[string]string{"john": "", "jane-doe.acme": ""}, list.Data); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, named); diff != "" {
		t.Errorf("the argument was changed: %s", diff)
	}
	for name, want := range map[string]bool{"john": true, "mara": false, "": false} {
		if got := Lists(list, name); got != want {
			t.Errorf("Lists(%q) = %t", name, got)
		}
	}
	if Lists(nil, "john") {
		t.Error("no list contains a name")
	}
}

func TestTheListFitsIntoAConfigMap(t *testing.T) {
	var named []string
	for i := range 2 * maxBound {
		named = append(named, fmt.Sprintf("%063d", i))
	}
	list := BoundList("usher-system", map[string][]string{"": named, "acme": named, "globex": named}, func(string) bool { return false })
	size := 0
	for name := range list.Data {
		size += len(`"":"",`) + len(name)
	}
	if len(list.Data) != maxBound || size > 900_000 {
		t.Errorf("%d names in %d bytes", len(list.Data), size)
	}
}

// TestNoNamespaceDisplacesTheNamesOfAnother has one tenant bind as many early names as
// possible, in one namespace or in several.
func TestNoNamespaceDisplacesTheNamesOfAnother(t *testing.T) {
	for _, namespaces := range []int{1, 20} {
		named := map[string][]string{"": {"mara"}, "staging": {"jane-doe", "john"}, "zoo": {"zz-top"}}
		for i := range namespaces {
			tenant := fmt.Sprintf("acme-%02d", i)
			for j := range maxBound {
				named[tenant] = append(named[tenant], fmt.Sprintf("a%d-%d", i, j))
			}
		}
		list := BoundList("usher-system", named, func(string) bool { return false })
		for _, name := range []string{"mara", "jane-doe", "john", "zz-top"} {
			if !Lists(list, name) {
				t.Errorf("with %d namespaces full of names, the list lacks %s", namespaces, name)
			}
		}
		if len(list.Data) != maxBound {
			t.Errorf("with %d namespaces full of names, the list has %d", namespaces, len(list.Data))
		}
		if again := BoundList("usher-system", named, func(string) bool { return false }); !maps.Equal(list.Data, again.Data) {
			t.Error("the same bindings give another list")
		}
	}
}

func TestRemovedNamesAreThoseOnlyBefore(t *testing.T) {
	for _, c := range []struct{ before, after, want string }{
		{"", "", ""},
		{"", "ab", ""},
		{"ab", "", "ab"},
		{"abc", "abc", ""},
		{"abcd", "bd", "ac"},
		{"bd", "abce", "d"},
		{"aabb", "a", "bb"},
		{"ab", "aaab", ""},
		{"ac", "b", "ac"},
	} {
		if got := strings.Join(Removed(strings.Split(c.before, ""), strings.Split(c.after, "")), ""); got != c.want {
			t.Errorf("of %q, %q lacks %q, not %q", c.before, c.after, got, c.want)
		}
	}
}

func TestPeopleAreUsersWithUshersPrefix(t *testing.T) {
	user := func(name string) rbacv1.Subject {
		return rbacv1.Subject{Kind: "User", APIGroup: rbacv1.GroupName, Name: name}
	}
	subjects := []rbacv1.Subject{
		user("usher:john"), user("usher:ada"), user("usher:ada"), user("ops"), user("oidc:usher:eve"),
		{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "usher:people"},
		{Kind: "ServiceAccount", Namespace: "x", Name: "usher:robot"},
	}
	if diff := cmp.Diff([]string{"ada", "john"}, UserNames(subjects)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(subjects[:3], People(subjects)); diff != "" {
		t.Error(diff)
	}
}
