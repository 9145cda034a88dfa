// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/pquerna/otp/totp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/session"
)

// Two people with accounts, and the Invitations behind the accounts.
const (
	mara     = "mara-voss"
	maraUID  = "33333333-3333-4333-8333-333333333333"
	otto     = "otto-lang"
	ottoUID  = "44444444-4444-4444-8444-444444444444"
	theirURL = "https://usher.example.com"
)

// accountOf returns the objects of a person with an account, changed for the test.
func accountOf(t *testing.T, name, uid string, changes ...func(*accountsv1.Account, *account.Credentials)) []client.Object {
	t.Helper()
	a := &accountsv1.Account{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID("uid-of-" + name), CreationTimestamp: metav1.NewTime(storetest.Start.Add(-24 * time.Hour)),
			Annotations: map[string]string{accountsv1.MembershipsAnnotation: storetest.Home + "/" + name},
		},
		Spec: accountsv1.AccountSpec{
			Email:         accountsv1.EmailAddress(name + "@example.com"),
			InvitationRef: accountsv1.InvitationReference{Namespace: storetest.Home, Name: accountsv1.CatalogueName(name), UID: uid},
		},
	}
	c := &account.Credentials{Password: "hash of " + validPassword, FinalInvitation: uid}
	for _, change := range changes {
		change(a, c)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: storetest.System, Name: account.SecretName(name)}}
	if err := c.WriteTo(secret, a); err != nil {
		t.Fatal(err)
	}
	return []client.Object{a, secret}
}

// worldWithMaraAndOtto contains Mara and Otto. The changes apply to Mara.
func worldWithMaraAndOtto(t *testing.T, changes ...func(*accountsv1.Account, *account.Credentials)) *world {
	t.Helper()
	w := aWorldWithoutPages(t, append(accountOf(t, mara, maraUID, changes...), accountOf(t, otto, ottoUID)...)...)
	w.config.Pause = func(context.Context, time.Duration) {}
	return w.build()
}

// portals returns n more portals over the same objects.
func (w *world) portals(n int) []http.Handler {
	w.T.Helper()
	all := make([]http.Handler, n)
	for i := range all {
		var err error
		all[i], err = New(w.config)
		w.Must(err)
	}
	return all
}

// cookieBrowser is a browser with all its cookies.
type cookieBrowser struct {
	*world
	handler http.Handler
	jar     map[string]*http.Cookie
}

func (w *world) agent() *cookieBrowser {
	return &cookieBrowser{w, w.handler, map[string]*http.Cookie{}}
}

// seated returns the browser of a person who reached a stage that long ago.
func (w *world) seated(name string, stage session.Stage, ago time.Duration) *cookieBrowser {
	w.T.Helper()
	s, token, err := session.New(rand.Reader, stage, "Firefox", w.Clock.Now().Add(-ago))
	w.Must(err)
	s.SeenTime = w.Clock.Now()
	w.Change(name, func(c *account.Credentials) { c.Sessions = append(c.Sessions, s) })
	a := w.agent()
	a.jar[hostPrefix+sessionCookie] = &http.Cookie{Name: hostPrefix + sessionCookie, Value: token + "." + name}
	return a
}

// signedInAs returns the browser of a person who has just signed in.
func (w *world) signedInAs(name string) *cookieBrowser {
	return w.seated(name, session.StageSignedIn, time.Minute)
}

// copy returns another browser with the same cookies.
func (a *cookieBrowser) copy() *cookieBrowser {
	return &cookieBrowser{a.world, a.handler, maps.Clone(a.jar)}
}

func (a *cookieBrowser) send(r *http.Request) *httptest.ResponseRecorder {
	a.T.Helper()
	for _, c := range a.jar {
		r.AddCookie(c)
	}
	recorder := httptest.NewRecorder()
	a.handler.ServeHTTP(recorder, r)
	for _, c := range recorder.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(a.jar, c.Name)
			continue
		}
		a.jar[c.Name] = c
	}
	return recorder
}

func (a *cookieBrowser) visit(target string) *httptest.ResponseRecorder {
	a.T.Helper()
	return a.send(newRequest(http.MethodGet, target, nil))
}

