// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/notifier/email"
	"github.com/usher-dev/usher/internal/notifier/sms"
)

// phones holds the short messages that the SMS gateway of the specs accepted, by number.
type phones struct {
	mu    sync.Mutex
	texts map[string][]string
}

// Send accepts a short message, as a gateway does.
func (p *phones) Send(_ context.Context, m sms.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.HasSuffix(m.To, "000") {
		return &sms.RefusedError{Part: "number", Code: 21211, Text: "no such number"}
	}
	if p.texts == nil {
		p.texts = map[string][]string{}
	}
	p.texts[m.To] = append(p.texts[m.To], m.Text)
	if strings.HasSuffix(m.To, "502") {
		return &sms.UnknownError{Reason: "something between answered 502 for it"}
	}
	return nil
}

func (p *phones) to(number string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.texts[number]
}

// credentials creates a Secret with the Organization's own settings in the home
// namespace.
func (w world) credentials(ctx context.Context, data map[string]string) {
	GinkgoHelper()
	create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.name, Name: accountsv1.CredentialsName}, StringData: data,
	})
}

// wording creates a ConfigMap with the Organization's own mail templates in the home
// namespace.
func (w world) wording(ctx context.Context, data map[string]string) *corev1.ConfigMap {
	GinkgoHelper()
	own := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.name, Name: accountsv1.MailTemplatesName}, Data: data}
	create(ctx, own)
	return own
}

