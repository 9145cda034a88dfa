// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"net/http"
	"strings"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("An invited person", func() {
	It("gets a mail, creates an account in a browser, and has exactly the declared access",
		Label("A3", "A5", "A6", "A7", "A8", "B6", "C3", "C6", "C7", "D3", "D8", "E7"), func(ctx SpecContext) {
			acme := newTenant(ctx)
			jane := acme.unique("jane-doe")

			By("being added by a manifest")
			apply(ctx, acme.membership("jane", "developer"))
			kubectl(ctx, "wait", "--for=condition=Ready", "membership/jane", "-n", acme.name, "--timeout=20s")
			Expect(row(kubectl(ctx, "get", "memberships", "-n", acme.name), "jane")).
				To(HaveExactElements("jane", "Invited", "True", acme.email("jane"), "developer", Not(BeEmpty())))
			Expect(kubectl(ctx, "get", "memberships", "-n", acme.name, "-o", "wide")).
				To(And(ContainSubstring("Jane"), ContainSubstring("Doe")))
			Expect(mayThey(ctx, jane, "create", "deployments.apps", acme.staging())).To(Equal("no"))

			By("reading the mail")
			link := acme.mailedLink("jane")
			mails := mailbox.For(acme.email("jane"))
			Expect(mails).To(HaveLen(1))
			Expect(mails[0].From).To(ContainSubstring("usher@acme.example"))
			Expect(mails[0].Text).To(And(
				ContainSubstring("Ada Example has invited you to join Acme Rocket Works as Developer."),
				ContainSubstring(link),
			))
			Expect(mails[0].HTML).To(ContainSubstring(link))

			By("opening the link")
			var invitation accountsv1.Invitation
			Expect(admin.Get(ctx, acme.key("jane"), &invitation)).To(Succeed())
			browser := newPage()
			browser.open(link)
			Expect(browser.status).To(BeEquivalentTo(http.StatusOK))
			Expect(browser.text()).To(And(
				ContainSubstring("Join Acme Rocket Works"),
				ContainSubstring("Ada Example has invited you to join as Developer"),
				ContainSubstring(acme.email("jane")),
				ContainSubstring(invitation.Status.ExpirationTime.UTC().Format("Monday, 2 January 2006, 15:04 UTC")),
				ContainSubstring("Deploy applications in Staging"),
			))
			Expect(browser.value("given-name")).To(Equal("Jane"))

			By("choosing a user name and a password")
			password := newPassword()
			browser.fillIn(jane, password)
			browser.submit()
			Expect(browser.status).To(BeEquivalentTo(http.StatusOK))
			Expect(browser.text()).To(And(
				ContainSubstring("Your account is ready"), ContainSubstring(jane), ContainSubstring("usher:"+jane)))
			Expect(browser.browserErrors()).To(BeEmpty())

			By("being a member")
			Eventually(func() []string {
				return row(kubectl(ctx, "get", "memberships", "-n", acme.name), "jane")
			}).Should(HaveExactElements("jane", "Active", "True", acme.email("jane"), "developer", jane, Not(BeEmpty())))
			Eventually(acme.bindings).WithArguments(ctx).Should(Equal(acme.staging() + " edit usher:" + jane + "\n"))
			Eventually(mayThey).WithArguments(ctx, jane, "create", "deployments.apps", acme.staging()).Should(Equal("yes"))
			Expect(mayThey(ctx, jane, "create", "deployments.apps", acme.production())).To(Equal("no"))
			Expect(mayThey(ctx, jane, "list", "pods", acme.name)).To(Equal("no"))
			Expect(mayThey(ctx, jane, "list", "secrets", "usher-system")).To(Equal("no"))
			Expect(mayThey(ctx, jane, "list", "secrets", accountsv1.CredentialsNamespace)).To(Equal("no"))
			Expect(mayThey(ctx, jane, "create", "rolebindings.rbac.authorization.k8s.io", acme.staging())).To(Equal("no"))
			Expect(mayThey(ctx, jane, "create", "memberships.accounts.usher.dev", acme.name)).To(Equal("no"))

			By("opening the link once more")
			browser.open(link)
			Expect(browser.status).To(BeEquivalentTo(http.StatusGone))
			Expect(browser.text()).To(And(
				ContainSubstring("This invitation has already been used"),
				ContainSubstring("Use the user name and password you chose"),
			))
			Eventually(acme.subjects).WithArguments("jane").Should(HaveExactElements(invited, welcomed))
		})

	It("gets an answer to every problem with the form, and loses no typed text except passwords",
		Label("A3", "C7", "E7"), func(ctx SpecContext) {
			acme := newTenant(ctx)
			taken, free := acme.unique("john"), acme.unique("jane")
			acme.join(ctx, "john", "observer", taken)
			browser := newPage()
			browser.open(acme.invite(ctx, "jane", "developer"))

			By("seeing the state of the user name while typing")
			browser.fill("user-name", taken)
			Eventually(browser.textOf).WithArguments("user-name-status").Should(ContainSubstring("This user name, or one that looks like it, is already taken"))
			browser.fill("user-name", "Not A Name!")
			Eventually(browser.textOf).WithArguments("user-name-status").Should(ContainSubstring("letters"))
			browser.fill("user-name", free)
			Eventually(browser.textOf).WithArguments("user-name-status").Should(Equal(free + " is available."))

			By("seeing how much of the password is missing")
			browser.fill("password", "velvet")
			Expect(browser.text()).To(ContainSubstring("9 more characters"))

			By("sending the form with another person's name, and a weak password")
			browser.fill("given-name", "Jané")
			browser.fillIn(taken, "passwordpassword")
			browser.submit()
			Expect(browser.status).To(BeEquivalentTo(http.StatusUnprocessableEntity))
			Expect(browser.textOf("user-name-problem")).To(Equal("This user name, or one that looks like it, is already taken. Choose another."))
			Expect(browser.textOf("password-problem")).To(ContainSubstring("Too easy to guess"))
			Expect(browser.textOf("problems")).To(And(ContainSubstring("is already taken"), ContainSubstring("Too easy")))
			Expect(browser.value("user-name")).To(Equal(taken))
			Expect(browser.value("given-name")).To(Equal("Jané"))
			Expect(browser.value("password")).To(BeEmpty(), "the page never repeats a password")

			By("typing two different passwords")
			browser.fillIn(free, newPassword())
			browser.fill("password-again", newPassword())
			browser.submit()
			Expect(browser.textOf("password-again-problem")).To(ContainSubstring("two passwords don't match"))

			By("correcting the form")
			browser.fillIn(free, newPassword())
			browser.submit()
			Expect(browser.text()).To(ContainSubstring("Your account is ready"))
			Expect(browser.browserErrors()).To(BeEmpty())
		})

	It("gets only free user names as proposals", Label("A3"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		link := acme.invite(ctx, "jane", "developer")
		browser := newPage()
		browser.open(link)
		first := browser.value("user-name")
		Expect(first).NotTo(BeEmpty())
		Expect(browser.text()).To(ContainSubstring("Available now:"))

		By("seeing another person take the first")
		acme.join(ctx, "john", "observer", first)
		Eventually(func(g Gomega) {
			browser.open(link)
			g.Expect(browser.value("user-name")).To(And(Not(BeEmpty()), Not(Equal(first))))
		}).Should(Succeed())

		By("choosing another with one click")
		proposal := browser.evaluate("[...document.querySelectorAll('.proposals button')].at(-1).innerText")
		Expect(proposal).NotTo(Equal(first))
		browser.do(chromedp.Click(chromedp.CSS(".proposals li:last-child button")))
		Expect(browser.value("user-name")).To(Equal(proposal))
		Eventually(browser.textOf).WithArguments("user-name-status").Should(Equal(proposal + " is available."))
	})

	It("reads what to do if the link is incomplete, and learns nothing from it", Label("A7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		link := acme.invite(ctx, "jane", "developer")
		browser := newPage()
		for _, broken := range []string{link[:len(link)-1], link + "A", flip(link), usher.url + "/invitation/x", usher.url + "/invitation/"} {
			browser.open(broken)
			Expect(browser.status).To(BeEquivalentTo(http.StatusNotFound), broken)
			Expect(browser.text()).To(ContainSubstring("Copy the whole link"))
			Expect(browser.text()).NotTo(Or(ContainSubstring("Acme"), ContainSubstring("jane")))
		}
		browser.open(link)
		Expect(browser.text()).To(ContainSubstring("Join Acme Rocket Works"))
	})
})

// row returns the cells of the line of a kubectl table that begins with a name.
func row(table, name string) []string {
	for line := range strings.Lines(table) {
		if cells := strings.Fields(line); len(cells) > 0 && cells[0] == name {
			return cells
		}
	}
	return nil
}

// flip changes one character in the middle of a link.
func flip(link string) string {
	at := len(link) - 12
	other := "A"
	if link[at] == 'A' {
		other = "B"
	}
	return link[:at] + other + link[at+1:]
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
