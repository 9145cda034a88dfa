// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// patience is the time limit of one action on a page.
const patience = 20 * time.Second

type action = chromedp.Action[chromedp.Void]

var browser context.Context

// startBrowser starts one browser for all specs. Each page is in a profile of its
// own.
func startBrowser() {
	GinkgoHelper()
	flags := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		// A container has neither a sandbox nor a screen.
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("ignore-certificate-errors-spki-list", front.pin),
		// Chromium leaves temporary directories behind.
		chromedp.Env("TMPDIR="+GinkgoT().TempDir()),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	DeferCleanup(stop)
	var closeBrowser context.CancelFunc
	browser, closeBrowser = chromedp.NewContext(allocator)
	DeferCleanup(closeBrowser)
	Expect(chromedp.Do(browser)).To(Succeed(), "starting Chromium")
}

// page is a browser tab of one person.
type page struct {
	tab    context.Context //nolint:containedctx // a context is what chromedp has for a tab
	status int64

	mu         sync.Mutex
	complaints []string
}

// newPage opens a tab in a profile of its own, as a new visitor.
func newPage(setup ...action) *page {
	GinkgoHelper()
	p := &page{}
	var closeTab context.CancelFunc
	p.tab, closeTab = chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.listen))
	DeferCleanup(closeTab)
	// The first run sets the lifetime of the tab: no deadline.
	Expect(chromedp.Do(p.tab)).To(Succeed())
	p.do(command(log.Enable, cdp.Empty{}),
		command(network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
			Headers: network.Headers{"X-Forwarded-For": newVisitor().address},
		}))
	p.do(setup...)
	return p
}

// command returns an action for a command whose answer does not matter.
func command[P, R any](c cdp.Command[P, R], params P) action {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// withoutScript makes the browser ignore the scripts of a page.
func withoutScript() action {
	return command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// inScheme sets the colour scheme of the browser to "light" or "dark".
func inScheme(scheme string) action {
	return command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
}

// onPhone sets the screen to that of a phone, with that size in CSS pixels.
func onPhone(width, height int64) action {
	return chromedp.EmulateViewport(width, height, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch)
}

// onDesk sets the window to that size in CSS pixels.
func onDesk(width, height int64) action { return chromedp.EmulateViewport(width, height) }

// listen records everything that the browser reports: script errors, and resources
// that the content security policy blocked.
func (p *page) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.complaints = append(p.complaints, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		p.complaints = append(p.complaints, fmt.Sprintf("the script writes to the console (%s)", e.Type))
	case *log.EventEntryAdded:
		// A page that refuses a request has an error status, and the browser reports
		// that too.
		refusal := e.Entry.Source == log.EntrySourceNetwork && !strings.Contains(e.Entry.URL, "/assets/")
		if trouble := e.Entry.Level == log.EntryLevelWarning || e.Entry.Level == log.EntryLevelError; trouble && !refusal {
			p.complaints = append(p.complaints, string(e.Entry.Level)+": "+e.Entry.Text)
		}
	}
}

// browserErrors returns the problems that the browser reported about the page.
func (p *page) browserErrors() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.complaints)
}

func (p *page) do(actions ...action) {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(p.tab, patience)
	defer cancel()
	Expect(chromedp.Do(ctx, actions...)).To(Succeed())
}

// open goes to an address, like a person who clicks on a link in a mail.
func (p *page) open(address string) {
	GinkgoHelper()
	p.navigate(chromedp.Navigate(address))
}

// navigate runs actions that load the next page, and keeps its status.
func (p *page) navigate(actions ...action) {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(p.tab, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, actions...)
	Expect(err).NotTo(HaveOccurred())
	p.status = response.Status
}

// text returns the visible text of the page.
func (p *page) text() string {
	GinkgoHelper()
	return p.evaluate("document.body.innerText")
}

// textOf returns the text of an element, or "" if the page has no such element. Texts
// about a field are in elements such as user-name-problem and user-name-status.
func (p *page) textOf(id string) string {
	GinkgoHelper()
	return p.evaluate(fmt.Sprintf("document.getElementById(%q)?.innerText ?? ''", id))
}

// value returns the value of a field.
func (p *page) value(field string) string {
	GinkgoHelper()
	return p.evaluate(fmt.Sprintf("document.getElementById(%q).value", field))
}

func (p *page) evaluate(script string) string {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(p.tab, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
	Expect(err).NotTo(HaveOccurred())
	return text
}

// fill types into a field, and replaces its value.
func (p *page) fill(field, text string) {
	GinkgoHelper()
	p.do(chromedp.Focus(chromedp.ID(field)),
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf("document.getElementById(%q).select()", field)),
		chromedp.KeyEvent(text))
}

// fillIn fills in the fields that the page cannot prefill.
func (p *page) fillIn(userName, password string) {
	GinkgoHelper()
	p.fill("user-name", userName)
	p.fill("password", password)
	p.fill("password-again", password)
}

// The elements to click on the page of an invitation.
const (
	createAccount = "#create button[type=submit]"
	signIn        = "form[action*='/sign-in'] button[type=submit]"
	mailCode      = "form[action*='/address'] button[type=submit]"
	toDecline     = ".decline a"
)

// submit sends the form of the page. If there are several, it sends the one that
// creates an account.
func (p *page) submit() {
	GinkgoHelper()
	if p.evaluate("String(document.querySelector('#create') !== null)") == "true" {
		p.click(createAccount)
		return
	}
	p.click("main button[type=submit]")
}

// click clicks on an element that leads to the next page.
func (p *page) click(selector string) {
	GinkgoHelper()
	p.navigate(chromedp.Click(chromedp.CSS(selector)))
}

// tick ticks a checkbox, opens a folded section, or selects one of several options.
func (p *page) tick(selector string) {
	GinkgoHelper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// press types keys into the focused element.
func (p *page) press(keys string) {
	GinkgoHelper()
	p.do(chromedp.KeyEvent(keys))
}

// enter presses the Enter key as a keyboard does. With chromedp's own Enter key, the
// browser types a line break into the element that gets the focus next.
func enter() action {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, event := range []input.DispatchKeyEventType{
			input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeChar, input.DispatchKeyEventTypeKeyUp,
		} {
			if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, input.DispatchKeyEventParams{
				Type: event, Key: "Enter", Code: "Enter", Text: "\r", WindowsVirtualKeyCode: 13, NativeVirtualKeyCode: 13,
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// focused returns the id of the focused element, or its text if it has no id.
func (p *page) focused() string {
	GinkgoHelper()
	return p.evaluate("document.activeElement.id || document.activeElement.innerText.trim()")
}

// tabTo presses the Tab key until the target has the focus.
func (p *page) tabTo(target string) {
	GinkgoHelper()
	var way []string
	for range 15 {
		p.press(kb.Tab)
		at := p.focused()
		if at == target {
			return
		}
		way = append(way, at)
	}
	Fail(fmt.Sprintf("the Tab key does not lead to %q, but to %q", target, way))
}

// overflow returns by how many pixels the page is wider than the screen.
func (p *page) overflow() string {
	GinkgoHelper()
	return p.evaluate("String(document.documentElement.scrollWidth - document.documentElement.clientWidth)")
}

func (p *page) screenshot() []byte {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(p.tab, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	Expect(err).NotTo(HaveOccurred())
	return picture
}