var _ = Describe("An invitation that is being sent", func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	It("uses every requested channel, and reports the result of each", Label("E4", "E6"), func(ctx SpecContext) {
		inv := w.invitation("john")
		inv.Spec.Delivery = []accountsv1.DeliveryChannel{"Email", "SMS", "Link"}
		inv.Spec.PhoneNumber = "+393331234567"
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"), beReady(), haveCondition("Delivered", metav1.ConditionTrue, "Sent"),
			haveMessage("Delivered", "Email: sent. SMS: sent. Link: sent."))
		link := letters.Link(string(w.email("john")))
		Expect(link).NotTo(BeEmpty())
		Expect(telephones.to("+393331234567")).To(ContainElement(ContainSubstring(link)))
		var secret corev1.Secret
		Expect(k8s.Get(ctx, w.key("john-link"), &secret)).To(Succeed())
		Expect(secret.Type).To(BeEquivalentTo("accounts.usher.dev/link"))
		Expect(secret.Data).To(HaveKeyWithValue("link", BeEquivalentTo(link)))
		Expect(secret.OwnerReferences).To(ConsistOf(HaveField("UID", inv.UID)))
		Expect(dump(ctx, inv)).NotTo(ContainSubstring(path.Base(link)))
	})

	It("deletes the Secret with the link when the link no longer works, and writes a new one on resend", Label("E4", "K4"), func(ctx SpecContext) {
		inv := w.invitation("john")
		inv.Spec.Delivery = []accountsv1.DeliveryChannel{"Link"}
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"), beReady())
		Expect(letters.For(string(w.email("john")))).To(BeEmpty())
		var secret corev1.Secret
		Expect(k8s.Get(ctx, w.key("john-link"), &secret)).To(Succeed())
		first := string(secret.Data["link"])

		askForResend(ctx, inv)
		eventually(ctx, inv, haveState("Pending"), HaveField("Status.Attempt.Number", BeEquivalentTo(2)))
		Expect(k8s.Get(ctx, w.key("john-link"), &secret)).To(Succeed())
		Expect(string(secret.Data["link"])).NotTo(Equal(first))

		w.decline(ctx, "john", "")
		eventually(ctx, inv, haveState("Declined"))
		Eventually(func() bool { return apierrors.IsNotFound(k8s.Get(ctx, w.key("john-link"), &secret)) }).Should(BeTrue())
	})

	It("never overwrites a Secret that another client created", Label("E4", "K7"), func(ctx SpecContext) {
		foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.name, Name: "john-link"}, StringData: map[string]string{"a": "b"}}
		create(ctx, foreign)
		inv := w.invitation("john")
		inv.Spec.Delivery = []accountsv1.DeliveryChannel{"Link"}
		create(ctx, inv)
		eventually(ctx, inv, haveState("Failed"), haveMessage("Delivered", "already exists and does not belong to Usher"))
		Expect(k8s.Get(ctx, w.key("john-link"), foreign)).To(Succeed())
		Expect(foreign.Data).To(HaveLen(1))
	})

	It("is Pending when one channel delivered the link and another refused it permanently", Label("E6", "K2"), func(ctx SpecContext) {
		inv := w.invitation("john")
		inv.Spec.Delivery = []accountsv1.DeliveryChannel{"Email", "SMS"}
		inv.Spec.PhoneNumber = "+393331234000"
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"), beReady(), haveCondition("Delivered", metav1.ConditionFalse, "Refused"),
			haveMessage("Delivered", "no such number"))
	})

	It("uses the language of the Invitation, or by default that of the Organization", Label("E5"), func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.Language = "fr" })
		french, german := w.invitation("john"), w.invitation("jane")
		german.Spec.Language = "de"
		create(ctx, french, german)
		eventually(ctx, french, haveState("Pending"))
		eventually(ctx, german, haveState("Pending"))
		Expect(letters.For(string(w.email("john")))[0].HTML).To(ContainSubstring(`lang="fr"`))
		Expect(letters.For(string(w.email("jane")))[0].HTML).To(ContainSubstring(`lang="de"`))
	})

	It("contains the inviter's own message, escaped", func(ctx SpecContext) {
		inv := w.invitation("john")
		inv.Spec.Message = "Dear John,\nwe need <b>you</b> & your talents."
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"))
		m := letters.For(string(w.email("john")))[0]
		Expect(m.Text).To(ContainSubstring("we need <b>you</b> & your talents."))
		Expect(m.HTML).To(And(ContainSubstring("&lt;b&gt;you&lt;/b&gt; &amp; your talents."), Not(ContainSubstring("<b>you</b>"))))
	})

	It("uses the Organization's own templates once they are valid", func(ctx SpecContext) {
		own := w.wording(ctx, map[string]string{
			"invitation.subject": "Come to {{.Organization}}",
			"invitation.txt":     "Hi,\n{{.Nam}}, click {{.Link}}",
		})
		org := w.organization()
		eventually(ctx, org, haveCondition("MailValid", metav1.ConditionFalse, "TemplateInvalid"),
			haveCondition("Stalled", metav1.ConditionTrue, "TemplateInvalid"),
			haveMessage("MailValid", "invitation.txt line 2"), haveMessage("MailValid", ".Nam"))
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"))
		Expect(letters.For(string(w.email("john")))[0].Subject).To(Equal("Invitation to join Acme"), "the built-in template in the meantime")

		change(ctx, own, func(c *corev1.ConfigMap) { c.Data["invitation.txt"] = "Hi {{.Name}}, click\n{{.Link}}\n" })
		eventually(ctx, org, haveCondition("MailValid", metav1.ConditionTrue, "Reconciled"), beReady())
		jane := w.invitation("jane")
		create(ctx, jane)
		eventually(ctx, jane, haveState("Pending"))
		m := letters.For(string(w.email("jane")))[0]
		Expect(m.Subject).To(Equal("Come to Acme"))
		Expect(m.Text).To(HavePrefix("Hi Jane Doe, click"))
		Expect(w.standings(ctx)).To(ConsistOf(invitation.LinkOpen))
	})

	DescribeTable("sends none of the Organization's HTML that deceives the reader, from neither sender",
		func(ctx SpecContext, deceiving, reason string) {
			theirs, err := inbox.Start(inbox.Options{})
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(theirs.Close)
			own := w.wording(ctx, map[string]string{
				"invitation.subject": "Come to {{.Organization}}", "invitation.txt": "Hi,\n{{.Link}}",
				"invitation.html": "<p>Welcome!</p>\n<p>{{.Link}}</p>\n" + deceiving,
			})
			org := w.organization()
			eventually(ctx, org, haveCondition("MailValid", metav1.ConditionFalse, "TemplateInvalid"),
				haveMessage("MailValid", "invitation.html: own HTML needs the Organization's own mail server: set spec.mail"))
			create(ctx, w.invitation("john"))
			Eventually(func() []inbox.Message { return letters.For(string(w.email("john"))) }).Should(ConsistOf(And(
				HaveField("Subject", "Invitation to join Acme"), HaveField("HTML", And(ContainSubstring("Accept invitation"), Not(ContainSubstring("evil")))))))

			w.reorganize(ctx, func(o *accountsv1.Organization) {
				o.Spec.Mail = accountsv1.OrganizationMail{Server: theirs.SMTPURL(), Sender: "people@acme.example"}
			})
			eventually(ctx, org, haveMessage("MailValid", "invitation.html"), haveMessage("MailValid", reason))
			create(ctx, w.invitation("jane"))
			Eventually(func() []inbox.Message { return theirs.For(string(w.email("jane"))) }).Should(ConsistOf(And(
				HaveField("Subject", "Invitation to join Acme"), HaveField("HTML", Not(ContainSubstring("evil"))))))

			change(ctx, own, func(c *corev1.ConfigMap) { c.Data["invitation.html"] = "<p>Welcome!</p>\n<p>{{.Link}}</p>" })
			eventually(ctx, org, haveCondition("MailValid", metav1.ConditionTrue, "Reconciled"))
			create(ctx, w.invitation("ada"))
			Eventually(func() []inbox.Message { return theirs.For(string(w.email("ada"))) }).Should(ConsistOf(And(
				HaveField("Subject", "Come to Acme"), HaveField("HTML", HavePrefix("<p>Welcome!</p>")))))
		},
		Entry("an anchor around the link that leads elsewhere", `<a href="https://evil.example/"> {{.Link}} </a>`, `an <a> that shows {{.Link}} must have href="{{.Link}}"`),
		Entry("a refresh", `<meta http-equiv="refresh" content="0;url=https://evil.example/">`, `an attribute http-equiv="refresh" is not allowed in <meta>`),
		Entry("javascript", `<a href="javascript:location='https://evil.example/'">Join</a>`, "it must begin with https://, http:// or mailto:"),
		Entry("a beacon", `<img src="https://evil.example/1.gif" width="1" height="1">`, "an element <img> is not allowed in a mail"),
		Entry("a beacon in a style", `<p style="background:url(https://evil.example/1.gif)">Hi</p>`, "is not allowed in <p>"),
	)

	It("uses the Organization's own mail server and sender", func(ctx SpecContext) {
		theirs, err := inbox.Start(inbox.Options{})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(theirs.Close)
		org := w.organization()
		change(ctx, org, func(o *accountsv1.Organization) {
			o.Spec.Mail = accountsv1.OrganizationMail{Server: theirs.SMTPURL(), Sender: "Acme People <people@acme.example>"}
		})
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"))
		Expect(letters.For(string(w.email("john")))).To(BeEmpty())
		Expect(theirs.For(string(w.email("john")))).To(ConsistOf(And(
			HaveField("EnvelopeFrom", "people@acme.example"), HaveField("From", `"Acme People" <people@acme.example>`))))

		change(ctx, org, func(o *accountsv1.Organization) { o.Spec.Mail.Server = "smtp://acme@mail.example" })
		eventually(ctx, org, haveCondition("MailValid", metav1.ConditionFalse, "MailServerInvalid"))
		jane := w.invitation("jane")
		create(ctx, jane)
		eventually(ctx, jane, haveState("Sending"), haveCondition("Reconciling", metav1.ConditionTrue, "TemporaryFailure"))
		Expect(letters.For(string(w.email("jane")))).To(BeEmpty(), "no other server is used")
	})

	It("is signed with the Organization's key", func(ctx SpecContext) {
		theirs, err := inbox.Start(inbox.Options{})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(theirs.Close)
		w.credentials(ctx, map[string]string{accountsv1.DKIMKeyKey: dkimKey})
		_, err = email.ParseDKIM("acme.example", "usher", []byte(dkimKey))
		Expect(err).NotTo(HaveOccurred())
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Mail = accountsv1.OrganizationMail{Server: theirs.SMTPURL(), Sender: "people@acme.example", DKIMSelector: "usher"}
		})
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"))
		Expect(string(theirs.For(string(w.email("john")))[0].Raw)).To(And(
			HavePrefix("DKIM-Signature:"), ContainSubstring("d=acme.example"), ContainSubstring("s=usher")))
	})
})

