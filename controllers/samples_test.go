// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("The samples", func() {
	It("work together on one cluster, applied in any order", Label("K1"), func(ctx SpecContext) {
		var all []*unstructured.Unstructured
		for name, w := range samples {
			all = append(all, manifests(name)...)
			w.emptied()
		}
		isNamespace := func(o *unstructured.Unstructured) bool { return o.GetKind() == "Namespace" }
		for _, o := range all {
			if isNamespace(o) {
				applied(ctx, o)
			}
		}
		slices.Reverse(all)
		applied(ctx, slices.DeleteFunc(slices.Clone(all), isNamespace)...)
		bindable(ctx, all)
		now.PutForward(time.Minute) // by then Usher has checked its rights again
		for _, w := range samples {
			poke(ctx, w.organization())
			eventually(ctx, w.organization(), beReady())
		}
		for _, o := range all {
			switch w := (world{name: o.GetNamespace()}); o.GetKind() {
			case "Membership":
				eventually(ctx, w.membership(o.GetName()), beReady())
			case "Invitation":
				eventually(ctx, w.invitation(o.GetName()), haveState("Pending"), beReady())
			}
		}
	})
})

var _ = Describe("The sample of a certified mailbox", func() {
	const mailbox = " in acme-certified-mailbox"
	var w world

	BeforeEach(func(ctx SpecContext) { w = theSample(ctx, "certified-mailbox") })

	It("gives no access without a second factor, and gives each person the permissions allowed for them", Label("A4", "A10"), func(ctx SpecContext) {
		ada, jane, john := w.joins(ctx, "ada-example"), w.joins(ctx, "jane-doe"), w.joins(ctx, "john-roe")
		for person, a := range map[string]*accountsv1.Account{"ada-example": ada, "jane-doe": jane, "john-roe": john} {
			eventually(ctx, w.membership(person), haveState("Inactive"), haveCondition("TwoFactorMissing", metav1.ConditionTrue, "TwoFactorRequired"))
			w.has(ctx, person, a)
		}

		say(ctx, jane, accountsv1.TwoFactorEnrolled)
		w.has(ctx, "jane-doe", jane, "certified-mail-reader"+mailbox, "certified-mail-archivist"+mailbox)
		w.has(ctx, "john-roe", john)
		say(ctx, john, accountsv1.TwoFactorEnrolled)
		w.has(ctx, "john-roe", john, "certified-mail-reader"+mailbox, "certified-mail-sender"+mailbox)
		say(ctx, ada, accountsv1.TwoFactorEnrolled)
		w.has(ctx, "ada-example", ada, "certified-mail-reader"+mailbox, "certified-mail-sender"+mailbox, "certified-mail-archivist"+mailbox,
			"usher-organization-owner in acme-certified")

		canOnly(ctx, jane, []string{"list messages.mail.example.com" + mailbox, "delete messages.mail.example.com" + mailbox},
			"create messages.mail.example.com"+mailbox, "get secrets"+mailbox, "list memberships.accounts.usher.dev in acme-certified")
		canOnly(ctx, john, []string{"create messages.mail.example.com" + mailbox}, "delete messages.mail.example.com"+mailbox)
		canOnly(ctx, ada, []string{"create memberships.accounts.usher.dev in acme-certified"},
			"get secrets"+mailbox, "create memberships.accounts.usher.dev"+mailbox)
	})

	It("allows and denies a permission for one person while they are a member", Label("A4"), func(ctx SpecContext) {
		jane := w.joins(ctx, "jane-doe")
		say(ctx, jane, accountsv1.TwoFactorEnrolled)
		change(ctx, w.membership("jane-doe"), func(m *accountsv1.Membership) { m.Spec.Permissions = m.Spec.Permissions[:1] })
		w.has(ctx, "jane-doe", jane, "certified-mail-reader"+mailbox, "certified-mail-sender"+mailbox, "certified-mail-archivist"+mailbox)
		change(ctx, w.membership("jane-doe"), func(m *accountsv1.Membership) {
			m.Spec.Permissions[0].Effect, m.Spec.Permissions[0].Permission = accountsv1.EffectDeny, "read"
		})
		w.has(ctx, "jane-doe", jane, "certified-mail-sender"+mailbox)
	})
})

