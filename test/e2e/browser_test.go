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

// patience is how long a page may take over one thing that is done to it.
const patience = 20 * time.Second

type action = chromedp.Action[chromedp.Void]

var browser context.Context

// startBrowser starts one browser for all specs. Each page is in a profile of
// its own.
func startBrowser() {
	GinkgoHelper()
	flags := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		// A container has no sandbox to offer, and no screen.
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		// It leaves directories behind.
		chromedp.Env("TMPDIR="+GinkgoT().TempDir()),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	DeferCleanup(stop)
	var closeBrowser context.CancelFunc
	browser, closeBrowser = chromedp.NewContext(allocator)
	DeferCleanup(closeBrowser)
	Expect(chromedp.Do(browser)).To(Succeed(), "starting Chromium")
}

// page is what one person has open.
type page struct {
	tab    context.Context //nolint:containedctx // a context is what chromedp has for a tab
	status int64

	mu         sync.Mutex
	complaints []string
}

// newPage opens a tab in a profile of its own, for a visitor of their own.
func newPage(setup ...action) *page {
	GinkgoHelper()
	p := &page{}
	var closeTab context.CancelFunc
	p.tab, closeTab = chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.listen))
	DeferCleanup(closeTab)
	// The first run decides how long the tab lives: without a deadline.
	Expect(chromedp.Do(p.tab)).To(Succeed())
	p.do(command(log.Enable, cdp.Empty{}),
		command(network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
			Headers: network.Headers{"X-Forwarded-For": newVisitor().address},
		}))
	p.do(setup...)
	return p
}

// command makes an action of a command that answers nothing of interest.
func command[P, R any](c cdp.Command[P, R], params P) action {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// withoutScript is a browser that runs no script of a page.
func withoutScript() action {
	return command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// inScheme is a browser set to "light" or "dark".
func inScheme(scheme string) action {
	return command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
}

// onPhone is a screen of that size in CSS pixels, in the hand.
func onPhone(width, height int64) action {
	return chromedp.EmulateViewport(width, height, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch)
}

// onDesk is a window of that size in CSS pixels.
func onDesk(width, height int64) action { return chromedp.EmulateViewport(width, height) }

// listen keeps whatever the browser complains about: errors of the script, and
// what the content security policy kept out.
func (p *page) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.complaints = append(p.complaints, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		p.complaints = append(p.complaints, fmt.Sprintf("the script writes to the console (%s)", e.Type))
	case *log.EventEntryAdded:
		// A page that says no comes with a status that says no, and the browser notes it.
		refusal := e.Entry.Source == log.EntrySourceNetwork && !strings.Contains(e.Entry.URL, "/assets/")
		if trouble := e.Entry.Level == log.EntryLevelWarning || e.Entry.Level == log.EntryLevelError; trouble && !refusal {
			p.complaints = append(p.complaints, string(e.Entry.Level)+": "+e.Entry.Text)
		}
	}
}

// complained is what the browser had to say against the page.
func (p *page) complained() []string {
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

// open goes to an address as somebody does who clicks on it in a mail.
func (p *page) open(address string) {
	GinkgoHelper()
	p.leave(chromedp.Navigate(address))
}

// leave does what brings the next page, and keeps the status that it comes with.
func (p *page) leave(actions ...action) {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(p.tab, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, actions...)
	Expect(err).NotTo(HaveOccurred())
	p.status = response.Status
}

// text is all that can be read.
func (p *page) text() string {
	GinkgoHelper()
	return p.evaluate("document.body.innerText")
}

// beside is the text of an element that may not be there: what is said about a
// field is in user-name-problem and user-name-status.
func (p *page) beside(id string) string {
	GinkgoHelper()
	return p.evaluate(fmt.Sprintf("document.getElementById(%q)?.innerText ?? ''", id))
}

// value is what stands in a field.
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

// fill types into a field, in place of what was there.
func (p *page) fill(field, text string) {
	GinkgoHelper()
	p.do(chromedp.Focus(chromedp.ID(field)),
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf("document.getElementById(%q).select()", field)),
		chromedp.KeyEvent(text))
}

// fillIn fills in what nobody can fill in for somebody.
func (p *page) fillIn(userName, password string) {
	GinkgoHelper()
	p.fill("user-name", userName)
	p.fill("password", password)
	p.fill("password-again", password)
}

// What is clicked on the page of an invitation.
const (
	createAccount = "#create button[type=submit]"
	signIn        = "form[action*='/sign-in'] button[type=submit]"
	mailCode      = "form[action*='/address'] button[type=submit]"
	toDecline     = ".decline a"
)

// submit sends the form, which is the one that makes an account where there
// are several.
func (p *page) submit() {
	GinkgoHelper()
	if p.evaluate("String(document.querySelector('#create') !== null)") == "true" {
		p.click(createAccount)
		return
	}
	p.click("main button[type=submit]")
}

// click clicks on what leads to the next page.
func (p *page) click(selector string) {
	GinkgoHelper()
	p.leave(chromedp.Click(chromedp.CSS(selector)))
}

// tick ticks a box, unfolds what is folded, or takes one of several choices.
func (p *page) tick(selector string) {
	GinkgoHelper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// press types keys, wherever the focus is.
func (p *page) press(keys string) {
	GinkgoHelper()
	p.do(chromedp.KeyEvent(keys))
}

// enter is the Enter key as a keyboard sends it: chromedp's own makes the
// browser type a line break into whatever gets the focus by it.
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

// focused is the id of what has the focus, or else what is written on it.
func (p *page) focused() string {
	GinkgoHelper()
	return p.evaluate("document.activeElement.id || document.activeElement.innerText.trim()")
}

// tabTo presses the tabulator until the focus is where somebody wants to be.
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
	Fail(fmt.Sprintf("the tabulator does not lead to %q, but to %q", target, way))
}

// overflow is by how many pixels the page is wider than the screen.
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
