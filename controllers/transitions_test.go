// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// transition changes one field to another valid value.
type transition[T client.Object] struct {
	to func(T)
	// seen waits for the effect of the change. nil means that it has no visible effect.
	seen func(ctx context.Context)
	// after removes what a change leaves behind by design.
	after func(ctx context.Context)
	// refused is set if the field is immutable.
	refused bool
}

// fieldsOf returns the fields of the spec of a kind, such as
// "roles[].grants[].permission".
func fieldsOf(plural string) (paths []string) {
	GinkgoHelper()
	raw, err := os.ReadFile(filepath.Join("..", "config", "crd", "bases", "accounts.usher.dev_"+plural+".yaml"))
	Expect(err).NotTo(HaveOccurred())
	var crd apiextensionsv1.CustomResourceDefinition
	Expect(yaml.Unmarshal(raw, &crd)).To(Succeed())
	Expect(crd.Spec.Versions).To(HaveLen(1))
	var walk func(prefix string, schema apiextensionsv1.JSONSchemaProps)
	walk = func(prefix string, schema apiextensionsv1.JSONSchemaProps) {
		for name, field := range schema.Properties {
			paths = append(paths, prefix+name)
			walk(prefix+name+".", field)
			if field.Items != nil {
				walk(prefix+name+"[].", *field.Items.Schema)
			}
		}
	}
	walk("", crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"])
	return paths
}

// picture returns the visible state of a world, without times and without counters of
// writes.
func (w world) picture(ctx context.Context) []string {
	GinkgoHelper()
	var all []string
	for _, list := range []client.ObjectList{
		&accountsv1.OrganizationList{}, &accountsv1.MembershipList{}, &accountsv1.InvitationList{}, &accountsv1.AccountList{}, &rbacv1.RoleBindingList{},
	} {
		Expect(k8s.List(ctx, list)).To(Succeed())
		Expect(meta.EachListItem(list, func(item runtime.Object) error {
			o := item.(client.Object)
			if !strings.HasPrefix(o.GetName()+"-", w.name+"-") && o.GetNamespace() != w.name && !strings.HasPrefix(o.GetName(), "usher:"+w.name+":") {
				return nil
			}
			whole, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
			Expect(err).NotTo(HaveOccurred())
			kept := map[string]any{"finalizers": o.GetFinalizers(), "labels": o.GetLabels(), "deleting": o.GetDeletionTimestamp() != nil}
			for _, part := range []string{"spec", "status", "roleRef", "subjects"} {
				kept[part] = timeless(whole[part])
			}
			if status, is := kept["status"].(map[string]any); is {
				delete(status, "founders") // a record, which keeps former founders
			}
			raw, err := json.Marshal(kept)
			Expect(err).NotTo(HaveOccurred())
			all = append(all, o.GetNamespace()+"/"+o.GetName()+" "+string(raw))
			return nil
		})).To(Succeed())
	}
	slices.Sort(all)
	return all
}

// timeless removes times and generations, and values that are empty without them.
func timeless(value any) any {
	switch value := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for key, v := range value {
			isTime := key == "observedGeneration" || key == "generation" || key == "since" || strings.HasSuffix(key, "Time") || strings.HasSuffix(key, "Times")
			if v = timeless(v); !isTime && v != nil {
				kept[key] = v
			}
		}
		if len(kept) == 0 {
			return nil
		}
		return kept
	case []any:
		kept := make([]any, len(value))
		for i := range value {
			kept[i] = timeless(value[i])
		}
		return kept
	}
	return value
}

// comesBack changes one field after the other and back again. Each time, everything must
// be as before.
func comesBack[T client.Object](ctx context.Context, w world, plural string, o T, setSpec func(into, from T), rows map[string]transition[T]) {
	GinkgoHelper()
	Expect(slices.Collect(maps.Keys(rows))).To(ConsistOf(fieldsOf(plural)), "each field has a row here")
	mailed := func() map[string]int {
		sent := w.mailed()
		delete(sent, string(w.email("eve"))) // briefly a founder
		return sent
	}
	before, mails := w.picture(ctx), mailed()
	looked := func() {
		eventually(ctx, o, HaveField("Status.ObservedGeneration", HaveValue(Equal(o.GetGeneration()))))
	}
	for _, field := range slices.Sorted(maps.Keys(rows)) {
		row := rows[field]
		By(plural + " spec." + field)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		original := o.DeepCopyObject().(T)
		if row.refused {
			row.to(o)
			err := k8s.Update(ctx, o)
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%s: %v", field, err)
			Expect(err).To(MatchError(ContainSubstring("cannot be changed")))
			continue
		}
		change(ctx, o, row.to)
		Expect(o.GetGeneration()).To(BeNumerically(">", original.GetGeneration()), "%s is changed", field)
		looked()
		if row.seen != nil {
			row.seen(ctx)
		}
		change(ctx, o, func(o T) { setSpec(o, original) })
		looked()
		if row.after != nil {
			row.after(ctx)
		}
		Eventually(func() string { return cmp.Diff(before, w.picture(ctx)) }).Should(BeEmpty(), "after %s was changed and changed back", field)
	}
	quiet(ctx)
	Expect(cmp.Diff(before, w.picture(ctx))).To(BeEmpty())
	Expect(mailed()).To(Equal(mails), "no mail was sent")
}