var _ = Describe("The sample of a partner extranet", func() {
	const lakeside, harbour, home = " in globex-hotel-lakeside", " in globex-hotel-harbour", " in globex-extranet"
	var w world

	BeforeEach(func(ctx SpecContext) { w = theSample(ctx, "partner-extranet") })

	It("separates managing people from working with the properties", Label("C11"), func(ctx SpecContext) {
		ada, rose, paul := w.joins(ctx, "ada-example"), w.joins(ctx, "rose-sample"), w.joins(ctx, "paul-muster")
		jane, john := w.joins(ctx, "jane-doe"), w.joins(ctx, "john-roe")
		w.has(ctx, "ada-example", ada, "usher-organization-owner"+home)
		w.has(ctx, "rose-sample", rose, "usher-people-manager"+home, "extranet-assign"+home)
		w.has(ctx, "paul-muster", paul, "usher-people-viewer"+home)
		w.has(ctx, "jane-doe", jane, "extranet-viewer"+lakeside, "extranet-rates-editor"+lakeside,
			"extranet-viewer"+harbour, "extranet-rates-editor"+harbour, "group globex-invoices")
		w.has(ctx, "john-roe", john, "extranet-viewer"+lakeside, "extranet-description-editor"+lakeside, "extranet-description-editor"+harbour)

		const invite, list = "create invitations.accounts.usher.dev" + home, "list memberships.accounts.usher.dev" + home
		canOnly(ctx, rose, []string{invite, list}, "get configmaps/rates"+lakeside)
		canOnly(ctx, paul, []string{list}, invite, "get configmaps/rates"+lakeside)
		canOnly(ctx, jane, []string{"update configmaps/rates" + harbour}, list, invite, "update configmaps/description"+harbour)
		canOnly(ctx, john, []string{"update configmaps/description" + harbour}, list, invite, "get configmaps/rates"+harbour)
	})

	It("lets the people office assign the roles of the properties, and no others", Label("C1"), func(ctx SpecContext) {
		rose := w.joins(ctx, "rose-sample")
		w.has(ctx, "rose-sample", rose, "usher-people-manager"+home, "extranet-assign"+home)
		office := as(ctx, rose)
		someone := func(role accountsv1.CatalogueName) *accountsv1.Membership {
			m := w.membership("mary-major")
			m.Spec.Email, m.Spec.Role = "mary.major@globex.example", role
			return m
		}
		for _, role := range []accountsv1.CatalogueName{"administrator", "people-office", "auditor"} {
			Eventually(func() error { return office.Create(ctx, someone(role), client.DryRunAll) }).
				Should(MatchError(ContainSubstring("You cannot assign or withdraw this role")), string(role))
		}
		for _, role := range []accountsv1.CatalogueName{"front-desk", "revenue"} {
			Expect(office.Create(ctx, someone(role), client.DryRunAll)).To(Succeed(), string(role))
		}
		auditor := w.membership("paul-muster")
		Expect(office.Get(ctx, client.ObjectKeyFromObject(auditor), auditor)).To(Succeed())
		Expect(office.Delete(ctx, auditor)).To(MatchError(ContainSubstring("You cannot assign or withdraw this role")))
		auditor.Spec.Role = "front-desk"
		Expect(office.Update(ctx, auditor)).To(MatchError(ContainSubstring("You cannot assign or withdraw this role")))
	})

	It("grants access to a property once it is declared, and reports it as missing until then", Label("B9"), func(ctx SpecContext) {
		john := w.joins(ctx, "john-roe")
		before := []string{"extranet-viewer" + lakeside, "extranet-description-editor" + lakeside, "extranet-description-editor" + harbour}
		m, airport := w.membership("john-roe"), namespace(fresh("globex-hotel-airport"))
		create(ctx, airport)
		change(ctx, m, func(m *accountsv1.Membership) {
			m.Spec.Permissions[0].Resources = append(m.Spec.Permissions[0].Resources, "airport")
		})
		eventually(ctx, m, haveCondition("Stalled", metav1.ConditionTrue, "GrantsWithheld"), haveMessage("Ready", "no resource airport; add the resource to the Organization first"))
		w.has(ctx, "john-roe", john, before...)
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Resources = append(o.Spec.Resources, accountsv1.Resource{
				Name: "airport", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{accountsv1.NamespaceName(airport.Name)}},
			})
		})
		w.has(ctx, "john-roe", john, append(before, "extranet-description-editor in "+airport.Name)...)
		eventually(ctx, m, beReady())
	})

	It("withdraws all access of a removed person", Label("B8"), func(ctx SpecContext) {
		jane := w.joins(ctx, "jane-doe")
		Expect(bound(ctx, jane)).To(HaveLen(4))
		Expect(k8s.Delete(ctx, w.membership("jane-doe"))).To(Succeed())
		Eventually(func() []string { return bound(ctx, jane) }, "5s").Should(BeEmpty())
		eventuallyGone(ctx, w.membership("jane-doe"))
	})
})