func (a *cookieBrowser) fill(target string, fields url.Values) *httptest.ResponseRecorder {
	a.T.Helper()
	return a.send(formRequest(target, fields.Encode()))
}

func (a *cookieBrowser) script(target, body string) *httptest.ResponseRecorder {
	a.T.Helper()
	r := newRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return a.send(r)
}

// isIn reports whether the browser is signed in to that account.
func (a *cookieBrowser) isIn(name string) bool {
	a.T.Helper()
	page := a.visit("/account/second-factor")
	return page.Code == http.StatusOK && strings.Contains(page.Body.String(), name)
}

// shownSecret returns the secret that a page shows for typing.
func shownSecret(t *testing.T, page *httptest.ResponseRecorder) string {
	t.Helper()
	found := regexp.MustCompile(`<code class="typed">([A-Z2-7 ]+)</code>`).FindStringSubmatch(page.Body.String())
	if found == nil {
		t.Fatalf("no secret on the page:\n%s", page.Body)
	}
	return strings.ReplaceAll(found[1], " ", "")
}

// shownCodes returns the recovery codes on a page.
func shownCodes(page *httptest.ResponseRecorder) []string {
	var codes []string
	for _, found := range regexp.MustCompile(`<code>([0-9A-Z]{4}(?:-[0-9A-Z]{4}){5})</code>`).FindAllStringSubmatch(page.Body.String(), -1) {
		codes = append(codes, found[1])
	}
	return codes
}