var _ = Describe("A field that is changed and changed back", Label("K1"), Ordered, func() {
	var w world

	// The world has an owner, a member and an invited person, and uses every part of a
	// catalogue.
	BeforeAll(func(ctx SpecContext) {
		w = aWorld()
		fleet := namespace(w.name + "-fleet")
		fleet.Labels = map[string]string{"example.com/fleet": w.name, "example.com/tier": "open"}
		org := w.organization()
		org.Spec.Resources = append(org.Spec.Resources, accountsv1.Resource{
			Name: "fleet", Namespaces: accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{
				MatchLabels:      map[string]string{"example.com/fleet": w.name},
				MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "example.com/tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"open"}}},
			}},
		})
		org.Spec.Roles = append(org.Spec.Roles, accountsv1.Role{Name: "owner", Standing: accountsv1.StandingOwner, Seat: accountsv1.SeatFree})
		org.Spec.DefaultGrants = []accountsv1.Grant{grantOn("look", "fleet")}
		org.Spec.Founders = []accountsv1.Founder{{Name: "ada", Email: w.email("ada"), Role: "owner"}}
		create(ctx, namespace(w.staging()), fleet, org)
		DeferCleanup(func(ctx SpecContext) {
			Expect(k8s.DeleteAllOf(ctx, &accountsv1.Membership{}, client.InNamespace(w.name))).To(Succeed())
		})
		eventually(ctx, w.membership("ada"), haveState("Invited"), beReady())
		w.accept(ctx, "ada", w.name+"-ada")
		eventually(ctx, w.membership("ada"), haveState("Active"), beReady())
		w.confirmed(ctx, "ada")
		w.enlist(ctx, "jane", "developer", overrideOn("Allow", "look", "staging"))
		john := w.membership("john")
		john.Spec.Permissions = []accountsv1.PermissionOverride{overrideOn("Allow", "look", "staging")}
		create(ctx, john)
		eventually(ctx, john, haveState("Invited"), beReady())
		eventually(ctx, w.invitation("jane"), HaveField("Status.Deliveries",
			ContainElement(And(HaveField("Purpose", accountsv1.PurposeJoined), HaveField("Result", accountsv1.DeliverySent)))))
		eventually(ctx, w.membership("jane"), haveState("Active"), beReady())
		eventually(ctx, w.organization(), beReady(), HaveField("Status.Owners", HaveLen(1)))
		quiet(ctx)
	})

	It("leaves no trace in an Organization", func(ctx SpecContext) {
		comesBack(ctx, w, "organizations", w.organization(),
			func(into, from *accountsv1.Organization) { into.Spec = from.Spec }, w.organizationTransitions())
	})

	DescribeTable("leaves no trace in a Membership", func(ctx SpecContext, person string) {
		rows := w.membershipTransitions(person)
		comesBack(ctx, w, "memberships", w.membership(person), func(into, from *accountsv1.Membership) { into.Spec = from.Spec }, rows)
	},
		Entry("of a member", "jane"),
		Entry("of an invited person", "john"),
	)

	It("leaves no trace in an Account", func(ctx SpecContext) {
		a := &accountsv1.Account{ObjectMeta: metav1.ObjectMeta{Name: w.name + "-jane"}}
		comesBack(ctx, w, "accounts", a, func(into, from *accountsv1.Account) { into.Spec = from.Spec }, w.accountTransitions())
	})

	It("is refused in an Invitation", func(ctx SpecContext) {
		comesBack(ctx, w, "invitations", w.invitation("john"), func(into, from *accountsv1.Invitation) { into.Spec = from.Spec }, w.invitationTransitions())
	})
})

