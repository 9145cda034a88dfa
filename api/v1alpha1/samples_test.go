// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

const (
	sampleFolder = "../../config/samples"
	rightsFolder = "../../config/rbac"
)

// sampleFolders returns the folders of the samples, one for each sample.
func sampleFolders(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(sampleFolder, "*", "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	folders := []string{sampleFolder}
	for _, file := range found {
		folders = append(folders, filepath.Dir(file))
	}
	if len(folders) != 6 {
		t.Errorf("found %d samples, want Acme and five systems: %v", len(folders), folders)
	}
	return folders
}

// The test sends the samples unchanged, in the order of the kustomization. The API
// server refuses unknown and duplicate fields.
func TestSamples(t *testing.T) {
	// The controller would create the home namespace, but it is not running here.
	send(t, []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: acme}\n"))
	for _, folder := range sampleFolders(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			for _, file := range kustomized(t, folder) {
				for _, manifest := range documents(t, filepath.Join(folder, file)) {
					send(t, manifest)
				}
			}
		})
	}
}

// Everything that a sample refers to is in the sample, in Usher's own RBAC manifests,
// or in every cluster.
func TestSamplesReferToWhatThereIs(t *testing.T) {
	rights := read(t, filepath.Join(rightsFolder, "grantable.yaml"), filepath.Join(rightsFolder, "management.yaml"))
	for _, folder := range sampleFolders(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			var files []string
			for _, file := range kustomized(t, folder) {
				files = append(files, filepath.Join(folder, file))
			}
			s := read(t, files...)
			s.clusterRoles = append(s.clusterRoles, rights.clusterRoles...)
			s.clusterRoleBindings = append(s.clusterRoleBindings, rights.clusterRoleBindings...)
			if len(s.organizations) != 1 || len(s.memberships) == 0 {
				t.Fatalf("the sample has %d Organizations and %d Memberships, want one Organization and some Memberships", len(s.organizations), len(s.memberships))
			}
			for _, fault := range slices.Concat(s.catalogueFaults(), s.clusterRoleFaults(), s.peopleFaults()) {
				t.Error(fault)
			}
		})
	}
}

// All samples fit in one cluster: no object is in two of them.
func TestSamplesShareNothing(t *testing.T) {
	holder := map[string]string{}
	for _, folder := range sampleFolders(t) {
		for _, file := range kustomized(t, folder) {
			for _, manifest := range documents(t, filepath.Join(folder, file)) {
				o := parse(t, string(manifest))
				key := o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
				if other := holder[key]; other != "" {
					t.Errorf("%s is in %s and in %s", key, other, folder)
				}
				holder[key] = folder
			}
		}
	}
}

// kustomized returns the files of a folder's kustomization. It fails the test if they
// are not all the files of the folder.
func kustomized(t *testing.T, folder string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct{ Resources []string }
	if err := yaml.Unmarshal(data, &kustomization); err != nil {
		t.Fatal(err)
	}

	present, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"kustomization.yaml": true}
	for _, file := range kustomization.Resources {
		want[file] = true
	}
	got := map[string]bool{}
	for _, file := range present {
		got[filepath.Base(file)] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the files of the kustomization and those in %s (-listed +present):\n%s", folder, diff)
	}
	return kustomization.Resources
}

// documents returns the manifests in a file.
func documents(t *testing.T, file string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	var all [][]byte
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, document)
	}
}