func codeAt(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// hasApp sets up an app with a secret that the test knows.
func hasApp(_ *accountsv1.Account, c *account.Credentials) {
	c.TOTP = account.TOTP{Secret: appSecret, AddedTime: storetest.Start.Add(-time.Hour)}
}

// hasPasskey adds a passkey x, which cannot sign in.
func hasPasskey(_ *accountsv1.Account, c *account.Credentials) {
	c.Passkeys = []account.Passkey{{ID: "x", Name: "X", Record: json.RawMessage(`{}`)}}
}

const appSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// key is a passkey with its authenticator.
type key struct {
	t    *testing.T
	rp   virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	cred virtualwebauthn.Credential
}

func aKey(t *testing.T) *key {
	t.Helper()
	k := &key{
		t:    t,
		rp:   virtualwebauthn.RelyingParty{ID: "usher.example.com", Name: "usher.example.com", Origin: theirURL},
		auth: virtualwebauthn.NewAuthenticator(),
	}
	// The authenticator drops the leading zeros of a coordinate.
	const whole = 77
	for k.cred.Key == nil || len(k.cred.Key.AttestationData()) != whole {
		k.cred = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	return k
}

// id returns the ID of the passkey as forms and Secrets contain it.
func (k *key) id() string { return base64.RawURLEncoding.EncodeToString(k.cred.ID) }

// made returns a browser's answer to options for a new passkey.
func (k *key) made(options *httptest.ResponseRecorder) string {
	k.t.Helper()
	asked, err := virtualwebauthn.ParseAttestationOptions(options.Body.String())
	if err != nil {
		k.t.Fatalf("%v: %s", err, options.Body)
	}
	k.auth.Options.UserHandle = []byte(asked.UserID)
	return virtualwebauthn.CreateAttestationResponse(k.rp, k.auth, k.cred, *asked)
}

// signed returns a browser's answer to options for signing in.
func (k *key) signed(options *httptest.ResponseRecorder) string {
	k.t.Helper()
	asked, err := virtualwebauthn.ParseAssertionOptions(options.Body.String())
	if err != nil {
		k.t.Fatalf("%v: %s", err, options.Body)
	}
	return virtualwebauthn.CreateAssertionResponse(k.rp, k.auth, k.cred, *asked)
}

// signedWith is like signed, with client data that no browser would write and a
// matching signature.
func (k *key) signedWith(options *httptest.ResponseRecorder, change func(clientData map[string]any)) string {
	k.t.Helper()
	var answer map[string]any
	decode(k.t, k.signed(options), &answer)
	response, ok := answer["response"].(map[string]any)
	if !ok {
		k.t.Fatal("no response")
	}
	var clientData map[string]any
	decode(k.t, string(unbase64(k.t, response["clientDataJSON"])), &clientData)
	change(clientData)
	written := encode(k.t, clientData)
	sum := sha256.Sum256(written)
	digest := sha256.Sum256(slices.Concat(unbase64(k.t, response["authenticatorData"]), sum[:]))
	signature, err := k.cred.Key.Sign(digest[:])
	if err != nil {
		k.t.Fatal(err)
	}
	response["clientDataJSON"] = base64.RawURLEncoding.EncodeToString(written)
	response["signature"] = base64.RawURLEncoding.EncodeToString(signature)
	return string(encode(k.t, answer))
}

// madeWith returns a browser's answer without an attestation, with client data
// that no browser would write.
func (k *key) madeWith(options *httptest.ResponseRecorder, change func(clientData map[string]any)) string {
	k.t.Helper()
	asked, err := virtualwebauthn.ParseAttestationOptions(options.Body.String())
	if err != nil {
		k.t.Fatal(err)
	}
	clientData := map[string]any{
		"type": "webauthn.create", "challenge": base64.RawURLEncoding.EncodeToString(asked.Challenge), "origin": k.rp.Origin,
	}
	change(clientData)
	sum := sha256.Sum256([]byte(k.rp.ID))
	const presentVerifiedAttested = 1<<0 | 1<<2 | 1<<6
	authData := slices.Concat(sum[:], []byte{presentVerifiedAttested, 0, 0, 0, 0}, make([]byte, 16),
		binary.BigEndian.AppendUint16(nil, uint16(len(k.cred.ID))), k.cred.ID, k.cred.Key.AttestationData())
	// CBOR of {"fmt": "none", "attStmt": {}, "authData": …}.
	object := slices.Concat([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59"),
		binary.BigEndian.AppendUint16(nil, uint16(len(authData))), authData)
	k.auth.Options.UserHandle = []byte(asked.UserID)
	return string(encode(k.t, map[string]any{
		"id": k.id(), "rawId": k.id(), "type": "public-key", "authenticatorAttachment": "platform",
		"clientExtensionResults": map[string]any{"credProps": map[string]any{"rk": true}},
		"response": map[string]any{
			"clientDataJSON":    base64.RawURLEncoding.EncodeToString(encode(k.t, clientData)),
			"attestationObject": base64.RawURLEncoding.EncodeToString(object),
			"transports":        []string{"internal", "hybrid"},
		},
	}))
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func unbase64(t *testing.T, text any) []byte {
	t.Helper()
	s, ok := text.(string)
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if !ok || err != nil {
		t.Fatalf("%v is not base64url", text)
	}
	return raw
}

// options returns the options for a new passkey that the browser of a signed-in
// person gets.
func (a *cookieBrowser) options(fields url.Values) *httptest.ResponseRecorder {
	a.T.Helper()
	return a.fill("/account/second-factor/passkey/options", fields)
}

// add sends the form with a new passkey.
func (a *cookieBrowser) add(answer, name string) *httptest.ResponseRecorder {
	a.T.Helper()
	return a.fill("/account/second-factor/passkey", url.Values{fieldPasskeyAnswer: {answer}, fieldPasskeyName: {name}})
}

// enroll adds the passkey, which must work.
func (a *cookieBrowser) enroll(k *key, name string) *httptest.ResponseRecorder {
	a.T.Helper()
	got := a.add(k.made(a.options(url.Values{fieldPasskeyName: {name}})), name)
	if got.Code != http.StatusOK && got.Code != http.StatusSeeOther {
		a.T.Fatalf("the passkey was not added: %d\n%s", got.Code, got.Body)
	}
	return got
}

// challenged returns the options that a browser gets before it signs in.
func (a *cookieBrowser) challenged() *httptest.ResponseRecorder {
	a.T.Helper()
	return a.script("/sign-in/passkey/options", "{}")
}

// enterWith signs in with the signed answer of a passkey.
func (a *cookieBrowser) enterWith(answer string) *httptest.ResponseRecorder {
	a.T.Helper()
	return a.script("/sign-in/passkey", answer)
}

// pauses records how long answers are held back.
func pauses(waited *[]time.Duration) func(context.Context, time.Duration) {
	return func(_ context.Context, d time.Duration) { *waited = append(*waited, d) }
}
