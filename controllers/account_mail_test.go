// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"encoding/json"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/account"
)

// Subjects of the mails about an Account.
const (
	resetSubject       = "Choose a new password"
	lockedSubject      = "Your account is temporarily locked"
	codesLockedSubject = "Your second factor is temporarily locked"
	unlockedSubject    = "Your account was unlocked"
	passwordSubject    = "Your password was changed"
	factorSubject      = "Your second factor was changed"
	namesSubject       = "Your user names"
)

// asPortal writes into the status of an Account, as the portal does.
func asPortal(ctx context.Context, a *accountsv1.Account, write func(status *accountsv1.AccountStatus, now metav1.Time)) {
	GinkgoHelper()
	changeStatus(ctx, a, func(a *accountsv1.Account) { write(&a.Status, second()) })
}

// second returns the time of the specs as the portal writes it.
func second() metav1.Time { return metav1.NewTime(now.Now().UTC()).Rfc3339Copy() }

// ask requests something with an annotation, as of now. It returns the value.
func ask(ctx context.Context, o client.Object, annotation string) string {
	GinkgoHelper()
	value := now.Now().UTC().Format(time.RFC3339)
	annotate(ctx, o, annotation, value)
	return value
}

func annotate(ctx context.Context, o client.Object, annotation, value string) {
	GinkgoHelper()
	patch := `{"metadata":{"annotations":{"` + annotation + `":"` + value + `"}}}`
	Expect(k8s.Patch(ctx, o, client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
}

// lettersTo returns the mails with that subject to the address of an Account.
func lettersTo(a *accountsv1.Account, subject string) []inbox.Message {
	var found []inbox.Message
	for _, m := range letters.For(string(a.Spec.Email)) {
		if m.Subject == subject {
			found = append(found, m)
		}
	}
	return found
}

// eventuallyMailed waits until the given number of mails with that subject was sent and
// recorded. It returns the newest.
func eventuallyMailed(ctx context.Context, a *accountsv1.Account, subject string, times int) inbox.Message {
	GinkgoHelper()
	Eventually(func() []inbox.Message { return lettersTo(a, subject) }).Should(HaveLen(times))
	eventually(ctx, a, HaveField("Status.Deliveries", And(Not(BeEmpty()), HaveEach(HaveField("Result", BeEquivalentTo("Sent"))))))
	return lettersTo(a, subject)[times-1]
}

// resetLinkIn returns the link for a new password in a mail.
func resetLinkIn(m inbox.Message) string {
	GinkgoHelper()
	found := regexp.MustCompile(`(?m)^https://accounts\.example\.com/reset/\S+$`).FindAllString(m.Text, -1)
	Expect(found).To(HaveLen(1))
	return path.Base(found[0])
}

// resetStanding returns the status of the link in a mail, given the time of the last
// password change.
func resetStanding(ctx context.Context, a *accountsv1.Account, m inbox.Message, password time.Time) account.ResetLinkStatus {
	GinkgoHelper()
	link, err := account.ParseResetLink(resetLinkIn(m))
	Expect(err).NotTo(HaveOccurred())
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(a), a)).To(Succeed())
	Expect(link.UID()).To(Equal(string(a.UID)))
	return account.CheckReset(link, a, password, resetKeys, now.Now())
}

// eventsAbout returns the events about an object as "type reason", with "again" if an
// event occurred more than once.
func eventsAbout(ctx context.Context, o client.Object) []string {
	GinkgoHelper()
	var list eventsv1.EventList
	Expect(k8s.List(ctx, &list)).To(Succeed())
	var all []string
	for _, e := range list.Items {
		if e.Regarding.UID != o.GetUID() {
			continue
		}
		text := e.Type + " " + e.Reason
		if e.Series != nil {
			text += " again"
		}
		all = append(all, text)
	}
	return all
}

