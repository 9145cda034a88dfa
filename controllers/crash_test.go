// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/notifier"
	"github.com/usher-dev/usher/internal/notifier/email"
)

const (
	// sendDeadline is how long a process can take to send one mail.
	sendDeadline = time.Second
	// sendOver is when a dead process can no longer be sending: its deadline, plus the
	// second by which the time of its claim was truncated. The specs advance the clock by
	// it.
	sendOver = sendDeadline + time.Second
)

var errCrashed = errors.New("this process is dead")

// process is one run of Usher that dies at its nth call to the API server or the mail
// server. It dies either before the call or between the call and its answer. Calls that
// only fill its cache do not count, and neither do events.
type process struct {
	of    string // only calls of this name; empty: all calls
	at    int    // 0: never
	after bool

	mu      sync.Mutex
	calls   int
	dead    chan struct{}
	point   string          // the call at which it died
	sent    map[string]bool // mails that the server accepted and that are not recorded yet, by Message-ID
	pending map[string]bool // sent, at the time of death
}

func newProcess(at int, after bool) *process {
	return &process{at: at, after: after, dead: make(chan struct{}), sent: map[string]bool{}}
}

// call makes one call or dies. It makes only one call at a time, so that at the moment of
// death every other call was either made or not.
func (p *process) call(what string, do func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isDead() {
		return errCrashed
	}
	if p.of == "" || p.of == what {
		p.calls++
	}
	last := p.calls == p.at
	if last && !p.after {
		p.die(what)
		return errCrashed
	}
	err := do()
	if last {
		p.die(what)
		return errCrashed
	}
	return err
}

func (p *process) isDead() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

func (p *process) die(what string) {
	p.point, p.pending = what, maps.Clone(p.sent)
	close(p.dead)
}

// Send is the mail server as seen by this process.
func (p *process) Send(ctx context.Context, m email.Message, to notifier.Mailer) error {
	return p.call("SMTP: "+purposeOf(m.ID), func() error {
		err := to.Send(ctx, m)
		if err == nil {
			p.sent[m.ID] = true
		}
		return err
	})
}

// purposeOf returns the purpose of a mail, from its Message-ID.
func purposeOf(id string) string {
	purpose, _, _ := strings.Cut(strings.Split(id, ".")[1], "-")
	return purpose
}

// roundTrip is the API server as seen by this process.
func (p *process) roundTrip(next http.RoundTripper, r *http.Request) (response *http.Response, err error) {
	query := r.URL.Query()
	fillsCache := query.Get("watch") == "true" || query.Get("limit") == "500" || r.URL.Path == "/api" || r.URL.Path == "/apis"
	if fillsCache || strings.Contains(r.URL.Path, "/events") {
		return next.RoundTrip(r)
	}
	var body string
	if r.Body != nil {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(raw)
		r.Body = io.NopCloser(strings.NewReader(body))
	}
	err = p.call(r.Method+" "+r.URL.Path, func() error {
		response, err = next.RoundTrip(r) //nolint:bodyclose // the caller closes it
		if err == nil && response.StatusCode == http.StatusOK {
			p.record(body)
		}
		return err
	})
	if err != nil && response != nil {
		_ = response.Body.Close()
		response = nil
	}
	return response, err
}

// record removes the mails that a status records as sent from the unrecorded ones.
func (p *process) record(body string) {
	var inv accountsv1.Invitation
	if json.Unmarshal([]byte(body), &inv) != nil {
		return
	}
	for _, d := range inv.Status.Deliveries {
		if d.SentTime != nil {
			delete(p.sent, d.MessageID)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type mailer func(ctx context.Context, m email.Message) error

func (f mailer) Send(ctx context.Context, m email.Message) error { return f(ctx, m) }

// start runs Usher as this process.
func (p *process) start(ctx context.Context) (stop func()) {
	GinkgoHelper()
	api := rest.CopyConfig(usherAPI)
	api.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) { return p.roundTrip(next, r) })
	})
	post := testNotifier()
	smtp := post.Mailer
	post.Mailer = mailer(func(ctx context.Context, m email.Message) error { return p.Send(ctx, m, smtp) })
	post.Deadline = sendDeadline
	return startUsher(ctx, api, post, 1)
}