var _ = Describe("The sample of a team chat", func() {
	const (
		general, announcements, engineering = " in initech-chat-general", " in initech-chat-announcements", " in initech-chat-engineering"
		launch, home                        = " in initech-chat-launch", " in initech-chat"
	)
	var w world

	BeforeEach(func(ctx SpecContext) { w = theSample(ctx, "team-chat") })

	It("gives each role what it manages, the chat to the people with that permission, and the default channels to all members", Label("C2", "C5", "C10", "C11"), func(ctx SpecContext) {
		ada, jane, john, paul := w.joins(ctx, "ada-example"), w.joins(ctx, "jane-doe"), w.joins(ctx, "john-roe"), w.joins(ctx, "paul-muster")
		defaults := []string{"chat-writer" + general, "chat-reader" + announcements}
		w.has(ctx, "ada-example", ada, append(defaults, "usher-organization-owner"+home, "group initech-products", "group initech-accounting")...)
		w.has(ctx, "jane-doe", jane, append(defaults, "usher-people-manager"+home, "chat-assign"+home, "group initech-products",
			"chat-writer"+announcements, "group initech-chat-users")...)
		w.has(ctx, "john-roe", john, append(defaults, "group initech-chat-users", "chat-writer"+engineering)...)
		w.has(ctx, "paul-muster", paul, append(defaults, "group initech-chat-users")...)
		canOnly(ctx, paul, []string{"create messages.chat.example.com" + general, "list messages.chat.example.com" + announcements},
			"create messages.chat.example.com"+announcements, "list messages.chat.example.com"+engineering, "list memberships.accounts.usher.dev"+home)

		change(ctx, w.membership("jane-doe"), func(m *accountsv1.Membership) { m.Spec.Permissions = nil })
		w.has(ctx, "jane-doe", jane, append(defaults, "usher-people-manager"+home, "chat-assign"+home, "group initech-products", "chat-writer"+announcements)...)
	})

	It("has a guest in one channel, without other access and without a seat", Label("C9", "C10"), func(ctx SpecContext) {
		paul := w.joins(ctx, "paul-muster")
		seats := w.taken(ctx)
		eventually(ctx, w.invitation("rose-sample"), haveState("Pending"))
		rose := w.acceptAs(ctx, "rose-sample", fresh("rose"), "rose@home.example")
		eventually(ctx, w.membership("rose-sample"), haveState("Active"), beReady())
		w.has(ctx, "rose-sample", rose, "chat-writer"+launch)
		Expect(w.taken(ctx)).To(Equal(seats))
		Expect(seats).To(ConsistOf("ada-example", "jane-doe", "john-roe", "paul-muster"))
		canOnly(ctx, rose, []string{"create messages.chat.example.com" + launch},
			"list messages.chat.example.com"+general, "list memberships.accounts.usher.dev"+home)

		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.DefaultGrants[1].Resources = []accountsv1.CatalogueName{"engineering"}
		})
		w.has(ctx, "paul-muster", paul, "chat-writer"+general, "chat-reader"+engineering, "group initech-chat-users")
		w.has(ctx, "rose-sample", rose, "chat-writer"+launch)
	})

	It("lets administrators invite users and guests, but no higher role", Label("C1"), func(ctx SpecContext) {
		jane := w.joins(ctx, "jane-doe")
		office := as(ctx, jane)
		someone := func(role accountsv1.CatalogueName) *accountsv1.Invitation {
			inv := w.invitation("mary-major")
			inv.Spec.Email, inv.Spec.Role = "mary.major@initech.example", role
			return inv
		}
		for _, role := range []accountsv1.CatalogueName{"legal-representative", "administrator"} {
			Eventually(func() error { return office.Create(ctx, someone(role), client.DryRunAll) }).
				Should(MatchError(ContainSubstring("You cannot assign or withdraw this role")), string(role))
		}
		for _, role := range []accountsv1.CatalogueName{"user", "guest"} {
			Eventually(func() error { return office.Create(ctx, someone(role), client.DryRunAll) }).Should(Succeed(), string(role))
		}
	})
})

