// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"pgregory.net/rapid"
)

// rule returns a rule in short form: lists are separated by spaces, and "core" is the
// core group.
func rule(verbs, groups, resources string) rbacv1.PolicyRule {
	r := rbacv1.PolicyRule{Verbs: strings.Fields(verbs), APIGroups: strings.Fields(groups), Resources: strings.Fields(resources)}
	for i, group := range r.APIGroups {
		if group == "core" {
			r.APIGroups[i] = ""
		}
	}
	return r
}

const (
	reading = "get list watch"
	writing = "create delete deletecollection patch update"
	usher   = "accounts.usher.dev"
)

// These are the rules of Kubernetes 1.36 for its own ClusterRoles.
var (
	viewRules = []rbacv1.PolicyRule{
		rule(reading, "core", "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status"),
		rule(reading, "core", "bindings limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status"),
		rule(reading, "core", "namespaces"),
		rule(reading, "core events.k8s.io", "events"),
		rule(reading, "apps", "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status statefulsets statefulsets/status"),
		rule(reading, "batch", "cronjobs cronjobs/status jobs jobs/status"),
		rule(reading, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
	}
	editRules = append(slices.Clone(viewRules),
		rule(reading, "core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
		rule("impersonate", "core", "serviceaccounts"),
		rule(writing, "core", "pods pods/attach pods/exec pods/portforward pods/proxy"),
		rule("create", "core", "pods/eviction"),
		rule(writing, "core", "configmaps persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy"),
		rule("create", "core", "serviceaccounts/token"),
		rule(writing, "core events.k8s.io", "events"),
		rule(writing, "apps", "daemonsets deployments deployments/rollback deployments/scale replicasets statefulsets"),
		rule(writing+" "+reading, "coordination.k8s.io", "leases"),
	)
	adminRules = append(slices.Clone(editRules),
		rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
		rule(writing+" "+reading, "rbac.authorization.k8s.io", "rolebindings roles"),
	)
	clusterAdminRules = []rbacv1.PolicyRule{
		rule("*", "*", "*"),
		{Verbs: []string{"*"}, NonResourceURLs: []string{"*"}},
	}
)

func TestInspect(t *testing.T) {
	cases := map[string]struct {
		rules   []rbacv1.PolicyRule
		excess  string
		manages bool
	}{
		"no rules":      {},
		"view":          {rules: viewRules},
		"edit":          {rules: editRules},
		"admin":         {rules: adminRules},
		"cluster-admin": {rules: clusterAdminRules, excess: "the API group *", manages: true},

		"every verb on one resource":            {rules: []rbacv1.PolicyRule{rule("*", "apps", "deployments")}, excess: "the verb *"},
		"every resource, to read":               {rules: []rbacv1.PolicyRule{rule("get", "core", "*")}, excess: "the resource *"},
		"a subresource of every resource":       {rules: []rbacv1.PolicyRule{rule("get", "apps", "*/scale")}, excess: "the resource */scale"},
		"every API group, to read":              {rules: []rbacv1.PolicyRule{rule("get", "*", "pods")}, excess: "the API group *"},
		"every API group, to write":             {rules: []rbacv1.PolicyRule{rule("create", "*", "pods")}, excess: "the API group *", manages: true},
		"an asterisk that RBAC takes literally": {rules: []rbacv1.PolicyRule{rule("get*", "apps*", "deployments/*")}},
		"every verb on one URL":                 {rules: []rbacv1.PolicyRule{{Verbs: []string{"*"}, NonResourceURLs: []string{"/healthz"}}}, excess: "the verb *"},
		"every URL":                             {rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"*"}}}, excess: "the URL *"},
		"every URL, in another form":            {rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/*"}}}, excess: "the URL *"},
		"every URL, with two asterisks":         {rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/**"}}}, excess: "the URL *"},
		"some URLs":                             {rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/healthz", "/", "/api/*"}}}},

		"binds Roles":            {rules: []rbacv1.PolicyRule{rule("bind get", "rbac.authorization.k8s.io", "roles")}, excess: "bind on roles"},
		"escalates ClusterRoles": {rules: []rbacv1.PolicyRule{rule("escalate", "rbac.authorization.k8s.io", "rolebindings clusterroles")}, excess: "escalate on clusterroles"},
		"binds one ClusterRole":  {rules: []rbacv1.PolicyRule{{Verbs: []string{"bind"}, APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, ResourceNames: []string{"view"}}}, excess: "bind on clusterroles"},
		"binds resources of the same name in another group": {rules: []rbacv1.PolicyRule{rule("bind escalate", "crm.example.com", "roles clusterroles")}},
		"escalates in capitals, which allows nothing":       {rules: []rbacv1.PolicyRule{rule("Escalate", "rbac.authorization.k8s.io", "clusterroles"), rule("escalate", "rbac.authorization.k8s.io", "ClusterRoles")}},

		"acts as service accounts":                                  {rules: []rbacv1.PolicyRule{rule("impersonate", "core", "serviceaccounts")}},
		"acts as users":                                             {rules: []rbacv1.PolicyRule{rule("impersonate", "core", "serviceaccounts users")}, excess: "impersonate on users"},
		"acts as groups":                                            {rules: []rbacv1.PolicyRule{rule("impersonate", "core", "groups")}, excess: "impersonate on groups"},
		"acts with other scopes":                                    {rules: []rbacv1.PolicyRule{rule("impersonate", "authentication.k8s.io", "userextras/scopes")}, excess: "impersonate on userextras/scopes"},
		"acts as service accounts of another group":                 {rules: []rbacv1.PolicyRule{rule("impersonate", "core authentication.k8s.io", "serviceaccounts")}, excess: "impersonate on serviceaccounts"},
		"acts as users, as constrained impersonation":               {rules: []rbacv1.PolicyRule{rule("impersonate:user-info", "authentication.k8s.io", "users")}, excess: "impersonate:user-info on users"},
		"acts on Pods, as constrained impersonation":                {rules: []rbacv1.PolicyRule{rule("impersonate-on:user-info:list", "core", "pods")}, excess: "impersonate-on:user-info:list on pods"},
		"approves certificates":                                     {rules: []rbacv1.PolicyRule{rule("approve", "certificates.k8s.io", "signers")}, excess: "approve on signers"},
		"signs certificates":                                        {rules: []rbacv1.PolicyRule{rule("sign", "certificates.k8s.io", "signers")}, excess: "sign on signers"},
		"attests trust":                                             {rules: []rbacv1.PolicyRule{rule("attest", "certificates.k8s.io", "signers")}, excess: "attest on signers"},
		"reads everything of Usher's":                               {rules: []rbacv1.PolicyRule{rule(reading, usher, "accounts accounts/status organizations memberships memberships/status invitations")}},
		"manages people":                                            {rules: []rbacv1.PolicyRule{rule(writing, usher, "memberships invitations")}, manages: true},
		"assigns roles":                                             {rules: []rbacv1.PolicyRule{rule("assign", usher, "roles permissions")}, manages: true},
		"assigns one role":                                          {rules: []rbacv1.PolicyRule{{Verbs: []string{"assign"}, APIGroups: []string{usher}, Resources: []string{"roles"}, ResourceNames: []string{"member"}}}, manages: true},
		"deletes people in addition to reading":                     {rules: append(slices.Clone(viewRules), rule("get delete", "apps "+usher, "memberships")), manages: true},
		"reads Usher's resources in capitals, which is not reading": {rules: []rbacv1.PolicyRule{rule("Get", usher, "memberships")}, manages: true},
		"writes a group that only resembles Usher's":                {rules: []rbacv1.PolicyRule{rule("update", "Accounts.usher.dev usher.dev evil.accounts.usher.dev", "memberships accounts")}},
		"writes Accounts":                                           {rules: []rbacv1.PolicyRule{rule("get patch", usher, "memberships accounts")}, excess: "patch on accounts", manages: true},
		"writes Organizations":                                      {rules: []rbacv1.PolicyRule{rule("deletecollection", usher, "organizations")}, excess: "deletecollection on organizations", manages: true},
		"writes part of an Account":                                 {rules: []rbacv1.PolicyRule{rule("create", usher, "accounts/reset")}, excess: "create on accounts/reset", manages: true},
		"writes a status":                                           {rules: []rbacv1.PolicyRule{rule("update", usher, "memberships/status")}, excess: "update on memberships/status", manages: true},
		"writes finalizers":                                         {rules: []rbacv1.PolicyRule{rule("update", usher, "invitations/finalizers")}, excess: "update on invitations/finalizers", manages: true},
		"writes every status":                                       {rules: []rbacv1.PolicyRule{rule("update", usher, "*/status")}, excess: "the resource */status", manages: true},
		"answers for others":                                        {rules: []rbacv1.PolicyRule{rule("answer", usher, "invitations")}, excess: "answer on invitations", manages: true},
		"answers something else":                                    {rules: []rbacv1.PolicyRule{rule("answer", "phone.example.com", "calls")}},
		"writes the status of another group's resource":             {rules: []rbacv1.PolicyRule{rule("update", "apps", "deployments/status deployments/finalizers")}},
		"a rule without resources, which allows nothing":            {rules: []rbacv1.PolicyRule{rule("update bind impersonate", usher+" rbac.authorization.k8s.io", "")}},
		"a rule without verbs, which allows nothing":                {rules: []rbacv1.PolicyRule{rule("", usher, "accounts")}},
		"a rule without API groups, which allows nothing":           {rules: []rbacv1.PolicyRule{rule("update bind impersonate", "", "accounts clusterroles users")}},

		"a name with a line break": {rules: []rbacv1.PolicyRule{{Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"a\nb\u202e"}}}, excess: "impersonate on a b"},
		"the first of several": {rules: []rbacv1.PolicyRule{
			rule("update", usher, "organizations accounts"), rule("escalate bind", "rbac.authorization.k8s.io", "roles clusterroles"),
		}, excess: "bind on clusterroles", manages: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := Inspect(c.rules)
			if got.Excess != c.excess || got.Manages != c.manages {
				t.Errorf("excess %q, manages %v; want %q, %v", got.Excess, got.Manages, c.excess, c.manages)
			}
			if got.Manages && !got.ManagesAtHome {
				t.Error("it does not manage at home")
			}
		})
	}
}