func (w world) membershipTransitions(person string) map[string]transition[*accountsv1.Membership] {
	m := w.membership(person)
	jane := &accountsv1.Account{ObjectMeta: metav1.ObjectMeta{Name: w.name + "-jane"}}
	ever := "view in " + w.name + "-fleet"
	edit, view := "edit in "+w.staging(), "view in "+w.staging()
	gets := func(want ...string) func(ctx context.Context) {
		return func(ctx context.Context) {
			if person == "jane" {
				w.eventuallyHasAccess(ctx, "jane", jane, append(want, ever)...)
			}
		}
	}
	return map[string]transition[*accountsv1.Membership]{
		"organizationRef":      {to: func(m *accountsv1.Membership) { m.Spec.OrganizationRef.Name = "other" }, refused: true},
		"organizationRef.name": {to: func(m *accountsv1.Membership) { m.Spec.OrganizationRef.Name = "other" }, refused: true},
		"email":                {to: func(m *accountsv1.Membership) { m.Spec.Email = w.email("eve") }, refused: true},
		"givenName":            {to: func(m *accountsv1.Membership) { m.Spec.GivenName = "Eve" }},
		"familyName":           {to: func(m *accountsv1.Membership) { m.Spec.FamilyName = "" }},
		"invitedBy":            {to: func(m *accountsv1.Membership) { m.Spec.InvitedBy = "Ada Example" }},
		"role":                 {to: func(m *accountsv1.Membership) { m.Spec.Role = "observer" }, seen: gets(view)},
		"state": {
			to:   func(m *accountsv1.Membership) { m.Spec.State = accountsv1.MembershipSwitchSuspended },
			seen: func(ctx context.Context) { eventually(ctx, m, beSuspended()) },
		},
		"permissions":              {to: func(m *accountsv1.Membership) { m.Spec.Permissions = nil }, seen: gets(edit)},
		"permissions[].effect":     {to: func(m *accountsv1.Membership) { m.Spec.Permissions[0].Effect = "Deny" }, seen: gets(edit)},
		"permissions[].permission": {to: func(m *accountsv1.Membership) { m.Spec.Permissions[0].Permission = "dashboards" }, seen: gets(edit, "group grafana-editors")},
		"permissions[].resources": {
			to:   func(m *accountsv1.Membership) { m.Spec.Permissions[0].Resources = []accountsv1.CatalogueName{"moon"} },
			seen: gets(edit, "look on moon: ResourceNotFound"),
		},
		"language":     {to: func(m *accountsv1.Membership) { m.Spec.Language = "it" }},
		"addressMatch": {to: func(m *accountsv1.Membership) { m.Spec.AddressMatch = accountsv1.AddressMatchAnyAddress }},
		"delivery":     {to: func(m *accountsv1.Membership) { m.Spec.Delivery = []accountsv1.DeliveryChannel{accountsv1.ChannelLink} }},
		"phoneNumber":  {to: func(m *accountsv1.Membership) { m.Spec.PhoneNumber = "+393331234567" }},
		"message":      {to: func(m *accountsv1.Membership) { m.Spec.Message = "Welcome aboard" }},
	}
}

func (w world) accountTransitions() map[string]transition[*accountsv1.Account] {
	return map[string]transition[*accountsv1.Account]{
		"email":                   {to: func(a *accountsv1.Account) { a.Spec.Email = w.email("eve") }, refused: true},
		"givenName":               {to: func(a *accountsv1.Account) { a.Spec.GivenName = "Eve" }},
		"familyName":              {to: func(a *accountsv1.Account) { a.Spec.FamilyName = "Example" }},
		"invitationRef":           {to: func(a *accountsv1.Account) { a.Spec.InvitationRef.Name, a.Spec.InvitationRef.UID = "eve", "0" }, refused: true},
		"invitationRef.namespace": {to: func(a *accountsv1.Account) { a.Spec.InvitationRef.Namespace = "other" }, refused: true},
		"invitationRef.name":      {to: func(a *accountsv1.Account) { a.Spec.InvitationRef.Name = "eve" }, refused: true},
		"invitationRef.uid":       {to: func(a *accountsv1.Account) { a.Spec.InvitationRef.UID = "0" }, refused: true},
		"state": {
			to: func(a *accountsv1.Account) { a.Spec.State = accountsv1.AccountSwitchDisabled },
			seen: func(ctx context.Context) {
				eventually(ctx, w.membership("jane"), haveState("Inactive"), haveCondition("Ready", metav1.ConditionTrue, "AccountDisabled"))
			},
		},
	}
}