var _ = Describe("The sample of a mailing product", func() {
	const home = " in bakery-mailing"
	var w world

	BeforeEach(func(ctx SpecContext) { w = theSample(ctx, "mailing-product") })

	It("changes the groups with the role", Label("D5"), func(ctx SpecContext) {
		jane, paul := w.joins(ctx, "jane-doe"), w.joins(ctx, "paul-muster")
		w.has(ctx, "jane-doe", jane, "group mailing-campaigns", "group mailing-contacts", "group mailing-reports")
		w.has(ctx, "paul-muster", paul, "group mailing-reports")
		change(ctx, w.membership("jane-doe"), func(m *accountsv1.Membership) { m.Spec.Role = "analyst" })
		w.has(ctx, "jane-doe", jane, "group mailing-reports")
		change(ctx, w.membership("jane-doe"), func(m *accountsv1.Membership) { m.Spec.Role = "administrator" })
		w.has(ctx, "jane-doe", jane, "group mailing-campaigns", "group mailing-contacts", "group mailing-reports", "group mailing-billing",
			"usher-organization-owner"+home)
		w.has(ctx, "paul-muster", paul, "group mailing-reports")
	})

	It("keeps its last owner until there is another one, and lets no manager change their own Membership", Label("D9"), func(ctx SpecContext) {
		ada, jane := w.joins(ctx, "ada-example"), w.joins(ctx, "jane-doe")
		all := []string{"group mailing-campaigns", "group mailing-contacts", "group mailing-reports", "group mailing-billing", "usher-organization-owner" + home}
		first, second := w.membership("ada-example"), w.membership("jane-doe")
		eventually(ctx, first, haveCondition("LastOwner", metav1.ConditionTrue, "LastOwner"))
		w.has(ctx, "ada-example", ada, all...)
		owner := as(ctx, ada)
		Eventually(func() error { return owner.Delete(ctx, first.DeepCopy(), client.DryRunAll) }).
			Should(MatchError(ContainSubstring("You cannot change or delete your own Membership")))

		Expect(k8s.Delete(ctx, first)).To(Succeed())
		eventually(ctx, first, haveState("Active"), HaveField("DeletionTimestamp", Not(BeNil())), haveCondition("Stalled", metav1.ConditionTrue, "LastOwner"))
		quiet(ctx)
		w.has(ctx, "ada-example", ada, all...)
		change(ctx, second, func(m *accountsv1.Membership) { m.Spec.Role = "administrator" })
		eventuallyGone(ctx, first)
		w.has(ctx, "jane-doe", jane, all...)
		Expect(bound(ctx, ada)).To(BeEmpty())
	})

	It("sends no invitation to a suspended person, and gives them no access", func(ctx SpecContext) {
		john, address := w.membership("john-roe"), "john.roe@bakery.example"
		earlier := len(letters.For(address))
		eventually(ctx, john, haveState("Inactive"), haveCondition("Ready", metav1.ConditionTrue, "Suspended"))
		quiet(ctx)
		Expect(letters.For(address)).To(HaveLen(earlier))

		turn := func(to accountsv1.MembershipSwitch) {
			change(ctx, john, func(m *accountsv1.Membership) { m.Spec.State = to })
		}
		turn(accountsv1.MembershipSwitchActive)
		a := w.joins(ctx, "john-roe")
		w.has(ctx, "john-roe", a, "group mailing-campaigns", "group mailing-contacts", "group mailing-reports")
		turn(accountsv1.MembershipSwitchSuspended)
		eventually(ctx, john, haveState("Inactive"), haveCondition("Ready", metav1.ConditionTrue, "Suspended"))
		w.has(ctx, "john-roe", a)
	})
})

