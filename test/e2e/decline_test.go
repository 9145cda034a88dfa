// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("An invited person who does not want to join", func() {
	It("declines on a separate page, with a reason that the owner reads", Label("C8", "D3", "E7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		acme.join(ctx, "ada", "owner", acme.unique("ada"))
		link := acme.invite(ctx, "jane", "developer")
		const reason = "I have left Acme <b>already</b>, see you at Müller's."

		By("opening that page and going back")
		browser := newPage()
		browser.open(link)
		browser.click(toDecline)
		Expect(browser.status).To(BeEquivalentTo(http.StatusOK))
		Expect(browser.text()).To(And(
			ContainSubstring("Ada Example has invited you to join Acme Rocket Works as Developer."),
			ContainSubstring("the link can no longer be used")))
		browser.click("form p a")
		Expect(browser.text()).To(ContainSubstring("Join Acme Rocket Works"))
		browser.click(toDecline)

		By("sending the form without the tick")
		browser.fill("reason", reason)
		browser.submit()
		Expect(browser.status).To(BeEquivalentTo(http.StatusUnprocessableEntity))
		Expect(browser.textOf("decline-problem")).To(ContainSubstring("Select the checkbox"))
		Expect(browser.value("reason")).To(Equal(reason))

		By("sending the form with the tick")
		browser.tick("#decline")
		browser.submit()
		Expect(browser.status).To(BeEquivalentTo(http.StatusOK))
		Expect(browser.text()).To(And(ContainSubstring("You've declined the invitation"), ContainSubstring("ask Ada Example to invite you again")))
		Expect(browser.browserErrors()).To(BeEmpty())

		By("being shown as Declined, which is not a failure")
		Eventually(func() []string {
			return row(kubectl(ctx, "get", "memberships", "-n", acme.name), "jane")
		}).Should(ContainElements("Declined", "True"))
		Expect(acme.message(ctx, "jane")).To(ContainSubstring(reason))
		mail := acme.mail("ada", declined)
		Expect(mail.Text).To(And(ContainSubstring(reason), ContainSubstring(acme.email("jane"))))
		Expect(mail.HTML).NotTo(ContainSubstring("<b>"))

		By("opening the link again")
		browser.open(link)
		Expect(browser.status).To(BeEquivalentTo(http.StatusGone))
		Expect(browser.text()).To(ContainSubstring("This invitation has been declined"))
		status, _ := newVisitor().post(ctx, link, acceptance(acme.unique("jane"), newPassword()))
		Expect(status).To(Equal(http.StatusGone))
		Expect(acme.accounts(ctx, "jane")).To(BeEmpty())
	})

	It("declines without JavaScript, too", Label("E7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		browser := newPage(withoutScript())
		browser.open(acme.invite(ctx, "jane", "developer"))
		browser.click(toDecline)
		browser.tick("#decline")
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("You've declined the invitation"))
		Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipDeclined))
	})

	It("does not decline through a scanner that sends every form unchanged", Label("A7", "E7"), func(ctx SpecContext) {
		acme := newTenant(ctx, "addressMatch: AnyAddress")
		link := acme.invite(ctx, "jane", "developer")
		acme.waitForMailed(ctx, "jane")
		var before, after accountsv1.Invitation
		Expect(admin.Get(ctx, acme.key("jane"), &before)).To(Succeed())

		scanner := newPage()
		for _, page := range []string{link, link + "/decline"} {
			scanner.open(page)
			forms, err := strconv.Atoi(scanner.evaluate("String(document.forms.length)"))
			Expect(err).NotTo(HaveOccurred())
			Expect(forms).To(BeNumerically(">", 0))
			for n := range forms {
				scanner.open(page)
				scanner.navigate(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("document.forms[%d].submit()", n)))
				Expect(scanner.status).To(BeEquivalentTo(http.StatusUnprocessableEntity))
			}
		}
		Expect(admin.Get(ctx, acme.key("jane"), &after)).To(Succeed())
		Expect(after.ResourceVersion).To(Equal(before.ResourceVersion))
		Expect(acme.subjects("jane")).To(HaveExactElements(invited))
	})
})

// decline invites a person, who declines at once.
func (t tenant) decline(ctx context.Context, name, reason string) {
	GinkgoHelper()
	link := t.invite(ctx, name, "developer")
	status, body := newVisitor().post(ctx, link+"/decline", url.Values{"decline": {"yes"}, "reason": {reason}})
	Expect(status).To(Equal(http.StatusOK), body)
	Eventually(t.state).WithArguments(ctx, name).Should(Equal(accountsv1.MembershipDeclined))
}

// waitForMailed waits until Usher has recorded everything about a sent Invitation, before
// the invited person answers it.
func (t tenant) waitForMailed(ctx context.Context, name string) {
	GinkgoHelper()
	Eventually(kubectl).WithArguments(ctx, "get", "invitation", name, "-n", t.name, "-o", "jsonpath={.status.state} {.metadata.annotations}").
		Should(And(HavePrefix("Pending"), ContainSubstring(accountsv1.MailedAnnotation)))
}