// story lets everything happen to two people, from the first manifest to the last trace.
// It returns the state in the middle.
func (w world) story(ctx context.Context) (middle []string) {
	create(ctx, namespace(w.staging()), w.organization())
	eventually(ctx, w.organization(), beReady())
	jane, john := w.membership("jane"), w.invitation("john")
	create(ctx, jane)
	eventually(ctx, jane, haveState("Invited"), beReady())
	create(ctx, john)
	eventually(ctx, john, haveState("Pending"), beReady())
	janes, johns := w.accept(ctx, "jane", w.name+"-jane"), w.accept(ctx, "john", w.name+"-john")
	eventually(ctx, jane, haveState("Active"), beReady())
	johnsOwn := w.membership("john")
	Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(johnsOwn), johnsOwn) }).Should(Succeed())
	eventually(ctx, johnsOwn, haveState("Active"), beReady())

	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(jane), jane); err != nil {
			return err
		}
		jane.Spec.Role = "observer"
		return k8s.Update(ctx, jane)
	}).Should(Succeed())
	Eventually(func() []string { return w.access(ctx) }).Should(ConsistOf(
		"view for usher:"+w.name+"-jane", "edit for usher:"+w.name+"-john"))
	eventually(ctx, jane, beReady(), HaveField("Status.Grants", ConsistOf(HaveField("Permission", BeEquivalentTo("look")))))
	for _, o := range []client.Object{janes, johns} {
		eventually(ctx, o, haveState("Active"), beReady())
	}
	for _, o := range []client.Object{w.invitation("jane"), john} {
		eventually(ctx, o, haveState("Active"), beReady())
	}
	for _, person := range []string{"jane", "john"} {
		Eventually(func() int { return len(w.mails(person)) }).Should(Equal(2), "the invitation and the confirmation")
		eventually(ctx, w.invitation(person), HaveField("Status.Deliveries", HaveEach(HaveField("Result", BeEquivalentTo("Sent")))))
	}
	middle = w.trace(ctx)

	for _, o := range []client.Object{jane, johns, w.organization(), johnsOwn, john, janes} {
		Expect(k8s.Delete(ctx, o)).To(Succeed())
	}
	for _, o := range []client.Object{jane, johns, w.organization(), johnsOwn, john, janes, w.invitation("jane")} {
		eventuallyGone(ctx, o)
	}
	return middle
}

// mails returns the mails to a person by Message-ID, once for each time it arrived.
func (w world) mails(person string) map[string][]string {
	all := map[string][]string{}
	for _, m := range letters.For(string(w.email(person))) {
		all[m.ID] = append(all[m.ID], string(m.Raw))
	}
	return all
}

// access returns who is bound to what in the staging namespace.
func (w world) access(ctx context.Context) []string {
	var all []string
	for _, b := range bindings(ctx, w.staging()) {
		for _, s := range b.Subjects {
			all = append(all, b.RoleRef.Name+" for "+s.Name)
		}
	}
	return all
}

