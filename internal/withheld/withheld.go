// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package withheld holds the rules of user names that no new Account may have. A user
// name is withheld in two cases:
//
//   - Retired: an Account of that name was deleted not long ago. A RoleBinding that an
//     admin made for the earlier person must not work for the next one.
//   - Bound: a RoleBinding or a ClusterRoleBinding names the user, and no person has an
//     Account of that name.
//
// The controller records both in ConfigMaps in Usher's own namespace, because backups
// carry them. There is one record for each retired name, and one list of all bound names.
// The portal reads them when a person chooses a name.
//
// The package is pure: it imports no client.
package withheld

import (
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

const (
	// BoundListName is the name of the ConfigMap that lists the bound names.
	BoundListName = "user-names-bound"
	// recordPrefix begins the name of every ConfigMap that records a retired name.
	recordPrefix = "user-name-"
	// retiredTimeKey is when the Account was deleted, in RFC 3339 format.
	retiredTimeKey = "retiredTime"
	// maxName is the maximum length of the name of an Account.
	maxName = 63
	// maxBound keeps the list of bound names below the size limit of a ConfigMap. A
	// RoleBinding has room for thousands of subjects, and tenants can write RoleBindings.
	maxBound = 8_000
)

// RecordName returns the name of the ConfigMap that records a retired user name.
func RecordName(userName string) string { return recordPrefix + userName }

// UserName returns the user name that a record is for. found is false for any other
// ConfigMap.
func UserName(configMap string) (userName string, found bool) {
	return strings.CutPrefix(configMap, recordPrefix)
}

// Record returns the ConfigMap that records that an Account of that name was deleted.
func Record(namespace, userName string, retired time.Time) *corev1.ConfigMap {
	return object(namespace, RecordName(userName), map[string]string{retiredTimeKey: retired.UTC().Format(time.RFC3339)})
}

// End returns when a retired name is available again, unless a binding names it then. If
// the time in the record cannot be read, the age of the record counts.
func End(record *corev1.ConfigMap, retention time.Duration) time.Time {
	retired, err := time.Parse(time.RFC3339, record.Data[retiredTimeKey])
	if err != nil {
		retired = record.CreationTimestamp.Time
	}
	return retired.Add(retention)
}

// BoundList returns the ConfigMap that lists the bound names that are not in use. named
// holds the user names in all RoleBindings by their namespace, and those in all
// ClusterRoleBindings under "", each in any order. Beyond its limit the list is
// incomplete, so nothing may depend on it alone.
//
// Only cluster admins write ClusterRoleBindings, so their names come first. The namespaces
// share the rest: each adds one name after the other until the list is full. So many names
// in one namespace never displace the few names of another one.
func BoundList(namespace string, named map[string][]string, inUse func(userName string) bool) *corev1.ConfigMap {
	left := map[string][]string{}
	for of, names := range named {
		left[of] = available(names, inUse)
	}
	data := map[string]string{}
	for _, name := range left[""][:min(len(left[""]), maxBound)] {
		data[name] = ""
	}
	delete(left, "")
	for len(left) > 0 && len(data) < maxBound {
		addOneOfEach(data, left)
	}
	return object(namespace, BoundListName, data)
}

// available returns the names that an Account could have and none has, sorted.
func available(names []string, inUse func(userName string) bool) []string {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !isAccountName(name) || inUse(name) })
	slices.Sort(names)
	return slices.Compact(names)
}

// addOneOfEach moves the first name of each namespace from left to data, as long as data
// has room.
func addOneOfEach(data map[string]string, left map[string][]string) {
	for _, of := range slices.Sorted(maps.Keys(left)) {
		if len(left[of]) == 0 {
			delete(left, of)
			continue
		}
		if len(data) < maxBound {
			data[left[of][0]] = ""
		}
		left[of] = left[of][1:]
	}
}

// Lists reports whether a list of bound names contains a user name. The list can be nil.
func Lists(list *corev1.ConfigMap, userName string) bool {
	if list == nil {
		return false
	}
	_, found := list.Data[userName]
	return found
}

// UserNames returns the user names of the people among subjects, sorted.
func UserNames(subjects []rbacv1.Subject) []string {
	var names []string
	for _, s := range subjects {
		if name, is := userName(s); is {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Removed returns the names in before that are not in after. Both must be sorted.
func Removed(before, after []string) []string {
	var removed []string
	for _, name := range before {
		for len(after) > 0 && after[0] < name {
			after = after[1:]
		}
		if len(after) == 0 || after[0] != name {
			removed = append(removed, name)
		}
	}
	return removed
}

// People returns the subjects that are people with Accounts, or could be.
func People(subjects []rbacv1.Subject) []rbacv1.Subject {
	var people []rbacv1.Subject
	for _, s := range subjects {
		if _, is := userName(s); is {
			people = append(people, s)
		}
	}
	return people
}

func userName(s rbacv1.Subject) (string, bool) {
	name, is := strings.CutPrefix(s.Name, accountsv1.AccountUserPrefix)
	return name, is && s.Kind == rbacv1.UserKind
}

func isAccountName(name string) bool {
	return len(name) <= maxName && len(validation.IsDNS1123Subdomain(name)) == 0
}

func object(namespace, name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels: map[string]string{accountsv1.ManagedByLabel: accountsv1.ManagedByValue, accountsv1.WithheldLabel: "true"},
		},
		Data: data,
	}
}