var _ = Describe("The sample of shared mailboxes", func() {
	const (
		info, invoices = " in office-mailbox-info", " in office-mailbox-invoices"
		english, other = " in office-mailbox-support-en", " in office-mailbox-support-it"
	)
	var w world

	BeforeEach(func(ctx SpecContext) { w = theSample(ctx, "shared-mailboxes") })

	It("restricts single permissions for one person, mailbox by mailbox", Label("E2"), func(ctx SpecContext) {
		ada, jane, john := w.joins(ctx, "ada-example"), w.joins(ctx, "jane-doe"), w.joins(ctx, "john-roe")
		everything := []string{"usher-organization-owner in office-mailboxes"}
		for _, mailbox := range []string{info, invoices, english, other} {
			everything = append(everything, "shared-mail-reader"+mailbox, "shared-mail-sender"+mailbox, "shared-mail-organizer"+mailbox)
		}
		w.has(ctx, "ada-example", ada, everything...)
		w.has(ctx, "jane-doe", jane, "shared-mail-reader"+info, "shared-mail-sender"+info, "shared-mail-reader"+english, "shared-mail-reader"+other)
		w.has(ctx, "john-roe", john, "shared-mail-reader"+invoices, "shared-mail-sender"+invoices)
		canOnly(ctx, jane, []string{"create messages.mail.example.com" + info, "list messages.mail.example.com" + other},
			"create messages.mail.example.com"+other, "delete messages.mail.example.com"+info, "get messages.mail.example.com"+invoices,
			"get secrets/mailbox-credentials"+info)
	})

	It("invites by mail and with a link to pass on, in the language of the Invitation", Label("E4", "E5"), func(ctx SpecContext) {
		inv := w.invitation("john-roe")
		eventually(ctx, inv, haveState("Pending"), beReady(), HaveField("Status.Attempt.Language", BeEquivalentTo("it")))
		var secret corev1.Secret
		Expect(k8s.Get(ctx, w.key("john-roe-link"), &secret)).To(Succeed())
		Expect(string(secret.Data[accountsv1.LinkKey])).To(Equal(letters.Link(string(inv.Spec.Email))))
	})

	It("adds a mailbox for the team's members as soon as it is labelled, and removes it with the label", func(ctx SpecContext) {
		jane := w.joins(ctx, "jane-doe")
		before := []string{"shared-mail-reader" + info, "shared-mail-sender" + info, "shared-mail-reader" + english, "shared-mail-reader" + other}
		w.has(ctx, "jane-doe", jane, before...)
		german := namespace(fresh("office-mailbox-support-de"))
		create(ctx, german)
		change(ctx, german, func(n *corev1.Namespace) { n.Labels["mail.example.com/team"] = "office-support" })
		w.has(ctx, "jane-doe", jane, append(before, "shared-mail-reader in "+german.Name)...)
		change(ctx, german, func(n *corev1.Namespace) { delete(n.Labels, "mail.example.com/team") })
		w.has(ctx, "jane-doe", jane, before...)
	})
})