// trace returns everything of this world that Usher manages, without times and without
// the world's own name.
func (w world) trace(ctx context.Context) []string {
	GinkgoHelper()
	all := w.access(ctx)
	var (
		memberships accountsv1.MembershipList
		invitations accountsv1.InvitationList
		accounts    accountsv1.AccountList
		secrets     corev1.SecretList
	)
	Expect(k8s.List(ctx, &memberships, client.InNamespace(w.name))).To(Succeed())
	for _, m := range memberships.Items {
		all = append(all, fmt.Sprint("Membership ", m.Name, m.Finalizers, m.Spec, words(m.Status.Conditions), m.Status.Grants, m.Status.AccountRef))
	}
	Expect(k8s.List(ctx, &invitations, client.InNamespace(w.name))).To(Succeed())
	for _, i := range invitations.Items {
		all = append(all, fmt.Sprint("Invitation ", i.Name, i.Finalizers, i.Spec, words(i.Status.Conditions), len(i.OwnerReferences)))
	}
	Expect(k8s.List(ctx, &accounts)).To(Succeed())
	for _, a := range accounts.Items {
		if strings.HasPrefix(a.Name, w.name+"-") {
			if _, proved := a.Annotations[accountsv1.EmailVerifiedAnnotation]; proved {
				a.Annotations[accountsv1.EmailVerifiedAnnotation] = "a time"
			}
			all = append(all, fmt.Sprint("Account ", a.Name, a.Finalizers, a.Annotations, a.Spec.Email, words(a.Status.Conditions)))
		}
	}
	Expect(k8s.List(ctx, &secrets, client.InNamespace(accountsv1.CredentialsNamespace))).To(Succeed())
	for _, s := range secrets.Items {
		if strings.Contains(s.Name, w.name+"-") {
			all = append(all, "Secret "+s.Name)
		}
	}
	for i := range all {
		all[i] = strings.ReplaceAll(all[i], w.name, "acme")
	}
	slices.Sort(all)
	return all
}

// The sweeps take longer than all other specs, so they run first.
var _ = Describe("A controller that dies", SpecPriority(100), func() {
	DescribeTable("reaches the same result, loses no mail, and repeats none except between the 250 and the record,",
		Label("K1", "K4", "K8"), func(ctx SpecContext, after bool) {
			stopUsher()
			DeferCleanup(func() { stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4) })

			undisturbed := newProcess(0, false)
			stop := undisturbed.start(ctx)
			w := aWorld()
			want := w.story(ctx)
			Expect(w.trace(ctx)).To(BeEmpty())
			stop()
			GinkgoWriter.Printf("undisturbed: %d calls\n", undisturbed.calls)

			doubled := map[string]int{}
			for at := 1; ; at++ {
				if !survives(ctx, newProcess(at, after), want, doubled) {
					Expect(at).To(BeNumerically(">", undisturbed.calls/2), "the sweep reached the end")
					break
				}
			}
			if after {
				// The order of calls varies, so the sweep by number can miss a mail.
				for at := 1; ; at++ {
					p := newProcess(at, after)
					p.of = "SMTP: 1"
					if !survives(ctx, p, want, doubled) {
						break
					}
				}
				Expect(doubled).NotTo(BeEmpty(), "the sweep covered the one point where a mail doubles")
			}
			GinkgoWriter.Printf("doubled: %v\n", doubled)
		},
		Entry("if it dies before any of its calls", false),
		Entry("if it dies between any of its calls and the answer", true),
	)
})

// survives runs the story with a process that dies, and with the process after it. It
// returns false if the story was over before the process could die.
func survives(ctx context.Context, p *process, want []string, doubled map[string]int) (died bool) {
	GinkgoHelper()
	began := time.Now()
	w := aWorld()
	stop := p.start(ctx)
	over, next := make(chan struct{}), make(chan func(), 1)
	go func() {
		defer GinkgoRecover()
		select {
		case <-p.dead:
			stop()
			now.PutForward(sendOver)
			next <- newProcess(0, false).start(ctx)
		case <-over:
			next <- stop
		}
	}()
	got := w.story(ctx)
	end := w.trace(ctx)
	close(over)
	(<-next)()
	where := fmt.Sprintf("call %d, after=%v: %s", p.at, p.after, strings.ReplaceAll(p.point, w.name, "acme"))
	GinkgoWriter.Printf("%s: %s\n", where, time.Since(began))
	Expect(got).To(Equal(want), where)
	Expect(end).To(BeEmpty(), where)
	for _, person := range []string{"jane", "john"} {
		mails := w.mails(person)
		Expect(mails).To(HaveLen(2), "lost, or composed again:  "+where)
		for id, copies := range mails {
			if len(copies) == 1 {
				continue
			}
			Expect(p.pending).To(HaveKey(id), "doubled: "+where)
			Expect(copies).To(HaveLen(2), where)
			Expect(copies[0]).To(Equal(copies[1]), where)
			doubled[strings.ReplaceAll(p.point, w.name, "acme")]++
		}
	}
	return p.isDead()
}