// send applies a manifest byte for byte, and deletes the object when the test ends.
func send(t *testing.T, manifest []byte) {
	t.Helper()
	object := parse(t, string(manifest))
	plural, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
	root := "apis"
	if plural.Group == "" {
		root = "api"
	}
	request := server.RESTClient().Patch(types.ApplyYAMLPatchType).AbsPath(root, plural.Group, plural.Version)
	if namespace := object.GetNamespace(); namespace != "" {
		request = request.Namespace(namespace)
	}
	err := request.Resource(plural.Resource).Name(object.GetName()).
		Param("fieldManager", "kubectl").
		Param("fieldValidation", metav1.FieldValidationStrict).
		Body(manifest).
		Do(t.Context()).Error()
	if err != nil {
		t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
	if object.GetKind() == "Namespace" {
		return // Its deletion would wait for the namespace controller, which is not running here.
	}
	t.Cleanup(func() { unmake(t, object) })
}

// sample holds the objects of some manifests.
type sample struct {
	namespaces          map[string]labels.Set
	clusterRoles        []rbacv1.ClusterRole
	clusterRoleBindings []rbacv1.ClusterRoleBinding
	organizations       []accountsv1.Organization
	memberships         []accountsv1.Membership
	// invitations holds Invitations as the Memberships that Usher would create.
	invitations []accountsv1.Membership
}

func read(t *testing.T, files ...string) sample {
	t.Helper()
	s := sample{namespaces: map[string]labels.Set{}}
	for _, file := range files {
		for _, manifest := range documents(t, file) {
			object := parse(t, string(manifest))
			switch object.GetKind() {
			case "Namespace":
				s.namespaces[object.GetName()] = object.GetLabels()
			case "ClusterRole":
				s.clusterRoles = append(s.clusterRoles, as[rbacv1.ClusterRole](t, object))
			case "ClusterRoleBinding":
				s.clusterRoleBindings = append(s.clusterRoleBindings, as[rbacv1.ClusterRoleBinding](t, object))
			case "Organization":
				s.organizations = append(s.organizations, as[accountsv1.Organization](t, object))
			case "Membership":
				s.memberships = append(s.memberships, as[accountsv1.Membership](t, object))
			case "Invitation":
				inv := as[accountsv1.Invitation](t, object)
				s.invitations = append(s.invitations, accountsv1.Membership{ObjectMeta: inv.ObjectMeta, Spec: accountsv1.MembershipSpec{
					OrganizationRef: inv.Spec.OrganizationRef, Role: inv.Spec.Role,
				}})
			default:
				t.Errorf("%s contains a %s, which this test does not know", file, object.GetKind())
			}
		}
	}
	return s
}

// as converts an object to its Go type.
func as[T any](t *testing.T, object *unstructured.Unstructured) (typed T) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &typed, true); err != nil {
		t.Fatal(err)
	}
	return typed
}

// catalogueFaults reports the names in the catalogue that refer to nothing.
func (s sample) catalogueFaults() (faults []string) {
	org := &s.organizations[0]
	home := string(org.Spec.Namespace)
	for _, r := range org.Spec.Resources {
		for _, name := range r.Namespaces.Names {
			if _, found := s.namespaces[string(name)]; !found && string(name) != home {
				faults = append(faults, fmt.Sprintf("resource %s names the namespace %s, which is not in the sample", r.Name, name))
			}
		}
		if r.Namespaces.Selector != nil && !s.selects(r.Namespaces.Selector) {
			faults = append(faults, fmt.Sprintf("the selector of resource %s matches no namespace of the sample", r.Name))
		}
	}
	for _, role := range org.Spec.Roles {
		faults = append(faults, grantFaults(org, "role "+string(role.Name), role.Grants)...)
	}
	faults = append(faults, grantFaults(org, "default grants", org.Spec.DefaultGrants)...)
	for _, f := range org.Spec.Founders {
		if role, found := org.Role(f.Role); !found || role.Standing != accountsv1.StandingOwner {
			faults = append(faults, fmt.Sprintf("founder %s has the role %s, which is not a role of owners", f.Name, f.Role))
		}
	}
	return faults
}

func (s sample) selects(by *metav1.LabelSelector) bool {
	selector, err := metav1.LabelSelectorAsSelector(by)
	if err != nil {
		return false
	}
	for _, set := range s.namespaces {
		if selector.Matches(set) {
			return true
		}
	}
	return false
}

func grantFaults(org *accountsv1.Organization, where string, grants []accountsv1.Grant) (faults []string) {
	for _, g := range grants {
		if !hasPermission(org, g.Permission) {
			faults = append(faults, fmt.Sprintf("%s: permission %s does not exist", where, g.Permission))
		}
		for _, resource := range g.Resources {
			if !slices.ContainsFunc(org.Spec.Resources, func(r accountsv1.Resource) bool { return r.Name == resource }) {
				faults = append(faults, fmt.Sprintf("%s: resource %s does not exist", where, resource))
			}
		}
	}
	return faults
}