func (w world) invitationTransitions() map[string]transition[*accountsv1.Invitation] {
	rows := map[string]transition[*accountsv1.Invitation]{}
	for field, to := range map[string]func(*accountsv1.Invitation){
		"organizationRef":      func(i *accountsv1.Invitation) { i.Spec.OrganizationRef.Name = "other" },
		"organizationRef.name": func(i *accountsv1.Invitation) { i.Spec.OrganizationRef.Name = "other" },
		"email":                func(i *accountsv1.Invitation) { i.Spec.Email = w.email("eve") },
		"givenName":            func(i *accountsv1.Invitation) { i.Spec.GivenName = "Eve" },
		"familyName":           func(i *accountsv1.Invitation) { i.Spec.FamilyName = "" },
		"invitedBy":            func(i *accountsv1.Invitation) { i.Spec.InvitedBy = "Ada Example" },
		"role":                 func(i *accountsv1.Invitation) { i.Spec.Role = "owner" },
		"language":             func(i *accountsv1.Invitation) { i.Spec.Language = "it" },
		"addressMatch":         func(i *accountsv1.Invitation) { i.Spec.AddressMatch = accountsv1.AddressMatchAnyAddress },
		"delivery":             func(i *accountsv1.Invitation) { i.Spec.Delivery = []accountsv1.DeliveryChannel{accountsv1.ChannelLink} },
		"phoneNumber":          func(i *accountsv1.Invitation) { i.Spec.PhoneNumber = "+393331234567" },
		"message":              func(i *accountsv1.Invitation) { i.Spec.Message = "Welcome aboard" },
	} {
		rows[field] = transition[*accountsv1.Invitation]{to: to, refused: true}
	}
	return rows
}

