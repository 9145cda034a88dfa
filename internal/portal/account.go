// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/username"
)

const pageAccount = "account.html"

// paramDone is the query parameter that names what was done on the previous page.
// Its values are the keys of doneSentences.
const paramDone = "done"

// What the account page can confirm.
const (
	donePassword     = "password"
	doneSession      = "session"
	doneLeft         = "left"
	doneRecoveryCode = "recovery-code"
	doneEmail        = "email"
	doneClient       = "client"
)

// doneSentences are the sentences that confirm it.
var doneSentences = map[string]string{
	donePassword:     "portal.account.done-password",
	doneSession:      "portal.account.done-session",
	doneLeft:         "portal.account.done-left",
	doneRecoveryCode: "portal.account.done-recovery-code",
	doneEmail:        "portal.account.done-email",
	doneClient:       "portal.account.done-client",
}

// Fields of the forms of the account page.
const (
	// fieldSession holds the hash of a session, or allSessions.
	fieldSession = "session"
	allSessions  = "all"
	// fieldClient holds the ID of a sign-in to a client.
	fieldClient = "client"
)

func (p *portal) accountRoutes() map[string]route {
	return map[string]route{
		"/account":            {get: p.forMembers(p.showAccount)},
		"/account/email":      {get: p.forMembers(p.showEmail), post: p.forMembers(p.askForEmailCode)},
		"/account/email/code": {get: p.forMembers(p.showEmail), post: p.forMembers(p.confirmEmail)},
		"/account/sessions":   {get: p.forMembers(p.backToAccount), post: p.forMembers(p.endSessions)},
		"/account/clients":    {get: p.forMembers(p.backToAccount), post: p.forMembers(p.endClient)},
		"/account/password":   {get: p.forMembers(p.showPassword), post: p.forMembers(p.changePassword)},
		"/account/leave":      {get: p.forMembers(p.showLeave), post: p.forMembers(p.leave)},
	}
}

// accountPage shows people their own account.
type accountPage struct {
	UserName, KubernetesUser, Email, Name string
	// EmailVerified means that the person has proved that they receive mail at Email.
	EmailVerified bool
	Belongings    []belongingView
	Sessions      []sessionView
	Clients       []clientView
	// SecondFactor means that there is a second factor. RecoveryCodes is the number
	// of unused recovery codes.
	SecondFactor  bool
	RecoveryCodes int
	// NeedsSecondFactor means that an Organization requires a second factor and there
	// is none.
	NeedsSecondFactor bool
	// Connect means that there is a page about the cluster.
	Connect bool
	// Waiting is the name of the client whose request the browser carries, or "". Continue is
	// the path below Base at which the person approves it.
	Waiting, Continue string
	// Done is the id of the sentence that confirms what was just done, or "".
	Done string
	// Base is the path that the portal is mounted at.
	Base string
}

// belongingView shows an Organization that the account belongs to.
type belongingView struct {
	Organization, Role, Support string
	Abilities                   []membership.Ability
	// Membership is its key, "namespace/name".
	Membership string
	// Leaving means that the member has asked to leave.
	Leaving bool
	// Withheld means that nothing is granted at the moment.
	Withheld bool
}

// sessionView shows one session in a way that its user can recognize.
type sessionView struct {
	Hash string
	// Browser and System are common names. An empty value means unknown.
	Browser, System string
	// LastUse is accurate to a few minutes.
	Started, LastUse time.Time
	Current          bool
}

// clientView shows a sign-in to a client.
type clientView struct {
	ID, Name string
	// Started is when the person signed in. LastUse is when the last token was issued.
	Started, LastUse time.Time
}