// In a home namespace, a person can come to manage people with all but plain reading.
func TestInspectAtHome(t *testing.T) {
	for name, c := range map[string]struct {
		rules []rbacv1.PolicyRule
		want  bool
	}{
		"no rules":                              {nil, false},
		"view":                                  {viewRules, false},
		"edit":                                  {editRules, true},
		"admin":                                 {adminRules, true},
		"cluster-admin":                         {clusterAdminRules, true},
		"the three ClusterRoles: to see people": {[]rbacv1.PolicyRule{rule(reading, usher, "memberships invitations")}, false},
		"the three ClusterRoles: to manage":     {[]rbacv1.PolicyRule{rule(writing, usher, "memberships")}, true},

		"gets Secrets":                        {[]rbacv1.PolicyRule{rule("get", "core", "secrets")}, true},
		"lists Secrets":                       {[]rbacv1.PolicyRule{rule("list", "core", "configmaps secrets")}, true},
		"watches Secrets":                     {[]rbacv1.PolicyRule{rule("watch", "apps core", "secrets")}, true},
		"gets one Secret":                     {[]rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"tls"}}}, true},
		"gets Secrets of another group":       {[]rbacv1.PolicyRule{rule("get", "vault.example.com", "secrets")}, false},
		"gets everything":                     {[]rbacv1.PolicyRule{rule("get", "core", "*")}, true},
		"gets every group":                    {[]rbacv1.PolicyRule{rule("get", "*", "secrets")}, true},
		"writes the credentials":              {[]rbacv1.PolicyRule{{Verbs: []string{"update"}, APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"usher-credentials"}}}, true},
		"writes the mail templates":           {[]rbacv1.PolicyRule{rule("patch", "core", "configmaps")}, true},
		"writes one other ConfigMap":          {[]rbacv1.PolicyRule{{Verbs: []string{"update"}, APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"rates"}}}, true},
		"reads ConfigMaps":                    {[]rbacv1.PolicyRule{rule(reading, "core", "configmaps")}, false},
		"requests tokens":                     {[]rbacv1.PolicyRule{rule("create", "core", "serviceaccounts/token")}, true},
		"acts as service accounts":            {[]rbacv1.PolicyRule{rule("impersonate", "core", "serviceaccounts")}, true},
		"reads Pods, their logs and services": {[]rbacv1.PolicyRule{rule(reading, "core", "pods pods/log pods/status services serviceaccounts")}, false},
		"creates Pods":                        {[]rbacv1.PolicyRule{rule("create", "core", "pods")}, true},
		"changes Pods":                        {[]rbacv1.PolicyRule{rule("patch", "core", "pods")}, true},
		"adds ephemeral containers":           {[]rbacv1.PolicyRule{rule("update", "core", "pods/ephemeralcontainers")}, true},
		"executes commands":                   {[]rbacv1.PolicyRule{rule("create", "core", "pods/exec")}, true},
		"executes commands by GET":            {[]rbacv1.PolicyRule{rule("get", "core", "pods/exec")}, true},
		"attaches by GET":                     {[]rbacv1.PolicyRule{rule("get", "core", "pods/attach")}, true},
		"forwards ports by GET":               {[]rbacv1.PolicyRule{rule("get", "core", "pods/portforward")}, true},
		"connects through the API server":     {[]rbacv1.PolicyRule{rule("get", "core", "services/proxy")}, true},
		"creates Deployments":                 {[]rbacv1.PolicyRule{rule("create", "apps", "deployments")}, true},
		"patches StatefulSets":                {[]rbacv1.PolicyRule{rule("patch", "apps", "statefulsets")}, true},
		"creates CronJobs":                    {[]rbacv1.PolicyRule{rule("create", "batch", "cronjobs")}, true},
		"creates ReplicationControllers":      {[]rbacv1.PolicyRule{rule("create", "core", "replicationcontrollers")}, true},
		"creates what runs Pods":              {[]rbacv1.PolicyRule{rule("create", "argoproj.io", "workflows")}, true},
		"creates what writes Secrets":         {[]rbacv1.PolicyRule{rule("create", "cert-manager.io", "certificates")}, true},
		"writes RoleBindings":                 {[]rbacv1.PolicyRule{rule("create", rbacv1.GroupName, "rolebindings")}, true},
		"relabels the namespace":              {[]rbacv1.PolicyRule{rule("patch", "core", "namespaces")}, true},
		"reads other kinds":                   {[]rbacv1.PolicyRule{rule(reading, "example.com apps batch", "widgets deployments cronjobs")}, false},
		"reads in capitals":                   {[]rbacv1.PolicyRule{rule("Get", "core", "pods")}, true},
		"reads a URL":                         {[]rbacv1.PolicyRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/healthz"}}}, false},
		"a rule without resources":            {[]rbacv1.PolicyRule{rule("create", "core", "")}, false},
		"a rule without API groups":           {[]rbacv1.PolicyRule{rule("create", "", "pods")}, false},
		"a rule without verbs":                {[]rbacv1.PolicyRule{rule("", "core", "secrets")}, false},
		"several rules, of which one does":    {append(slices.Clone(viewRules), rule("get", "core", "secrets")), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Inspect(c.rules).ManagesAtHome; got != c.want {
				t.Errorf("it manages at home: %v", got)
			}
		})
	}
}

