// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// governed creates an Organization that is managed from its home namespace by owners and
// by deputies, who are not owners.
func (w world) governed(ctx context.Context) world {
	GinkgoHelper()
	org := w.organization()
	org.Spec.Resources = append(org.Spec.Resources, accountsv1.Resource{
		Name: "home", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{accountsv1.NamespaceName(w.name)}},
	})
	org.Spec.Permissions = append(org.Spec.Permissions, accountsv1.Permission{Name: "manage", ClusterRole: "usher-organization-owner"})
	manage := []accountsv1.Grant{{Permission: "manage", Resources: []accountsv1.CatalogueName{"home"}}}
	org.Spec.Roles = append(org.Spec.Roles,
		accountsv1.Role{Name: "owner", Standing: accountsv1.StandingOwner, Grants: manage},
		accountsv1.Role{Name: "deputy", Grants: manage})
	create(ctx, namespace(w.staging()), org)
	eventually(ctx, org, beReady())
	vetting(ctx)
	return w
}

// managing returns the access that owners and deputies of a governed Organization have.
func (w world) managing() string { return "usher-organization-owner in " + w.name }

// joined creates a Membership with a role, and accepts its Invitation.
func (w world) joined(ctx context.Context, person string, role accountsv1.CatalogueName) (*accountsv1.Membership, *accountsv1.Account) {
	GinkgoHelper()
	m := w.membership(person)
	m.Spec.Role = role
	create(ctx, m)
	eventually(ctx, m, haveState("Invited"), beReady())
	a := w.accept(ctx, person, w.name+"-"+person)
	eventually(ctx, m, haveState("Active"))
	return m, a
}

// owner creates an owner, and waits until the Organization lists them.
func (w world) owner(ctx context.Context, person string) (*accountsv1.Membership, *accountsv1.Account) {
	GinkgoHelper()
	m, a := w.joined(ctx, person, "owner")
	eventually(ctx, w.organization(), haveOwner(person))
	return m, a
}

// haveOwner matches an Organization whose list of owners includes the person.
func haveOwner(person string) gomegatypes.GomegaMatcher {
	return HaveField("Status.Owners", ContainElement(HaveField("Name", BeEquivalentTo(person))))
}

// haveOwners matches an Organization whose list of owners has exactly these people.
func haveOwners(people ...string) gomegatypes.GomegaMatcher {
	return WithTransform(func(org *accountsv1.Organization) (names []string) {
		for _, owner := range org.Status.Owners {
			names = append(names, string(owner.Name))
		}
		return names
	}, ConsistOf(people))
}

// updating changes an object as another user, even while the controllers are writing it.
func updating(ctx context.Context, somebody client.Client, o *accountsv1.Membership, how func(*accountsv1.Membership)) error {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
	changed := o.DeepCopy()
	how(changed)
	return somebody.Patch(ctx, changed, client.MergeFrom(o))
}

const (
	theirOwn     = "You cannot change or delete your own Membership"
	theLastOwner = "This is the last owner of the Organization"
)

var _ = Describe("A manager of an Organization whose role Usher granted", Label("D9", "C11"), func() {
	var (
		w   world
		ada *accountsv1.Account
		her client.Client
	)

	BeforeEach(func(ctx SpecContext) {
		w = aWorld().governed(ctx)
		_, ada = w.owner(ctx, "ada")
		w.has(ctx, "ada", ada, w.managing())
		canOnly(ctx, ada, []string{
			"create memberships.accounts.usher.dev in " + w.name, "assign roles.accounts.usher.dev/owner in " + w.name,
			"delete memberships.accounts.usher.dev in " + w.name, "create invitations.accounts.usher.dev in " + w.name,
		},
			"update memberships.accounts.usher.dev in "+w.staging(), "update accounts.accounts.usher.dev in "+w.name,
			"update organizations.accounts.usher.dev in "+w.name, "create rolebindings.rbac.authorization.k8s.io in "+w.name)
		her = as(ctx, ada)
	})

	It("can invite people, change their roles and permissions, and remove them", func(ctx SpecContext) {
		john := w.membership("john")
		Expect(her.Create(ctx, john)).To(Succeed())
		eventually(ctx, john, haveState("Invited"), beReady())
		his := w.accept(ctx, "john", w.name+"-john")
		w.has(ctx, "john", his, "edit in "+w.staging())
		Expect(updating(ctx, her, john, func(m *accountsv1.Membership) { m.Spec.Role = "owner" })).To(Succeed())
		w.has(ctx, "john", his, w.managing())
		eventually(ctx, w.organization(), haveOwners("ada", "john"))
		Expect(her.Delete(ctx, john)).To(Succeed())
		eventuallyGone(ctx, john)
		Expect(bound(ctx, his)).To(BeEmpty())
	})

	It("can neither change nor remove their own Membership, alone or with others", func(ctx SpecContext) {
		for range 2 {
			own := w.membership("ada")
			for name, how := range map[string]func(*accountsv1.Membership){
				"another role": func(m *accountsv1.Membership) { m.Spec.Role = "developer" },
				"suspended":    func(m *accountsv1.Membership) { m.Spec.State = accountsv1.MembershipSwitchSuspended },
				"more": func(m *accountsv1.Membership) {
					m.Spec.Permissions = []accountsv1.PermissionOverride{{Permission: "deploy", Resources: []accountsv1.CatalogueName{"staging"}, Effect: accountsv1.EffectAllow}}
				},
				"another name": func(m *accountsv1.Membership) { m.Spec.GivenName = "Grace" },
			} {
				Expect(updating(ctx, her, own, how)).To(MatchError(ContainSubstring(theirOwn)), name)
			}
			Expect(her.Delete(ctx, own)).To(MatchError(ContainSubstring(theirOwn)))
			w.joined(ctx, fresh("grace"), "owner")
		}
		w.has(ctx, "ada", ada, w.managing())
	})

	It("can remove every owner except the last one, who has to appoint another owner first", func(ctx SpecContext) {
		_, paul := w.joined(ctx, "paul", "deputy")
		canOnly(ctx, paul, []string{"delete memberships.accounts.usher.dev in " + w.name, "assign roles.accounts.usher.dev/owner in " + w.name})
		deputy, first := as(ctx, paul), w.membership("ada")
		eventually(ctx, first, haveCondition("LastOwner", "True", "LastOwner"))
		Expect(deputy.Delete(ctx, first)).To(MatchError(ContainSubstring(theLastOwner)))
		Expect(updating(ctx, deputy, first, func(m *accountsv1.Membership) { m.Spec.Role = "developer" })).To(MatchError(ContainSubstring(theLastOwner)))

		second := w.membership("grace")
		second.Spec.Role = "owner"
		Expect(her.Create(ctx, second)).To(Succeed())
		eventually(ctx, second, haveState("Invited"), beReady())
		Expect(deputy.Delete(ctx, first)).To(MatchError(ContainSubstring(theLastOwner)), "as long as the other owner has not joined")
		w.accept(ctx, "grace", w.name+"-grace")
		eventually(ctx, w.organization(), haveOwners("ada", "grace"))
		Eventually(deputy.Delete).WithArguments(ctx, first).Should(Succeed())
		eventuallyGone(ctx, first)
		Expect(bound(ctx, ada)).To(BeEmpty())
		eventually(ctx, second, haveCondition("LastOwner", "True", "LastOwner"), beReady())
		Expect(deputy.Delete(ctx, second)).To(MatchError(ContainSubstring(theLastOwner)))
	})
})