func (w world) organizationTransitions() map[string]transition[*accountsv1.Organization] {
	rows := w.catalogueTransitions()
	plain := func(to func(s *accountsv1.OrganizationSpec)) transition[*accountsv1.Organization] {
		return transition[*accountsv1.Organization]{to: func(o *accountsv1.Organization) { to(&o.Spec) }}
	}
	seen := func(to func(s *accountsv1.OrganizationSpec), seen func(ctx context.Context)) transition[*accountsv1.Organization] {
		row := plain(to)
		row.seen = seen
		return row
	}
	stalled := func(reason string) func(ctx context.Context) {
		return func(ctx context.Context) {
			eventually(ctx, w.organization(), haveCondition("Stalled", metav1.ConditionTrue, reason))
		}
	}
	uninvitable := func(ctx context.Context) {
		eventually(ctx, w.membership("john"), haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "AddressNotAllowed"))
	}
	founded := seen(func(s *accountsv1.OrganizationSpec) { s.Founders[0].Name, s.Founders[0].Email = "eve", w.email("eve") }, func(ctx context.Context) {
		eventually(ctx, w.membership("eve"), haveState("Invited"), beReady())
	})
	founded.after = func(ctx context.Context) { // the Organization does not manage a founder after the creation
		Expect(k8s.Delete(ctx, w.membership("eve"))).To(Succeed())
		eventuallyGone(ctx, w.membership("eve"))
	}
	moved := plain(func(s *accountsv1.OrganizationSpec) { s.Namespace = "other" })
	moved.refused = true
	server := func(s *accountsv1.OrganizationSpec) *accountsv1.OrganizationMail {
		s.Mail = accountsv1.OrganizationMail{Server: "smtps://mail.example.com", Sender: "Acme <accounts@acme.example>"}
		return &s.Mail
	}
	maps.Copy(rows, map[string]transition[*accountsv1.Organization]{
		"namespace":                 moved,
		"displayName":               plain(func(s *accountsv1.OrganizationSpec) { s.DisplayName = "" }),
		"invitationValiditySeconds": plain(func(s *accountsv1.OrganizationSpec) { s.InvitationValiditySeconds = 60 }),
		"invitationsPerDay":         plain(func(s *accountsv1.OrganizationSpec) { s.InvitationsPerDay = 7 }),
		"language":                  plain(func(s *accountsv1.OrganizationSpec) { s.Language = "it" }),
		"addressMatch":              plain(func(s *accountsv1.OrganizationSpec) { s.AddressMatch = accountsv1.AddressMatchAnyAddress }),
		"allowedDomains":            seen(func(s *accountsv1.OrganizationSpec) { s.AllowedDomains = []accountsv1.DomainName{"example.net"} }, uninvitable),
		"deniedDomains": seen(func(s *accountsv1.OrganizationSpec) {
			s.DeniedDomains = []accountsv1.DomainName{accountsv1.DomainName(w.name + ".example")}
		}, uninvitable),
		"qualifier":                    plain(func(s *accountsv1.OrganizationSpec) { s.Qualifier = "acme" }),
		"legalEntity":                  plain(func(s *accountsv1.OrganizationSpec) { s.LegalEntity = "Acme S.p.A." }),
		"supportContact":               plain(func(s *accountsv1.OrganizationSpec) { s.SupportContact = "help@acme.example" }),
		"mail":                         plain(func(s *accountsv1.OrganizationSpec) { server(s) }),
		"mail.server":                  seen(func(s *accountsv1.OrganizationSpec) { server(s).Server = "smtp://usher@mail.example.com" }, stalled("MailServerInvalid")),
		"mail.sender":                  plain(func(s *accountsv1.OrganizationSpec) { server(s).Sender = "accounts@acme.example" }),
		"mail.dkimSelector":            seen(func(s *accountsv1.OrganizationSpec) { server(s).DKIMSelector = "usher" }, stalled("MailServerInvalid")),
		"signIn":                       plain(func(s *accountsv1.OrganizationSpec) { s.SignIn.TwoFactor = accountsv1.TwoFactorOptional }),
		"signIn.maxFailures":           plain(func(s *accountsv1.OrganizationSpec) { s.SignIn.MaxFailures = 10 }),
		"signIn.twoFactorGraceSeconds": plain(func(s *accountsv1.OrganizationSpec) { s.SignIn.TwoFactorGraceSeconds = 60 }),
		"signIn.twoFactor": seen(func(s *accountsv1.OrganizationSpec) { s.SignIn.TwoFactor = accountsv1.TwoFactorRequired }, func(ctx context.Context) {
			eventually(ctx, w.membership("jane"), haveState("Active"), haveCondition("TwoFactorMissing", metav1.ConditionTrue, "GracePeriod"))
		}),
		"seats": seen(func(s *accountsv1.OrganizationSpec) { s.Seats = 5 }, func(ctx context.Context) {
			eventually(ctx, w.organization(), HaveField("Status.Seats.Taken", Equal(ptr.To[int32](2))))
		}),
		"founders":              plain(func(s *accountsv1.OrganizationSpec) { s.Founders = nil }),
		"founders[].name":       founded,
		"founders[].email":      plain(func(s *accountsv1.OrganizationSpec) { s.Founders[0].Email = w.email("eve") }),
		"founders[].givenName":  plain(func(s *accountsv1.OrganizationSpec) { s.Founders[0].GivenName = "Eve" }),
		"founders[].familyName": plain(func(s *accountsv1.OrganizationSpec) { s.Founders[0].FamilyName = "Example" }),
		"founders[].role":       seen(func(s *accountsv1.OrganizationSpec) { s.Founders[0].Role = "developer" }, stalled("UnknownRole")),
	})
	return rows
}

