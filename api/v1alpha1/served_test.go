// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

func TestNewObjectsHaveNotBeenObserved(t *testing.T) {
	cases := map[string]change{
		"no status at all":             unset("status"),
		"an empty status":              set("status", map[string]any{}),
		"a status of the client's own": set("status", map[string]any{"observedGeneration": 7}),
	}
	for kind, manifest := range kinds {
		for name, change := range cases {
			t.Run(kind+" sent with "+name, func(t *testing.T) {
				object := parse(t, manifest)
				apply(t, object, change)
				created := madeOf(t, object)
				got, err := resource(created).Get(t.Context(), created.GetName(), metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				want := map[string]any{"observedGeneration": int64(-1)}
				for answer, object := range map[string]*unstructured.Unstructured{"create": created, "get": got} {
					if diff := cmp.Diff(want, object.Object["status"]); diff != "" {
						t.Errorf("the status after %s (-want +got):\n%s", answer, diff)
					}
				}
			})
		}
	}
}

func TestSavingAStatusKeepsTheSpec(t *testing.T) {
	changes := map[string]change{
		"Organization": set("spec.displayName", "Other"),
		"Membership":   set("spec.role", "observer"),
		"Invitation":   set("spec.role", "observer"),
		"Account":      set("spec.familyName", "Roe"),
	}
	for kind, change := range changes {
		t.Run(kind, func(t *testing.T) {
			object := made(t, kinds[kind])
			want := object.DeepCopy()
			status := set("status", parse(t, kinds[kind]).Object["status"])
			apply(t, object, change, status)
			apply(t, want, status)
			saved, err := resource(object).UpdateStatus(t.Context(), object, metav1.UpdateOptions{})
			compare(t, want, 1, saved, err)
		})
	}
}

func TestSavingASpecKeepsTheStatus(t *testing.T) {
	changes := map[string]change{
		"Organization": set("spec.displayName", "Other"),
		"Membership":   set("spec.role", "observer"),
		"Account":      set("spec.familyName", "Roe"),
	}
	for kind, change := range changes {
		t.Run(kind, func(t *testing.T) {
			object := made(t, kinds[kind])
			want := object.DeepCopy()
			apply(t, object, change, set("status", parse(t, kinds[kind]).Object["status"]))
			apply(t, want, change)
			saved, err := resource(object).Update(t.Context(), object, metav1.UpdateOptions{})
			compare(t, want, 2, saved, err)
		})
	}
}

// compare compares the saved object with the expected one.
func compare(t *testing.T, want *unstructured.Unstructured, generation int64, saved *unstructured.Unstructured, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"spec", "status"} {
		if diff := cmp.Diff(want.Object[part], saved.Object[part]); diff != "" {
			t.Errorf("the %s (-want +got):\n%s", part, diff)
		}
	}
	if got := saved.GetGeneration(); got != generation {
		t.Errorf("the generation is %d, want %d", got, generation)
	}
}

func TestSelectableFields(t *testing.T) {
	cases := []struct {
		kind, path, value string
		refused           bool
	}{
		{"Membership", "spec.email", "someone@example.net", false},
		{"Membership", "spec.role", "selected", false},
		{"Membership", "status.state", "Expired", false},
		{"Membership", "spec.givenName", "Selected", true},
		{"Invitation", "spec.email", "someone@example.net", false},
		{"Invitation", "spec.role", "selected", false},
		{"Invitation", "status.state", "Expired", false},
		{"Account", "spec.email", "someone@example.net", false},
		{"Account", "status.state", "Pending", false},
	}
	for _, c := range cases {
		t.Run(c.kind+" by "+c.path, func(t *testing.T) {
			made(t, kinds[c.kind])
			chosen := parse(t, kinds[c.kind])
			apply(t, chosen, set(c.path, c.value))
			status := chosen.Object["status"]
			chosen = madeOf(t, chosen)
			apply(t, chosen, set("status", status))
			if _, err := resource(chosen).UpdateStatus(t.Context(), chosen, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}

			list, err := resource(chosen).List(t.Context(), metav1.ListOptions{FieldSelector: c.path + "=" + c.value})
			if c.refused {
				expect(t, err, "field label not supported: "+c.path)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, item := range list.Items {
				names = append(names, item.GetName())
			}
			if diff := cmp.Diff([]string{chosen.GetName()}, names); diff != "" {
				t.Errorf("selected (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiscovery(t *testing.T) {
	resources, err := server.ServerResourcesForGroupVersion(accountsv1.GroupVersion.String())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"organizations":        "Organization, of the cluster, org, usher",
		"organizations/status": "Organization, of the cluster, , ",
		"memberships":          "Membership, in a namespace, member, usher",
		"memberships/status":   "Membership, in a namespace, , ",
		"invitations":          "Invitation, in a namespace, inv, usher",
		"invitations/status":   "Invitation, in a namespace, , ",
		"accounts":             "Account, of the cluster, acct, usher",
		"accounts/status":      "Account, of the cluster, , ",
	}
	got := map[string]string{}
	for _, r := range resources.APIResources {
		scope := "of the cluster"
		if r.Namespaced {
			scope = "in a namespace"
		}
		got[r.Name] = strings.Join([]string{r.Kind, scope, strings.Join(r.ShortNames, " "), strings.Join(r.Categories, " ")}, ", ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the group serves (-want +got):\n%s", diff)
	}
}

func TestColumns(t *testing.T) {
	want := map[string][]string{
		"Organization": {"Name", "Ready", "Namespace", "Reason (wide)", "Age"},
		"Membership":   {"Name", "State", "Ready", "Email", "Role", "Account", "Given name (wide)", "Family name (wide)", "Reason (wide)", "Age"},
		"Invitation":   {"Name", "State", "Ready", "Email", "Role", "Expires", "Reason (wide)", "Age"},
		"Account":      {"Name", "State", "Ready", "Email", "Reason (wide)", "Age"},
	}
	for kind, columns := range want {
		t.Run(kind, func(t *testing.T) {
			var got []string
			for _, column := range table(t, kind).ColumnDefinitions {
				name := column.Name
				if column.Priority > 0 {
					name += " (wide)"
				}
				if column.Description == "" {
					t.Errorf("the column %s has no description", column.Name)
				}
				got = append(got, name)
			}
			if diff := cmp.Diff(columns, got); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
		})
	}
}

// table requests all objects of a kind as a table, as kubectl get does.
func table(t *testing.T, kind string) *metav1.Table {
	t.Helper()
	plural, _ := meta.UnsafeGuessKindToResource(accountsv1.GroupVersion.WithKind(kind))
	answer, err := server.RESTClient().Get().AbsPath("apis", plural.Group, plural.Version, plural.Resource).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	table := &metav1.Table{}
	if err := json.Unmarshal(answer, table); err != nil {
		t.Fatal(err)
	}
	return table
}

// A round trip through the Go types neither loses nor adds anything.
func TestTypesHoldManifests(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := accountsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for kind, manifest := range kinds {
		t.Run(kind, func(t *testing.T) {
			object, err := scheme.New(accountsv1.GroupVersion.WithKind(kind))
			if err != nil {
				t.Fatal(err)
			}
			if err := yaml.UnmarshalStrict([]byte(manifest), object); err != nil {
				t.Fatal(err)
			}
			written, err := yaml.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(parse(t, manifest), parse(t, string(written))); diff != "" {
				t.Errorf("the object after a round trip (-want +got):\n%s", diff)
			}
		})
	}
}