func (p *portal) showAccount(v membersVisit) {
	a, c := v.Account, v.Credentials
	page := accountPage{
		UserName: username.Show(a.Name), KubernetesUser: accountsv1.AccountUserPrefix + a.Name,
		Email: string(a.Spec.Email), EmailVerified: a.EmailVerified(), Name: strings.TrimSpace(string(a.Spec.GivenName) + " " + string(a.Spec.FamilyName)),
		SecondFactor: c.HasSecondFactor(), RecoveryCodes: len(c.RecoveryCodes),
		NeedsSecondFactor: v.NeedsSecondFactor(), Connect: p.cluster.Server != "", Base: p.base,
	}
	for _, b := range v.Belongings {
		page.Belongings = append(page.Belongings, viewBelonging(v.Member, b))
	}
	for _, s := range v.Sessions(p.clock.Now()) {
		if s.Stage == session.StageSignedIn {
			browser, system := nameBrowser(s.Browser)
			page.Sessions = append(page.Sessions, sessionView{s.Hash, browser, system, s.StartTime, s.SeenTime, s.Hash == v.Session.Hash})
		}
	}
	for _, c := range v.ClientsSignedInTo(p.clock.Now()) {
		client, _, err := p.clients(v.r.Context(), c.ClientID)
		if err != nil {
			p.failed(v.w, v.r, v.lang, "find a client", err, unavailable)
			return
		}
		page.Clients = append(page.Clients, clientView{c.ID, cmp.Or(client.Name, c.ClientID), c.StartTime, c.UsedTime})
	}
	page.Waiting, page.Continue = p.waiting(v.r, v.lang)
	page.Done = doneSentences[v.r.URL.Query().Get(paramDone)]
	v.render(p, http.StatusOK, pageAccount, v.lang.Text("portal.account.title", nil), page)
}

func viewBelonging(m *store.Member, b account.Belonging) belongingView {
	role, _ := b.Organization.Role(b.Membership.Spec.Role)
	key := accountsv1.MembershipReference{
		Namespace: accountsv1.NamespaceName(b.Membership.Namespace), Name: accountsv1.CatalogueName(b.Membership.Name),
	}
	return belongingView{
		Organization: string(b.Organization.Title()), Role: string(role.Title()), Support: string(b.Organization.Spec.SupportContact),
		Abilities:  membership.Abilities(invitation.Offer{Organization: b.Organization, Membership: b.Membership}),
		Membership: membershipKey(b),
		Leaving:    slices.Contains(m.Account.Status.Leaving, key),
		Withheld:   b.Membership.Status.State == accountsv1.MembershipInactive,
	}
}

func membershipKey(b account.Belonging) string {
	return b.Membership.Namespace + "/" + b.Membership.Name
}

// backToAccount answers a reload of an address that only accepts forms.
func (p *portal) backToAccount(v membersVisit) { p.toAccount(v, "") }

// toAccount redirects the browser to the account page, which confirms what was
// done.
func (p *portal) toAccount(v membersVisit, done string) {
	path := "/account?lang=" + v.lang.String()
	if done != "" {
		path += "&" + paramDone + "=" + done
	}
	p.redirect(v.w, v.r, path)
}

// endSessions answers the forms that end one session or all of them, including
// the session of the request.
func (p *portal) endSessions(v membersVisit) {
	values, status, refusal := readValues(v.w, v.r)
	if status != 0 {
		p.message(v.w, v.r, v.lang, status, refusal)
		return
	}
	which := values.Get(fieldSession)
	end := func() error { return p.store.EndSession(v.r.Context(), v.Member, which) }
	if which == allSessions {
		end = func() error { return p.store.EndSessions(v.r.Context(), v.Member) }
	}
	err := end()
	switch {
	case err != nil:
		p.failed(v.w, v.r, v.lang, "end sessions", err, unavailable)
	case which == allSessions || which == v.Session.Hash:
		p.clearSession(v.w)
		p.redirect(v.w, v.r, "/sign-in?lang="+v.lang.String()+"&"+paramDone+"="+doneSignedOut)
	default:
		p.toAccount(v, doneSession)
	}
}

// endClient answers the form that ends a sign-in to a client.
func (p *portal) endClient(v membersVisit) {
	values, status, refusal := readValues(v.w, v.r)
	if status != 0 {
		p.message(v.w, v.r, v.lang, status, refusal)
		return
	}
	if err := p.store.EndClient(v.r.Context(), v.Member, values.Get(fieldClient)); err != nil {
		p.failed(v.w, v.r, v.lang, "end a sign-in to a client", err, unavailable)
		return
	}
	p.toAccount(v, doneClient)
}
