// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// computer is the computer of a member, with kubectl and kubectl-usher.
type computer struct{ home, kubeconfig string }

// newComputer has the kubeconfig that the portal gives the person who is signed in with a browser.
func newComputer(browser *page) computer {
	GinkgoHelper()
	browser.open(front.url + "/connect")
	return newComputerWith(browser.textOf("kubeconfig-text"))
}

func newComputerWith(kubeconfig string) computer {
	GinkgoHelper()
	home := GinkgoT().TempDir()
	c := computer{home: home, kubeconfig: filepath.Join(home, "kubeconfig")}
	Expect(os.WriteFile(c.kubeconfig, []byte(kubeconfig), 0o600)).To(Succeed())
	// The browser of the person is elsewhere in this spec, so this one only notes the address.
	Expect(os.WriteFile(filepath.Join(home, "browser"), []byte("#!/bin/sh\nprintf %s \"$1\" > \"$(dirname \"$0\")/address\"\n"), 0o700)).To(Succeed())
	return c
}

// command returns a command of kubectl on the computer.
func (c computer) command(ctx context.Context, args ...string) *exec.Cmd {
	here, err := filepath.Abs(bin)
	Expect(err).NotTo(HaveOccurred())
	cmd := exec.CommandContext(ctx, filepath.Join(here, "kubectl"), args...)
	cmd.Env = []string{
		"PATH=" + here + ":/usr/bin:/bin", "HOME=" + c.home, "XDG_CACHE_HOME=" + filepath.Join(c.home, "cache"), "KUBECONFIG=" + c.kubeconfig,
		"BROWSER=" + filepath.Join(c.home, "browser"), "KUBECACHEDIR=" + filepath.Join(c.home, "kubecache"),
	}
	return cmd
}

// kubectl runs kubectl and returns its output, with the errors.
func (c computer) kubectl(ctx context.Context, args ...string) (string, error) {
	out, err := c.command(ctx, args...).CombinedOutput()
	return string(out), err
}

// cachedTokens are those in the cache of kubectl-usher.
type cachedTokens struct{ AccessToken, RefreshToken string }

// tokens returns the tokens in the cache of kubectl-usher.
func (c computer) tokens() cachedTokens {
	GinkgoHelper()
	files, err := filepath.Glob(filepath.Join(c.home, "cache", "usher", "*.json"))
	Expect(err).NotTo(HaveOccurred())
	Expect(files).To(HaveLen(1))
	raw, err := os.ReadFile(files[0])
	Expect(err).NotTo(HaveOccurred())
	var tokens cachedTokens
	Expect(json.Unmarshal(raw, &tokens)).To(Succeed())
	keepSecret(tokens.AccessToken)
	keepSecret(tokens.RefreshToken)
	return tokens
}

// expectNoRefresh expects that the portal refuses a refresh token.
func expectNoRefresh(ctx context.Context, token string) {
	GinkgoHelper()
	status, body := newVisitor().post(ctx, front.url+"/oauth2/token", url.Values{
		"grant_type": {"refresh_token"}, "client_id": {"kubectl"}, "refresh_token": {token},
	})
	Expect(status).To(Equal(http.StatusBadRequest))
	Expect(body).To(ContainSubstring("invalid_grant"))
}