// dkimKey signs only the mails of these specs.
const dkimKey = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
`

var _ = Describe("The notice about an answer", func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	It("is sent once: the member learns how to sign in, the owners and the chat learn who has joined", Label("A9", "C8"), func(ctx SpecContext) {
		var mu sync.Mutex
		var posts []string
		chat := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			var post struct{ Text string }
			_ = json.NewDecoder(r.Body).Decode(&post)
			mu.Lock()
			posts = append(posts, post.Text)
			mu.Unlock()
			_, _ = rw.Write([]byte("ok"))
		}))
		DeferCleanup(chat.Close)
		w.owned(ctx)
		w.credentials(ctx, map[string]string{
			accountsv1.ChatURLKey: "mattermost://" + strings.TrimPrefix(chat.URL, "http://") + "/abcdefghijklmnopqrstuvwxyz?disabletls=yes",
		})
		eventually(ctx, w.organization(), haveCondition("MailValid", metav1.ConditionTrue, "Reconciled"))
		_, a := w.active(ctx)
		Eventually(func() []string { return w.mailsTo("jane", "usher:"+a.Name) }).Should(HaveLen(1))
		confirmation := letters.For(string(w.email("jane")))[1].Text
		Expect(confirmation).To(And(ContainSubstring(a.Name), ContainSubstring(string(w.email("jane"))),
			ContainSubstring("Developer"), ContainSubstring("Deploy applications: staging"), ContainSubstring("https://accounts.example.com")))
		Eventually(func() []string { return w.mailsTo("ada", "Jane Doe") }).Should(HaveLen(1))
		posted := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(posts)
		}
		Eventually(posted).Should(ConsistOf(And(ContainSubstring("Jane Doe"), ContainSubstring("Acme"))))
		quiet(ctx)
		for _, o := range []string{"jane", "ada"} {
			poke(ctx, w.invitation(o))
		}
		quiet(ctx)
		Expect(w.mailsTo("ada", "Jane Doe")).To(HaveLen(1))
		Expect(posted()).To(HaveLen(1))
	})

	It("is sent later, with the same bytes, if the mail server was not available", Label("K8"), func(ctx SpecContext) {
		w.invited(ctx, "jane")
		letters.FailAt(inbox.Body, inbox.Fault{Code: 451, Text: "not now", Accept: true})
		DeferCleanup(letters.SetFault, (func(inbox.Stage, int) inbox.Fault)(nil))
		a := w.accept(ctx, "jane", w.name+"-jane")
		inv := w.invitation("jane")
		eventually(ctx, inv, haveState("Active"), HaveField("Status.Deliveries", ContainElement(And(
			HaveField("Name", "confirmation"), HaveField("Result", BeEquivalentTo("TemporaryFailure"))))))
		letters.SetFault(nil)
		now.PutForward(10 * time.Second)
		poke(ctx, inv)
		Eventually(func() []string { return w.mailsTo("jane", "usher:"+a.Name) }).Should(HaveLen(2))
		mails := w.mailsTo("jane", "usher:"+a.Name)
		Expect(mails[0]).To(Equal(mails[1]))
	})
})

var _ = Describe("The founders", Label("D1"), func() {
	It("are invited once each, by the Organization itself", func(ctx SpecContext) {
		w := aWorld()
		org := w.organization()
		org.Spec.Roles = append(org.Spec.Roles, accountsv1.Role{Name: "owner", Standing: "Owner"})
		org.Spec.Founders = []accountsv1.Founder{
			{Name: "ada", Email: w.email("ada"), GivenName: "Ada", Role: "owner"},
			{Name: "bob", Email: w.email("bob"), Role: "developer"},
		}
		create(ctx, namespace(w.staging()), org)
		ada := w.membership("ada")
		DeferCleanup(func(ctx SpecContext) { _ = k8s.Delete(ctx, ada) })
		Eventually(func() error { return k8s.Get(ctx, w.key("ada"), ada) }).Should(Succeed())
		eventually(ctx, ada, haveState("Invited"), beReady())
		eventually(ctx, org, haveCondition("Stalled", metav1.ConditionTrue, "UnknownRole"), haveMessage("Ready", "bob"))

		Expect(k8s.Delete(ctx, ada)).To(Succeed())
		eventuallyGone(ctx, ada)
		poke(ctx, org)
		quiet(ctx)
		Expect(apierrors.IsNotFound(k8s.Get(ctx, w.key("ada"), ada))).To(BeTrue(), "a deleted founder is not created again")
	})
})