// everything returns all objects in the cluster that could contain a link.
func everything(ctx context.Context) string {
	GinkgoHelper()
	var all strings.Builder
	for _, list := range []client.ObjectList{
		&accountsv1.AccountList{}, &accountsv1.MembershipList{}, &accountsv1.InvitationList{}, &accountsv1.OrganizationList{},
		&eventsv1.EventList{}, &corev1.SecretList{}, &corev1.ConfigMapList{},
	} {
		Expect(k8s.List(ctx, list)).To(Succeed())
		Expect(json.NewEncoder(&all).Encode(list)).To(Succeed())
	}
	return all.String()
}

// journal collects what is logged.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write appends log output.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

var _ = Describe("Mails about an Account", func() {
	var (
		w world
		m *accountsv1.Membership
		a *accountsv1.Account
	)

	BeforeEach(func(ctx SpecContext) {
		DeferCleanup(letters.SetFault, (func(inbox.Stage, int) inbox.Fault)(nil))
		w = aWorld().ready(ctx)
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.SupportContact = "help@acme.example" })
		m, a = w.active(ctx)
		// Wait for the earlier mails. Otherwise they could arrive among the mails under test.
		eventually(ctx, w.invitation("jane"), HaveField("Status.Deliveries", And(HaveLen(2), HaveEach(HaveField("Result", BeEquivalentTo("Sent"))))))
	})

	It("carry the link for a new password once, to the Account's own address, and it appears nowhere else", Label("B3", "D7", "K7"), func(ctx SpecContext) {
		var logged journal
		GinkgoWriter.TeeTo(&logged)
		DeferCleanup(GinkgoWriter.ClearTeeWriters)
		letters.FailOnce(inbox.Rcpt, inbox.Fault{Code: 450, Text: "4.2.0 greylisted, try again"})
		value := ask(ctx, a, accountsv1.ResetAnnotation)
		eventually(ctx, a, HaveField("Status.Deliveries", ConsistOf(HaveField("Result", BeEquivalentTo("TemporaryFailure")))))
		now.PutForward(10 * time.Second)
		poke(ctx, a)
		mail := eventuallyMailed(ctx, a, resetSubject, 1)
		Expect(mail.To).To(ConsistOf(string(a.Spec.Email)))
		Expect(mail.EnvelopeFrom).To(Equal("usher@example.com"))
		Expect(mail.Text).To(And(ContainSubstring(a.Name), ContainSubstring("help@acme.example")))
		Expect(resetStanding(ctx, a, mail, time.Time{})).To(Equal(account.ResetLinkOpen))
		Expect(resetStanding(ctx, a, mail, now.Now())).To(Equal(account.ResetLinkUsed))

		annotate(ctx, a, accountsv1.ResetAnnotation, value)
		annotate(ctx, m, accountsv1.ResetAnnotation, value)
		poke(ctx, a)
		quiet(ctx)
		Expect(lettersTo(a, resetSubject)).To(HaveLen(1))
		Expect(logged.String()).To(ContainSubstring("Message was not confirmed"))
		for _, text := range []string{everything(ctx), logged.String()} {
			Expect(strings.Contains(text, resetLinkIn(mail))).To(BeFalse(), "the link is in a place where others can read it")
		}

		now.PutForward(time.Hour)
		Expect(resetStanding(ctx, a, mail, time.Time{})).To(Equal(account.ResetLinkExpired))
		ask(ctx, m, accountsv1.ResetAnnotation)
		second := eventuallyMailed(ctx, a, resetSubject, 2)
		Expect(resetStanding(ctx, a, mail, time.Time{})).To(Equal(account.ResetLinkSuperseded))
		Expect(resetStanding(ctx, a, second, time.Time{})).To(Equal(account.ResetLinkOpen))
	})

	It("go to the Account's own address, even if its Membership has another one", Label("B3"), func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.AddressMatch = accountsv1.AddressMatchAnyAddress })
		w.invited(ctx, "john")
		john := w.acceptAs(ctx, "john", w.name+"-john", w.email("doe"))
		eventually(ctx, w.membership("john"), haveState("Active"))
		ask(ctx, w.membership("john"), accountsv1.ResetAnnotation)
		mail := eventuallyMailed(ctx, john, resetSubject, 1)
		Expect(mail.To).To(ConsistOf(string(w.email("doe"))))
		Expect(w.mailsTo("john", "/reset")).To(BeEmpty())
	})

	It("go to the Account's own address, even if the status names another recipient", Label("B3"), func(ctx SpecContext) {
		letters.FailOnce(inbox.Rcpt, inbox.Fault{Code: 450, Text: "4.2.0 greylisted, try again"})
		ask(ctx, a, accountsv1.ResetAnnotation)
		eventually(ctx, a, HaveField("Status.Deliveries", ConsistOf(HaveField("Result", BeEquivalentTo("TemporaryFailure")))))
		asPortal(ctx, a, func(s *accountsv1.AccountStatus, _ metav1.Time) {
			s.Deliveries[0].Recipient = string(w.email("mallory"))
		})
		now.PutForward(10 * time.Second)
		poke(ctx, a)
		Expect(eventuallyMailed(ctx, a, resetSubject, 1).To).To(ConsistOf(string(a.Spec.Email)))
		Expect(letters.For(string(w.email("mallory")))).To(BeEmpty())
	})

	It("are sent once, even if the owner signs in while they are being sent", Label("K8"), func(ctx SpecContext) {
		held := make(chan struct{})
		release := sync.OnceFunc(func() { close(held) })
		DeferCleanup(release)
		letters.FailOnce(inbox.Body, inbox.Fault{Hold: held})
		ask(ctx, a, accountsv1.ResetAnnotation)
		eventually(ctx, a, HaveField("Status.Deliveries", ConsistOf(HaveField("Holder", Not(BeEmpty())))))
		asPortal(ctx, a, func(s *accountsv1.AccountStatus, _ metav1.Time) { s.Language = "en" })
		release()
		eventuallyMailed(ctx, a, resetSubject, 1)
		now.PutForward(5 * time.Minute)
		poke(ctx, a)
		quiet(ctx)
		Expect(lettersTo(a, resetSubject)).To(HaveLen(1))
		eventually(ctx, a, HaveField("Status.Language", BeEquivalentTo("en")))
	})

	It("are repeated with the same bytes after an uncertain answer of the mail server", Label("K8"), func(ctx SpecContext) {
		letters.FailAt(inbox.Body, inbox.Fault{Code: 451, Text: "not now", Accept: true})
		asPortal(ctx, a, func(s *accountsv1.AccountStatus, now metav1.Time) {
			s.ResetTimes = account.Requested(s.ResetTimes, now)
		})
		eventually(ctx, a, HaveField("Status.Deliveries", ConsistOf(HaveField("Result", BeEquivalentTo("TemporaryFailure")))))
		letters.SetFault(nil)
		now.PutForward(10 * time.Second)
		poke(ctx, a)
		eventuallyMailed(ctx, a, resetSubject, 2)
		mails := lettersTo(a, resetSubject)
		Expect(string(mails[0].Raw)).To(Equal(string(mails[1].Raw)))
	})

	It("report each change once, in the owner's language", Label("B3", "K8"), func(ctx SpecContext) {
		asPortal(ctx, a, func(s *accountsv1.AccountStatus, now metav1.Time) { s.PasswordTime, s.SecondFactorTime = &now, &now })
		Expect(eventuallyMailed(ctx, a, passwordSubject, 1).Text).To(ContainSubstring("https://accounts.example.com/reset\n"))
		Expect(eventuallyMailed(ctx, a, factorSubject, 1).Text).To(ContainSubstring("https://accounts.example.com/reset\n"))
		quiet(ctx)
		before := len(w.writes())
		poke(ctx, a)
		quiet(ctx)
		Expect(w.writes()[before:]).To(BeEmpty())
		Expect(lettersTo(a, passwordSubject)).To(HaveLen(1))

		now.PutForward(time.Minute)
		asPortal(ctx, a, func(s *accountsv1.AccountStatus, now metav1.Time) { s.PasswordTime, s.Language = &now, "it" })
		eventuallyMailed(ctx, a, "La Sua password è stata cambiata", 1)
	})

	It("list all user names of an address on request", Label("B4"), func(ctx SpecContext) {
		other := aWorld().ready(ctx)
		other.invitesJaneOf(ctx, w)
		second := other.accept(ctx, "jane", other.name+"-doe.acme")
		eventually(ctx, other.membership("jane"), haveState("Active"))
		asPortal(ctx, a, func(s *accountsv1.AccountStatus, now metav1.Time) {
			s.UserNameTimes = account.Requested(s.UserNameTimes, now)
		})
		mail := eventuallyMailed(ctx, a, namesSubject, 1)
		Expect(mail.Text).To(And(
			ContainSubstring("- "+a.Name+"\n"), ContainSubstring("- "+strings.Replace(second.Name, ".", "/", 1)+"\n"),
			ContainSubstring("https://accounts.example.com/sign-in\n"), ContainSubstring("help@acme.example")))
	})

	It("are rate limited for managers of a Membership, but not for a cluster admin", Label("D7", "B3"), func(ctx SpecContext) {
		ask(ctx, m, accountsv1.ResetAnnotation)
		first := eventuallyMailed(ctx, a, resetSubject, 1)
		for range 3 {
			now.PutForward(10 * time.Second)
			ask(ctx, m, accountsv1.ResetAnnotation)
			eventually(ctx, a, beReady(), haveCondition("RequestBlocked", metav1.ConditionTrue, "ResetLimited"), haveMessage("RequestBlocked", w.name+"/jane"))
			quiet(ctx)
		}
		Eventually(func() []string { return eventsAbout(ctx, m) }).Should(ConsistOf("Warning ResetLimited"))
		Expect(lettersTo(a, resetSubject)).To(HaveLen(1))
		Expect(resetStanding(ctx, a, first, time.Time{})).To(Equal(account.ResetLinkOpen))

		passes(ctx, a, 30*time.Second)
		second := eventuallyMailed(ctx, a, resetSubject, 2)
		Expect(words(a.Status.Conditions)).NotTo(ContainElement(HavePrefix("RequestBlocked")))
		Expect(resetStanding(ctx, a, second, time.Time{})).To(Equal(account.ResetLinkOpen))
		passes(ctx, a, time.Minute)
		Expect(lettersTo(a, resetSubject)).To(HaveLen(2))
		for i := range 4 {
			now.PutForward(time.Second)
			ask(ctx, a, accountsv1.ResetAnnotation)
			eventuallyMailed(ctx, a, resetSubject, i+3)
		}

		By("requesting the seventh mail in a day")
		now.PutForward(10 * time.Minute)
		ask(ctx, m, accountsv1.ResetAnnotation)
		eventually(ctx, a, haveCondition("RequestBlocked", metav1.ConditionTrue, "ResetLimited"))
		passes(ctx, a, 50*time.Minute)
		eventuallyMailed(ctx, a, resetSubject, 7)
	})

	It("need two writes of the status each", Label("K1"), func(ctx SpecContext) {
		quiet(ctx)
		before := len(w.writes())
		ask(ctx, a, accountsv1.ResetAnnotation)
		eventuallyMailed(ctx, a, resetSubject, 1)
		quiet(ctx)
		Expect(w.writes()[before:]).To(ConsistOf("update accounts/status "+a.Name, "update accounts/status "+a.Name))
	})

	It("are not sent for an invalid request", func(ctx SpecContext) {
		annotate(ctx, m, accountsv1.ResetAnnotation, "please")
		Eventually(func() []string { return eventsAbout(ctx, m) }).Should(ContainElement("Warning RequestInvalid"))
		annotate(ctx, a, accountsv1.ResetAnnotation, now.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
		for range 3 {
			poke(ctx, a)
		}
		quiet(ctx)
		Expect(lettersTo(a, resetSubject)).To(BeEmpty())
		Expect(eventsAbout(ctx, m)).To(ConsistOf("Warning RequestInvalid"))
	})
})