// userCode is the form of the code that a device shows.
var userCode = regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}`)

// login signs in with kubectl usher login, and approves it in a browser.
func (c computer) login(ctx context.Context, browser *page) string {
	GinkgoHelper()
	address, signedIn := c.beginLogin(ctx)
	browser.open(address)                                                  //nolint:contextcheck // a browser has a context of its own
	if strings.Contains(browser.text(), "You are signing in to kubectl") { //nolint:contextcheck // see above
		browser.click("button[value=approve]") //nolint:contextcheck // see above
	}
	return signedIn()
}

// beginLogin starts kubectl usher login. It returns the address that a browser must open, and a
// function that waits for the end and returns the output.
func (c computer) beginLogin(ctx context.Context) (address string, signedIn func() string) {
	GinkgoHelper()
	var out bytes.Buffer
	cmd := c.command(ctx, "usher", "login")
	cmd.Stdout, cmd.Stderr = &out, &out
	Expect(cmd.Start()).To(Succeed())
	file := filepath.Join(c.home, "address")
	Eventually(os.ReadFile).WithArguments(file).ShouldNot(BeEmpty())
	raw, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.Remove(file)).To(Succeed())
	return string(raw), func() string {
		GinkgoHelper()
		Expect(cmd.Wait()).To(Succeed(), out.String())
		return out.String()
	}
}

var _ = Describe("A member", func() {
	It("signs in to the cluster with kubectl seconds after accepting, and has no access once the Membership is removed",
		Label("B7", "D8", "S1", "S5", "S7", "S8"), func(ctx SpecContext) {
			acme := newTenant(ctx)
			jane, password := acme.unique("jane-doe"), newPassword()
			browser := newPage()
			browser.open(acme.invite(ctx, "jane", "developer"))
			browser.fillIn(jane, password)
			browser.submit()
			Expect(browser.text()).To(ContainSubstring("Your account is ready"))
			browser.mustSignIn(jane, password)

			Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive)) // which gives the group
			By("getting a kubeconfig and signing in")
			laptop := newComputer(browser)
			Expect(laptop.login(ctx, browser)).To(ContainSubstring("You are signed in as " + jane))
			Expect(laptop.kubectl(ctx, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username} {.status.userInfo.groups}")).
				To(And(HavePrefix("usher:"+jane+" "), ContainSubstring("usher:"+acme.name+":developer")))

			By("having what was granted, and nothing else")
			Eventually(func() error {
				_, err := laptop.kubectl(ctx, "get", "pods", "-n", acme.staging())
				return err
			}).Should(Succeed())
			out, err := laptop.kubectl(ctx, "get", "pods", "-n", acme.production())
			Expect(err).To(HaveOccurred())
			Expect(out).To(ContainSubstring(`pods is forbidden: User "usher:` + jane + `" cannot list`))

			By("getting another role, which applications learn at once")
			kubectl(ctx, "patch", "membership", "jane", "-n", acme.name, "--type=merge", "-p", `{"spec":{"role":"observer"}}`)
			Eventually(func() string {
				_, body := newVisitor().get(ctx, http.MethodGet, front.url+"/oauth2/userinfo", "Authorization: Bearer "+laptop.tokens().AccessToken)
				return body
			}).Should(ContainSubstring(`"` + acme.name + `:observer"`))

			By("losing the Membership")
			kubectl(ctx, "delete", "membership", "jane", "-n", acme.name)
			Eventually(func() string {
				out, _ := laptop.kubectl(ctx, "get", "pods", "-n", acme.staging())
				return out
			}).WithTimeout(5 * time.Second).Should(ContainSubstring("forbidden"))
			Expect(laptop.kubectl(ctx, "auth", "whoami")).To(ContainSubstring("usher:"+jane), "the token is alive")
			expectNoRefresh(ctx, laptop.tokens().RefreshToken)
		})

	It("sees on the account page that kubectl is signed in, and ends that", Label("S6", "S7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		jane := acme.unique("jane-doe")
		password := acme.join(ctx, "jane", "developer", jane)
		browser := newPage()
		browser.mustSignIn(jane, password)
		laptop := newComputer(browser)
		laptop.login(ctx, browser)
		browser.open(front.url + "/account")
		Expect(browser.text()).To(ContainSubstring("kubectl"))
		browser.click("form[action*='/account/clients'] button[type=submit]")
		Expect(browser.evaluate("String(document.querySelectorAll('form[action*=\"/account/clients\"]').length)")).To(Equal("0"))
		expectNoRefresh(ctx, laptop.tokens().RefreshToken)
		status, _ := newVisitor().get(ctx, http.MethodGet, front.url+"/oauth2/userinfo", "Authorization: Bearer "+laptop.tokens().AccessToken)
		Expect(status).To(Equal(http.StatusUnauthorized))
	})

	It("signs in on a computer without a browser", Label("S2"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		jane := acme.unique("jane-doe")
		password := acme.join(ctx, "jane", "developer", jane)
		phone := newPage()
		phone.mustSignIn(jane, password)
		server := newComputer(phone)
		out := gbytes.NewBuffer()
		cmd := server.command(ctx, "usher", "login", "--device")
		cmd.Stdout, cmd.Stderr = out, out
		Expect(cmd.Start()).To(Succeed())
		Eventually(out.Contents).Should(MatchRegexp(userCode.String()))
		code := string(userCode.Find(out.Contents()))
		phone.open(front.url + "/device?code=" + code)
		Expect(phone.status).To(BeEquivalentTo(http.StatusOK))
		Expect(phone.text()).To(And(ContainSubstring(code), ContainSubstring("kubectl"), ContainSubstring("Network of the device")))
		phone.submit()
		Expect(phone.text()).To(ContainSubstring("The device is approved"))
		Expect(cmd.Wait()).To(Succeed(), string(out.Contents()))
		Expect(server.kubectl(ctx, "auth", "whoami")).To(ContainSubstring("usher:" + jane))

		By("adding the cluster to another kubeconfig")
		server.kubeconfig = filepath.Join(server.home, "another")
		Expect(server.kubectl(ctx, "usher", "kubeconfig", "--issuer="+front.url, "--issuer-ca-data="+base64.StdEncoding.EncodeToString(front.ca))).
			To(ContainSubstring("is now the current one"))
		Expect(server.kubectl(ctx, "auth", "whoami")).To(ContainSubstring("usher:" + jane))
		Expect(server.kubectl(ctx, "usher", "whoami")).To(And(ContainSubstring(jane), ContainSubstring(acme.name+":developer")))

		By("signing out")
		before := server.tokens()
		Expect(server.kubectl(ctx, "usher", "logout")).To(ContainSubstring("You are signed out."))
		expectNoRefresh(ctx, before.RefreshToken)
	})
})