// catalogueTransitions returns the transitions of the catalogue. Jane has edit and view
// in staging, and like all members view in the fleet.
func (w world) catalogueTransitions() map[string]transition[*accountsv1.Organization] {
	jane := &accountsv1.Account{ObjectMeta: metav1.ObjectMeta{Name: w.name + "-jane"}}
	edit, view, fleet := "edit in "+w.staging(), "view in "+w.staging(), "view in "+w.name+"-fleet"
	gets := func(to func(s *accountsv1.OrganizationSpec), want ...string) transition[*accountsv1.Organization] {
		return transition[*accountsv1.Organization]{
			to:   func(o *accountsv1.Organization) { to(&o.Spec) },
			seen: func(ctx context.Context) { w.eventuallyHasAccess(ctx, "jane", jane, want...) },
		}
	}
	selector := func(to func(s *metav1.LabelSelector), want ...string) transition[*accountsv1.Organization] {
		return gets(func(s *accountsv1.OrganizationSpec) { to(s.Resources[1].Namespaces.Selector) }, want...)
	}
	roleless := transition[*accountsv1.Organization]{
		to: func(o *accountsv1.Organization) { o.Spec.Roles[0].Name = "builder" },
		seen: func(ctx context.Context) {
			w.eventuallyHasAccess(ctx, "jane", jane)
			for _, person := range []string{"jane", "john"} {
				eventually(ctx, w.membership(person), haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "RoleNotFound"))
			}
		},
	}
	owning := gets(func(s *accountsv1.OrganizationSpec) { s.Roles[0].Standing = accountsv1.StandingOwner }, edit, view, fleet)
	owning.seen = func(ctx context.Context) { eventually(ctx, w.organization(), HaveField("Status.Owners", HaveLen(2))) }
	type spec = accountsv1.OrganizationSpec
	return map[string]transition[*accountsv1.Organization]{
		"resources":               gets(func(s *spec) { s.Resources = s.Resources[:1] }, edit, view, "look on fleet: ResourceNotFound"),
		"resources[].name":        gets(func(s *spec) { s.Resources[1].Name = "ships" }, edit, view, "look on fleet: ResourceNotFound"),
		"resources[].displayName": gets(func(s *spec) { s.Resources[1].DisplayName = "The fleet" }, edit, view, fleet),
		"resources[].namespaces": gets(func(s *spec) { s.Resources[1] = named("fleet", w.name) },
			edit, view, "view in "+w.name),
		"resources[].namespaces.names": gets(func(s *spec) { s.Resources[0] = named("staging", w.name) },
			"edit in "+w.name, "view in "+w.name, fleet),
		"resources[].namespaces.selector":                             selector(func(s *metav1.LabelSelector) { *s = metav1.LabelSelector{MatchLabels: map[string]string{"none": "no"}} }, edit, view),
		"resources[].namespaces.selector.matchLabels":                 selector(func(s *metav1.LabelSelector) { s.MatchLabels = map[string]string{"example.com/fleet": "other"} }, edit, view),
		"resources[].namespaces.selector.matchExpressions":            selector(func(s *metav1.LabelSelector) { s.MatchExpressions = nil }, edit, view, fleet),
		"resources[].namespaces.selector.matchExpressions[].key":      selector(func(s *metav1.LabelSelector) { s.MatchExpressions[0].Key = "example.com/rank" }, edit, view),
		"resources[].namespaces.selector.matchExpressions[].operator": selector(func(s *metav1.LabelSelector) { s.MatchExpressions[0].Operator = metav1.LabelSelectorOpNotIn }, edit, view),
		"resources[].namespaces.selector.matchExpressions[].values":   selector(func(s *metav1.LabelSelector) { s.MatchExpressions[0].Values = []string{"secret"} }, edit, view),

		"permissions":               gets(func(s *spec) { s.Permissions = s.Permissions[1:] }, view, fleet, "deploy on staging: PermissionNotFound"),
		"permissions[].name":        gets(func(s *spec) { s.Permissions[0].Name = "ship" }, view, fleet, "deploy on staging: PermissionNotFound"),
		"permissions[].displayName": gets(func(s *spec) { s.Permissions[0].DisplayName = "Ship" }, edit, view, fleet),
		"permissions[].clusterRole": gets(func(s *spec) { s.Permissions[0].ClusterRole = "nobody" }, view, fleet, "deploy on staging: ClusterRoleNotFound"),
		"permissions[].group": gets(func(s *spec) { s.Permissions[0].ClusterRole, s.Permissions[0].Group = "", "deployers" },
			view, fleet, "group deployers"),

		"roles":                       gets(func(s *spec) { s.Roles = append(s.Roles, accountsv1.Role{Name: "pilot"}) }, edit, view, fleet),
		"roles[].name":                roleless,
		"roles[].displayName":         gets(func(s *spec) { s.Roles[0].DisplayName = "Engineer" }, edit, view, fleet),
		"roles[].seat":                gets(func(s *spec) { s.Roles[0].Seat = accountsv1.SeatFree }, edit, view, fleet),
		"roles[].standing":            owning,
		"roles[].grants":              gets(func(s *spec) { s.Roles[0].Grants = nil }, view, fleet),
		"roles[].grants[].permission": gets(func(s *spec) { s.Roles[0].Grants[0].Permission = "dashboards" }, view, fleet, "group grafana-editors"),
		"roles[].grants[].resources":  gets(func(s *spec) { s.Roles[0].Grants[0] = grantOn("deploy", "fleet") }, view, fleet, "edit in "+w.name+"-fleet"),

		"defaultGrants":              gets(func(s *spec) { s.DefaultGrants = nil }, edit, view),
		"defaultGrants[].permission": gets(func(s *spec) { s.DefaultGrants[0].Permission = "dashboards" }, edit, view, "group grafana-editors"),
		"defaultGrants[].resources":  gets(func(s *spec) { s.DefaultGrants[0] = grantOn("look", "staging") }, edit, view),
	}
}
