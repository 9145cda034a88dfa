// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
)

var _ = Describe("After an invited person has joined,", func() {
	It("they read how to sign in and what they may do, and the owner and the chat each get one notice",
		Label("A9", "C8", "K8"), func(ctx SpecContext) {
			acme := newTenant(ctx)
			chat := acme.startChat(ctx)
			acme.join(ctx, "ada", "owner", acme.unique("ada"))
			jane := acme.unique("jane-doe")
			acme.join(ctx, "jane", "developer", jane)

			mail := acme.mail("jane", welcomed)
			Expect(mail.Text).To(And(
				ContainSubstring("You are now a member of Acme Rocket Works with the role Developer."),
				ContainSubstring("User name: "+jane),
				ContainSubstring("Kubernetes user name: usher:"+jane),
				ContainSubstring("Sign-in email: "+acme.email("jane")),
				ContainSubstring("Deploy applications: Staging"),
				ContainSubstring(usher.url),
			))
			Expect(mail.HTML).To(And(ContainSubstring(jane), ContainSubstring("Deploy applications: Staging")))
			Expect(acme.mail("ada", joined).Text).To(And(
				ContainSubstring("Jane Doe has accepted the invitation and is now a member of Acme Rocket Works."),
				ContainSubstring(acme.email("jane")),
				ContainSubstring("because you are an owner of Acme Rocket Works"),
			))
			const toChat = "Welcome! Jane Doe has joined Acme Rocket Works as Developer."
			Eventually(chat.posts).Should(ContainElement(toChat))

			By("restarting the controller")
			Expect(usher.controller.Stop(stopTimeout)).To(Succeed())
			usher.startController()
			acme.join(ctx, "june", "observer", acme.unique("june"))
			acme.mail("june", welcomed)
			Eventually(chat.posts).Should(ContainElement("Welcome! Jane Doe has joined Acme Rocket Works as Observer."))
			Expect(acme.subjects("jane")).To(HaveExactElements(invited, welcomed))
			Eventually(acme.subjects).WithArguments("ada").Should(HaveExactElements(invited, welcomed, joined, joined))
			Expect(chat.posts()).To(HaveExactElements(
				"Welcome! Jane Doe has joined Acme Rocket Works as Owner.", toChat,
				"Welcome! Jane Doe has joined Acme Rocket Works as Observer."))
		})
})

// chat is a fake Mattermost server with one incoming webhook.
type chat struct {
	hook string

	mu      sync.Mutex
	failing bool
	calls   int
	texts   []string
}

// hooks are the secret parts of the URLs of all chats.
var hooks []string

// startChat starts a chat, and lets the tenant's Organization post to it.
func (t tenant) startChat(ctx context.Context) *chat {
	GinkgoHelper()
	c := &chat{hook: "hook" + utilrand.String(22)}
	hooks = append(hooks, c.hook)
	server := httptest.NewServer(c)
	DeferCleanup(server.Close)
	kubectl(ctx, "create", "secret", "generic", "usher-credentials", "-n", t.name,
		"--from-literal=chat-url=mattermost://"+strings.TrimPrefix(server.URL, "http://")+"/"+c.hook+"?disabletls=yes")
	return c
}

func (c *chat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var post struct{ Text string }
	err := json.NewDecoder(r.Body).Decode(&post)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	switch {
	case c.failing:
		http.Error(w, "cannot serve "+r.URL.String(), http.StatusInternalServerError)
	case err != nil || r.Method != http.MethodPost || r.URL.Path != "/hooks/"+c.hook:
		http.Error(w, "this is not a notice", http.StatusBadRequest)
	default:
		c.texts = append(c.texts, post.Text)
		_, _ = w.Write([]byte("ok"))
	}
}

// fail makes the chat answer every post with an error that repeats its secret.
func (c *chat) fail() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing = true
}

// posts returns the posted texts, oldest first.
func (c *chat) posts() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.texts)
}

// called returns how many requests the chat got.
func (c *chat) called() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}
