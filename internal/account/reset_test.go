// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
)

const (
	someUID    = "6f1c2d3e-4a5b-4c6d-8e7f-0123456789ab"
	anotherUID = "6f1c2d3e-4a5b-4c6d-8e7f-0123456789ac"
)

func someKeys(tb testing.TB, numbers ...int) invitation.Keyring {
	tb.Helper()
	data := map[string][]byte{}
	for _, n := range numbers {
		data[fmt.Sprintf("key-%d", n)] = bytes.Repeat([]byte{byte(n)}, invitation.KeySize)
	}
	keys, err := invitation.ParseKeyring(data)
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

func derived(tb testing.TB, keys invitation.Keyring, uid string, requested time.Time) string {
	tb.Helper()
	text, err := DeriveResetLink(keys, uid, requested)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// asking returns an Account for which reset links were requested at these times.
func asking(times ...time.Time) *accountsv1.Account {
	f := someFacts(record("acme/jane"))
	f.Account.UID = someUID
	for _, t := range times {
		f.Account.Status.ResetTimes = append(f.Account.Status.ResetTimes, metav1.NewTime(t))
	}
	return f.Account
}

func TestHowAResetLinkStands(t *testing.T) {
	keys, requested := someKeys(t, 1, 2), noon
	cases := map[string]struct {
		link     string
		change   func(a *accountsv1.Account)
		password time.Time
		keys     invitation.Keyring
		at       time.Duration
		want     ResetLinkStatus
	}{
		"just requested":                    {want: ResetLinkOpen},
		"its last second":                   {at: time.Hour - time.Second, want: ResetLinkOpen},
		"it has expired":                    {at: time.Hour, want: ResetLinkExpired},
		"on a clock that was set back":      {at: -time.Hour, want: ResetLinkOpen},
		"its key is not the newest":         {keys: someKeys(t, 1, 2, 3), want: ResetLinkOpen},
		"its key was removed from the ring": {keys: someKeys(t, 1, 3), want: ResetLinkUnknown},
		"another ring":                      {keys: someKeys(t, 7), want: ResetLinkUnknown},
		"the password is older":             {password: requested.Add(-1), want: ResetLinkOpen},
		"the password is of that instant":   {password: requested, want: ResetLinkUsed},
		"the password is of that second":    {password: requested.Add(999 * time.Millisecond), want: ResetLinkUsed},
		"the password is newer":             {password: requested.Add(time.Minute), want: ResetLinkUsed},
		"used and expired":                  {password: requested.Add(time.Minute), at: 2 * time.Hour, want: ResetLinkUsed},
		"another was requested since":       {change: at12(5*time.Minute, 0), want: ResetLinkSuperseded},
		"superseded and expired":            {change: at12(5*time.Minute, 0), at: 2 * time.Hour, want: ResetLinkSuperseded},
		"the status was lost":               {change: at12(), want: ResetLinkSuperseded},
		"another Account":                   {change: func(a *accountsv1.Account) { a.UID = anotherUID }, want: ResetLinkUnknown},
		"the Account is disabled":           {change: func(a *accountsv1.Account) { a.Spec.State = accountsv1.AccountSwitchDisabled }, want: ResetLinkUnknown},
		"the Account is being deleted":      {change: func(a *accountsv1.Account) { a.DeletionTimestamp = &metav1.Time{Time: noon} }, want: ResetLinkUnknown},
		"the Account is incomplete":         {change: func(a *accountsv1.Account) { a.Annotations = nil }, want: ResetLinkUnknown},
		"a link of another Account":         {link: derived(t, keys, anotherUID, requested), want: ResetLinkUnknown},
		"a link of another time":            {link: derived(t, keys, someUID, requested.Add(-time.Minute)), want: ResetLinkSuperseded},
		"a link of a future time":           {link: derived(t, keys, someUID, requested.Add(time.Minute)), want: ResetLinkSuperseded},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := asking(requested)
			if c.change != nil {
				c.change(a)
			}
			if c.link == "" {
				c.link = derived(t, keys, someUID, requested)
			}
			if c.keys.Newest() == 0 {
				c.keys = keys
			}
			link, err := ParseResetLink(c.link)
			if err != nil {
				t.Fatal(err)
			}
			if got := CheckReset(link, a, c.password, c.keys, noon.Add(c.at)); got != c.want {
				t.Errorf("its status is %d, not %d", got, c.want)
			}
		})
	}
	link, _ := ParseResetLink(derived(t, keys, someUID, requested))
	if got := CheckReset(link, nil, time.Time{}, keys, noon); got != ResetLinkUnknown {
		t.Errorf("without an Account, its status is %d", got)
	}
	if got := CheckReset(ResetLink{}, asking(noon), time.Time{}, keys, noon); got != ResetLinkUnknown {
		t.Errorf("without a link, the status is %d", got)
	}
}