func TestInspectTellsNoMoreThanFitsAStatus(t *testing.T) {
	got := Inspect([]rbacv1.PolicyRule{rule("impersonate", "core", strings.Repeat("ü", 100_000))})
	if n := len([]rune(got.Excess)); n != 120 {
		t.Errorf("%d characters", n)
	}
}

// someRule is any rule made of names that matter and of similar ones.
func someRule() *rapid.Generator[rbacv1.PolicyRule] {
	some := func(names ...string) *rapid.Generator[[]string] {
		return rapid.SliceOfN(rapid.SampledFrom(names), 0, 3)
	}
	return rapid.Custom(func(t *rapid.T) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{
			Verbs:           some("get", "list", "update", "bind", "escalate", "impersonate", "impersonate:user-info", "assign", "answer", "approve", "*", "Get").Draw(t, "verbs"),
			APIGroups:       some("", "apps", usher, rbacv1.GroupName, "certificates.k8s.io", "*").Draw(t, "groups"),
			Resources:       some("pods", "roles", "clusterroles", "serviceaccounts", "users", "accounts", "memberships", "memberships/status", "signers", "*", "*/status").Draw(t, "resources"),
			ResourceNames:   some("view", "jane-doe").Draw(t, "names"),
			NonResourceURLs: some("/healthz", "/*", "*").Draw(t, "urls"),
		}
	})
}

func TestAddingARuleTakesNothingAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := rapid.SliceOfN(someRule(), 0, 5).Draw(t, "rules")
		before := Inspect(rules)
		at := rapid.IntRange(0, len(rules)).Draw(t, "at")
		more := Inspect(slices.Insert(slices.Clone(rules), at, someRule().Draw(t, "rule")))
		if before.Excess != "" && (more.Excess == "" || more.Excess > before.Excess) {
			t.Errorf("excess was %q, is %q", before.Excess, more.Excess)
		}
		if before.Manages && !more.Manages || before.ManagesAtHome && !more.ManagesAtHome {
			t.Error("no longer manages")
		}
	})
}

func TestTheOrderOfRulesDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := rapid.SliceOfN(someRule(), 0, 5).Draw(t, "rules")
		before := Inspect(rules)
		shuffled := rapid.Permutation(rules).Draw(t, "shuffled")
		for i := range shuffled {
			r := shuffled[i].DeepCopy()
			slices.Reverse(r.Verbs)
			slices.Reverse(r.APIGroups)
			slices.Reverse(r.Resources)
			r.ResourceNames = nil
			shuffled[i] = *r
		}
		if after := Inspect(shuffled); after != before {
			t.Errorf("%+v became %+v", before, after)
		}
	})
}
