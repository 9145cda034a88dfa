// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/wording/language"
)

// factorPages are requests that lead to every page about second factors.
var factorPages = map[string]func(w *world, query string) *httptest.ResponseRecorder{
	"no second factor": func(w *world, query string) *httptest.ResponseRecorder {
		return w.signedInAs(otto).visit(pathFactors + query)
	},
	"every factor, long after the sign-in": func(w *world, query string) *httptest.ResponseRecorder {
		return w.seated(mara, session.StageSignedIn, time.Hour).visit(pathFactors + query)
	},
	"no password": func(w *world, query string) *httptest.ResponseRecorder {
		return w.seated(mara, session.StageSignedIn, time.Hour).fill(pathFactors+"/recovery-codes"+query, nil)
	},
	"a wrong password": func(w *world, query string) *httptest.ResponseRecorder {
		return w.seated(mara, session.StageSignedIn, time.Hour).fill(pathFactors+"/app/remove"+query, url.Values{fieldCurrentPassword: {"x"}})
	},
	"no passkey chosen": func(w *world, query string) *httptest.ResponseRecorder {
		return w.signedInAs(mara).fill(pathFactors+"/passkey/remove"+query, nil)
	},
	"the last factor": func(w *world, query string) *httptest.ResponseRecorder {
		w.Change(otto, func(c *account.Credentials) { hasApp(nil, c); c.ShortPassword = true })
		return w.signedInAs(otto).fill(pathFactors+"/app/remove"+query, nil)
	},
	"an app in setup": func(w *world, query string) *httptest.ResponseRecorder {
		a := w.signedInAs(mara)
		a.fill(pathFactors+"/app", nil)
		return a.visit(pathFactors + "/app" + query)
	},
	"a wrong code": func(w *world, query string) *httptest.ResponseRecorder {
		a := w.signedInAs(mara)
		a.fill(pathFactors+"/app", nil)
		return a.fill(pathFactors+"/app/confirm"+query, url.Values{fieldCode: {"1"}})
	},
	"no code": func(w *world, query string) *httptest.ResponseRecorder {
		a := w.signedInAs(mara)
		a.fill(pathFactors+"/app", nil)
		return a.fill(pathFactors+"/app/confirm"+query, nil)
	},
	"five wrong codes": func(w *world, query string) *httptest.ResponseRecorder {
		a := w.signedInAs(mara)
		a.fill(pathFactors+"/app", nil)
		for range store.AppTries - 1 {
			a.fill(pathFactors+"/app/confirm"+query, url.Values{fieldCode: {"1"}})
		}
		return a.fill(pathFactors+"/app/confirm"+query, url.Values{fieldCode: {"1"}})
	},
	"an app that is confirmed too late": func(w *world, query string) *httptest.ResponseRecorder {
		return w.signedInAs(mara).fill(pathFactors+"/app/confirm"+query, url.Values{fieldCode: {"1"}})
	},
	"a passkey that is added too late": func(w *world, query string) *httptest.ResponseRecorder {
		return w.signedInAs(mara).fill(pathFactors+"/passkey"+query, nil)
	},
	"a refused passkey": func(w *world, query string) *httptest.ResponseRecorder {
		a := w.signedInAs(mara)
		a.options(nil)
		return a.fill(pathFactors+"/passkey"+query, nil)
	},
	"a passkey with an invalid name": func(w *world, query string) *httptest.ResponseRecorder {
		a := w.signedInAs(mara)
		a.options(nil)
		return a.fill(pathFactors+"/passkey"+query, url.Values{fieldPasskeyName: {"\u202e"}})
	},
	"the maximum number of passkeys": func(w *world, query string) *httptest.ResponseRecorder {
		w.Change(otto, func(c *account.Credentials) { c.Passkeys = make([]account.Passkey, mostPasskeys) })
		return w.signedInAs(otto).visit(pathFactors + query)
	},
	"recovery codes": func(w *world, query string) *httptest.ResponseRecorder {
		return w.signedInAs(mara).fill(pathFactors+"/recovery-codes"+query, nil)
	},
	"a confirmed change": func(w *world, query string) *httptest.ResponseRecorder {
		return w.signedInAs(mara).visit(pathFactors + query + "&done=passkey-removed")
	},
	"the sign-in page": func(w *world, query string) *httptest.ResponseRecorder { return w.agent().visit("/sign-in" + query) },
}

func TestEveryPageAboutSecondFactorsIsThereInEveryLanguage(t *testing.T) {
	has := func(_ *accountsv1.Account, c *account.Credentials) {
		c.TOTP = account.TOTP{Secret: appSecret, AddedTime: storetest.Start}
		c.Passkeys = []account.Passkey{{ID: "x", Name: "Yubi 5", AddedTime: storetest.Start, UsedTime: storetest.Start, Record: []byte(`{}`)}}
	}
	same := append(slices.Clone(names), mara, otto, "Yubi 5")
	for name, visit := range factorPages {
		english := visit(worldWithMaraAndOtto(t, has), "?lang=en")
		for _, tag := range language.All() {
			t.Run(name+" in "+tag.Name(), func(t *testing.T) {
				got := visit(worldWithMaraAndOtto(t, has), "?lang="+tag.String())
				expect(t, got, english.Code, `<html lang="`+tag.String()+`">`, "!portal.", "!no value", "!ZgotmplZ")
				for _, text := range textsOf(t, got) {
					known := slices.Contains(same, text) || slices.Contains(sameInEnglish[tag], text) || len(shownCodes(got)) > 0 && strings.Count(text, "-") == 5
					if tag != language.Default && !known && slices.Contains(textsOf(t, english), text) {
						t.Errorf("%q is English", text)
					}
				}
			})
		}
	}
}