// at12 sets requests at these times after noon, newest first.
func at12(after ...time.Duration) func(*accountsv1.Account) {
	return func(a *accountsv1.Account) {
		a.Status.ResetTimes = nil
		for _, d := range after {
			a.Status.ResetTimes = append(a.Status.ResetTimes, metav1.NewTime(noon.Add(d)))
		}
	}
}

// An attacker who has genuine links of other Accounts and times, but none of the keys,
// cannot make one that opens this Account.
func TestAForgedResetLinkIsUnknown(t *testing.T) {
	keys, a := someKeys(t, 1, 2), asking(noon)
	genuine, err := base64.RawURLEncoding.DecodeString(derived(t, keys, someUID, noon))
	if err != nil {
		t.Fatal(err)
	}
	others, err := base64.RawURLEncoding.DecodeString(derived(t, keys, anotherUID, noon))
	if err != nil {
		t.Fatal(err)
	}
	uid, err := invitation.ParseUID(someUID)
	if err != nil {
		t.Fatal(err)
	}
	forgeries := map[string][]byte{
		"another Account's link with this UID": joined(uid[:], others[len(uid):]),
		"no MAC":                               joined(genuine[:resetHeadSize], make([]byte, sha256.Size)),
		"made with an attacker's key": func() []byte {
			own, _ := base64.RawURLEncoding.DecodeString(derived(t, someKeys(t, 9), someUID, noon))
			own[resetHeadSize-1] = 2
			return own
		}(),
		"made for something else with the right key": func() []byte {
			mac, _ := keys.MAC(2, "usher invitation link v1\x00", genuine[:resetHeadSize])
			return joined(genuine[:resetHeadSize], mac)
		}(),
		"made for something else that ends like it": func() []byte {
			mac, _ := keys.MAC(2, "usher reset link v1", genuine[:resetHeadSize])
			return joined(genuine[:resetHeadSize], mac)
		}(),
	}
	for i := range len(genuine) * 8 {
		flipped := bytes.Clone(genuine)
		flipped[i/8] ^= 1 << (i % 8)
		forgeries[fmt.Sprintf("bit %d is another", i)] = flipped
	}
	for name, raw := range forgeries {
		link, err := ParseResetLink(base64.RawURLEncoding.EncodeToString(raw))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := CheckReset(link, a, time.Time{}, keys, noon); got != ResetLinkUnknown {
			t.Errorf("%s: its status is %d", name, got)
		}
	}
	if len(forgeries) != 5+8*resetLinkSize {
		t.Errorf("there are %d forgeries", len(forgeries))
	}
}