func hasPermission(org *accountsv1.Organization, name accountsv1.CatalogueName) bool {
	return slices.ContainsFunc(org.Spec.Permissions, func(p accountsv1.Permission) bool { return p.Name == name })
}

// hasPair reports whether the Organization has the permission and the resource of a name
// for the verb assign, such as deploy:staging.
func hasPair(org *accountsv1.Organization, name string) bool {
	permission, resource, found := strings.Cut(name, ":")
	return found && hasPermission(org, accountsv1.CatalogueName(permission)) &&
		slices.ContainsFunc(org.Spec.Resources, func(r accountsv1.Resource) bool { return string(r.Name) == resource })
}

// clusterRoleFaults reports ClusterRoles that do not exist or that Usher cannot bind.
// It also reports rules for roles and permissions that the Organization does not have.
func (s sample) clusterRoleFaults() (faults []string) {
	org := &s.organizations[0]
	bindable := s.bindable()
	for _, p := range org.Spec.Permissions {
		builtIn := p.ClusterRole == "view" || p.ClusterRole == "edit"
		exists := slices.ContainsFunc(s.clusterRoles, func(c rbacv1.ClusterRole) bool { return c.Name == p.ClusterRole })
		switch {
		case p.ClusterRole == "":
		case !exists && !builtIn:
			faults = append(faults, fmt.Sprintf("permission %s: ClusterRole %s does not exist", p.Name, p.ClusterRole))
		case !slices.Contains(bindable, p.ClusterRole):
			faults = append(faults, fmt.Sprintf("permission %s: Usher cannot bind the ClusterRole %s", p.Name, p.ClusterRole))
		}
	}
	for _, c := range s.clusterRoles {
		for _, rule := range c.Rules {
			for _, name := range rule.ResourceNames {
				_, isRole := org.Role(accountsv1.CatalogueName(name))
				if slices.Contains(rule.Resources, "roles") && !isRole ||
					slices.Contains(rule.Resources, "permissions") && !hasPair(org, name) {
					faults = append(faults, fmt.Sprintf("ClusterRole %s assigns %s, which the Organization does not have", c.Name, name))
				}
			}
		}
	}
	return faults
}

// bindable returns the names of the ClusterRoles that the controller can bind.
func (s sample) bindable() (names []string) {
	for _, b := range s.clusterRoleBindings {
		if !slices.Contains(b.Subjects, rbacv1.Subject{Kind: "ServiceAccount", Namespace: "usher-system", Name: "usher-controller"}) {
			continue
		}
		for _, c := range s.clusterRoles {
			for _, rule := range c.Rules {
				if c.Name == b.RoleRef.Name && slices.Equal(rule.Verbs, []string{"bind"}) && slices.Equal(rule.Resources, []string{"clusterroles"}) {
					names = append(names, rule.ResourceNames...)
				}
			}
		}
	}
	return names
}

// peopleFaults reports the names in Memberships and Invitations that refer to
// nothing.
func (s sample) peopleFaults() (faults []string) {
	org := &s.organizations[0]
	for _, m := range slices.Concat(s.memberships, s.invitations) {
		var overrides []accountsv1.Grant
		for _, o := range m.Spec.Permissions {
			overrides = append(overrides, accountsv1.Grant{Permission: o.Permission, Resources: o.Resources})
		}
		faults = append(faults, grantFaults(org, m.Name, overrides)...)
		if _, found := org.Role(m.Spec.Role); !found {
			faults = append(faults, fmt.Sprintf("%s: role %s does not exist", m.Name, m.Spec.Role))
		}
		if string(m.Spec.OrganizationRef.Name) != org.Name || m.Namespace != string(org.Spec.Namespace) {
			faults = append(faults, fmt.Sprintf("%s is not in the home namespace of the Organization of the sample", m.Name))
		}
	}
	return faults
}