func joined(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestAResetLinkSaysWhatItIsForAndNothingElse(t *testing.T) {
	text := derived(t, someKeys(t, 1, 255), someUID, noon.Add(time.Millisecond))
	if again := derived(t, someKeys(t, 255), someUID, noon); again != text {
		t.Error("a request in the same second has another link")
	}
	link, err := ParseResetLink(text)
	if err != nil {
		t.Fatal(err)
	}
	if link.UID() != someUID {
		t.Errorf("it is for Account %s", link.UID())
	}
	for _, shown := range []string{fmt.Sprint(link), fmt.Sprintf("%v %+v %s", link, link, link)} {
		if strings.Contains(shown, someUID) || strings.Contains(shown, text[len(text)-20:]) {
			t.Errorf("it is printed as %s", shown)
		}
	}
	raw, _ := base64.RawURLEncoding.DecodeString(text)
	if len(raw) != 57 || raw[24] != 255 || binary.BigEndian.Uint64(raw[16:]) != uint64(noon.Unix()) {
		t.Errorf("it is %x", raw)
	}
}

func TestNoResetLinkIsMadeWithoutAKeyOrAUID(t *testing.T) {
	for name, c := range map[string]struct {
		keys invitation.Keyring
		uid  string
	}{
		"no keys": {invitation.Keyring{}, someUID},
		"no UID":  {someKeys(t, 1), ""},
	} {
		if text, err := DeriveResetLink(c.keys, c.uid, noon); err == nil || text != "" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

func FuzzParseResetLink(f *testing.F) {
	keys, a := someKeys(f, 1), asking(noon)
	genuine := derived(f, keys, someUID, noon)
	for _, seed := range []string{"", "x", genuine, genuine[1:], genuine + "A", genuine[:len(genuine)-1] + "\n", strings.Repeat("_", len(genuine))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		link, err := ParseResetLink(text)
		if err != nil {
			if !errors.Is(err, invitation.ErrMalformedLink) || link != (ResetLink{}) {
				t.Fatalf("%v, with %v", err, link)
			}
			return
		}
		if again := base64.RawURLEncoding.EncodeToString(append(link.head.bytes(), link.mac[:]...)); again != text {
			t.Errorf("%q is read as %q", text, again)
		}
		if got := CheckReset(link, a, time.Time{}, keys, noon); (got == ResetLinkOpen) != (text == genuine) {
			t.Errorf("%q has status %d", text, got)
		}
	})
}

func TestHowOftenSomebodyMayAsk(t *testing.T) {
	ago := func(all ...time.Duration) []metav1.Time {
		var times []metav1.Time
		for _, d := range all {
			times = append(times, metav1.NewTime(noon.Add(-d)))
		}
		return times
	}
	const h = time.Hour
	cases := map[string]struct {
		times []metav1.Time
		want  bool
	}{
		"for the first time":                     {nil, true},
		"a minute after the last":                {ago(time.Minute), true},
		"less than a minute after the last":      {ago(time.Minute - 1), false},
		"for the fifth time in a day":            {ago(h, 2*h, 3*h, 4*h), true},
		"for the sixth time in a day":            {ago(h, 2*h, 3*h, 4*h, 24*h-1), false},
		"for the sixth time, a day later":        {ago(h, 2*h, 3*h, 4*h, 24*h), true},
		"for the sixth time, all long ago":       {ago(48*h, 49*h, 50*h, 51*h, 52*h), true},
		"when the last is in the future":         {ago(-h), false},
		"when all are in the future":             {ago(-5*h, -4*h, -3*h, -2*h, -h), false},
		"for the sixth time, a minute after one": {ago(time.Minute-1, 25*h, 26*h, 27*h, 28*h), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := MayRequest(c.times, noon); got != c.want {
				t.Errorf("MayRequest = %v", got)
			}
		})
	}
}

func TestALinkCanAlwaysBeAskedForWhenNoneIsOpen(t *testing.T) {
	const h, min = time.Hour, time.Minute
	cases := map[string]struct {
		asked []time.Duration
		// password is how long ago a password was chosen. 0 means never.
		password time.Duration
		want     bool
	}{
		"for the first time":                                {nil, 0, true},
		"a minute after the last":                           {[]time.Duration{min}, 0, true},
		"less than a minute after the last":                 {[]time.Duration{min - 1}, 0, false},
		"for the sixth time in a day, and one is open":      {[]time.Duration{h - 1, 2 * h, 3 * h, 4 * h, 5 * h}, 0, false},
		"for the sixth time in a day, and none is open":     {[]time.Duration{h, 2 * h, 3 * h, 4 * h, 5 * h}, 0, true},
		"for the sixth time, a day later, and one is open":  {[]time.Duration{2 * min, 2 * h, 3 * h, 4 * h, 24 * h}, 0, true},
		"for the sixth time, and the last was used":         {[]time.Duration{2 * min, 3 * min, 4 * min, 5 * min, 6 * min}, min, true},
		"for the sixth time, and it was used at once":       {[]time.Duration{2 * min, 3 * min, 4 * min, 5 * min, 6 * min}, 2 * min, true},
		"for the sixth time, and the one before was used":   {[]time.Duration{2 * min, 3 * min, 4 * min, 5 * min, 6 * min}, 3 * min, false},
		"less than a minute after the last, which was used": {[]time.Duration{min - 1}, 1, false},
		"when the last is in the future":                    {[]time.Duration{-h}, 0, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var s accountsv1.AccountStatus
			for _, d := range c.asked {
				s.ResetTimes = append(s.ResetTimes, *ago(d))
			}
			if c.password != 0 {
				s.PasswordTime = ago(c.password)
			}
			if got := MayRequestReset(s, noon); got != c.want {
				t.Errorf("MayRequestReset = %v", got)
			}
		})
	}
}

func TestRequestsAreListedNewestFirst(t *testing.T) {
	at := func(minutes ...int) (times []metav1.Time) {
		for _, m := range minutes {
			times = append(times, metav1.NewTime(noon.Add(time.Duration(m)*time.Minute)))
		}
		return times
	}
	cases := map[string]struct{ before, want []metav1.Time }{
		"the first":                     {nil, at(0)},
		"one more":                      {at(-1, -2), at(0, -1, -2)},
		"one more than allowed":         {at(-1, -2, -3, -4, -5), at(0, -1, -2, -3, -4)},
		"two in one second":             {at(0, -1), at(0, -1)},
		"the last one is in the future": {at(7, -1), at(7, -1)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			now := metav1.NewTime(noon.Add(999 * time.Millisecond))
			kept := slices.Clone(c.before)
			if diff := cmp.Diff(c.want, Requested(c.before, now)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if diff := cmp.Diff(kept, c.before); diff != "" {
				t.Errorf("the argument was modified:\n%s", diff)
			}
		})
	}
}
