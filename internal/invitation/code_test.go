// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// askingForCode is an Invitation whose holder has just requested a code.
func askingForCode() *accountsv1.Invitation {
	return someFacts(tried(me, accountsv1.DeliverySent, 1), codeFor("doe@example.net", 1)).Invitation
}

func codeOf(tb testing.TB, keys Keyring, inv *accountsv1.Invitation) string {
	tb.Helper()
	code, err := keys.Code(inv)
	if err != nil {
		tb.Fatal(err)
	}
	return code
}

func TestACodeIsForOneRequestAlone(t *testing.T) {
	keys := someKeys(t, 6, 7)
	inv := askingForCode()
	code := codeOf(t, keys, inv)
	if again := codeOf(t, keys, inv); again != code {
		t.Error("one request has two codes")
	}
	if len(code) != 8 || strings.Trim(code, "0123456789") != "" {
		t.Errorf("the code is %q", code)
	}
	for name, c := range map[string]struct {
		change func(*accountsv1.Invitation)
		want   bool
	}{
		"its own request":                     {func(*accountsv1.Invitation) {}, true},
		"the address in capitals":             {func(inv *accountsv1.Invitation) { inv.Status.OtherAddress.Email = "DOE@EXAMPLE.net" }, true},
		"the portal's counters":               {func(inv *accountsv1.Invitation) { inv.Status.Guesses = 9 }, true},
		"another Invitation":                  {func(inv *accountsv1.Invitation) { inv.UID = anotherUID }, false},
		"another attempt":                     {func(inv *accountsv1.Invitation) { inv.Status.Attempt.Number = 2 }, false},
		"the attempt claimed again":           {func(inv *accountsv1.Invitation) { inv.Status.Attempt.ClaimTime = second(claimed.Add(time.Second)) }, false},
		"another key":                         {func(inv *accountsv1.Invitation) { inv.Status.Attempt.KeyID = 6 }, false},
		"a key that is no longer on the ring": {func(inv *accountsv1.Invitation) { inv.Status.Attempt.KeyID = 9 }, false},
		"no key":                              {func(inv *accountsv1.Invitation) { inv.Status.Attempt.KeyID = 0 }, false},
		"no attempt":                          {func(inv *accountsv1.Invitation) { inv.Status.Attempt = accountsv1.Attempt{KeyID: 7} }, false},
		"another address":                     {func(inv *accountsv1.Invitation) { inv.Status.OtherAddress.Email = "doe@example.com" }, false},
		"another request":                     {func(inv *accountsv1.Invitation) { inv.Status.OtherAddress.Requests = 2 }, false},
		"a request of another time": {func(inv *accountsv1.Invitation) {
			inv.Status.OtherAddress.RequestTime = second(claimed.Add(time.Second))
		}, false},
		"no request":    {func(inv *accountsv1.Invitation) { inv.Status.OtherAddress = accountsv1.OtherAddress{} }, false},
		"a lost status": {func(inv *accountsv1.Invitation) { inv.Status = accountsv1.InvitationStatus{} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			changed := inv.DeepCopy()
			c.change(changed)
			if got := keys.CheckCode(changed, code, claimed.Add(time.Second)); got != c.want {
				t.Errorf("the code confirms: %v", got)
			}
		})
	}
	if someKeys(t, 8).CheckCode(inv, code, claimed) {
		t.Error("the code confirms with another keyring")
	}
}

func TestACodeCountsForTenMinutes(t *testing.T) {
	keys, inv := someKeys(t, 7), askingForCode()
	code := codeOf(t, keys, inv)
	for after, want := range map[time.Duration]bool{
		0: true, 10*time.Minute - time.Second: true, 10*time.Minute - time.Nanosecond: true,
		10 * time.Minute: false, 10*time.Minute + time.Second: false, 24 * time.Hour: false,
		-time.Second: true, // the clock here is behind that of the portal that received the request
	} {
		if got := keys.CheckCode(inv, code, claimed.Add(after)); got != want {
			t.Errorf("after %s the code confirms: %v", after, got)
		}
	}
}

func TestWhatPeopleTypeAsACode(t *testing.T) {
	keys, inv := someKeys(t, 7), askingForCode()
	code := codeOf(t, keys, inv)
	half := len(code) / 2
	cases := map[string]bool{
		code:                                       true,
		code[:half] + " " + code[half:]:            true,
		code[:half] + "-" + code[half:]:            true,
		code[:half] + "\u00a0" + code[half:]:       true,
		"  " + code + " ":                          true,
		strings.Join(strings.Split(code, ""), " "): true,
		"":            false,
		" ":           false,
		code[1:]:      false,
		code[:7]:      false,
		code + "0":    false,
		"0" + code:    false,
		code + code:   false,
		code + "\x00": false,
		code + "\n":   false,
		"+" + code:    false,
		"00000000":    code == "00000000",
		strings.Map(func(r rune) rune { return r - '0' + '０' }, code): false,
		strings.Map(func(r rune) rune { return r - '0' + '٠' }, code): false,
	}
	for i := range len(code) {
		for bit := range 8 {
			cases[code[:i]+string([]byte{code[i] ^ 1<<bit})+code[i+1:]] = false
		}
		for digit := range 10 {
			if edited := code[:i] + fmt.Sprint(digit) + code[i+1:]; edited != code {
				cases[edited] = false
			}
		}
	}
	for typed, want := range cases {
		if got := keys.CheckCode(inv, typed, claimed); got != want {
			t.Errorf("%q confirms: %v, where the code is %q", typed, got, code)
		}
	}
}

func TestCodesAreEightDigitsEach(t *testing.T) {
	keys, inv := someKeys(t, 7), askingForCode()
	rapid.Check(t, func(t *rapid.T) {
		inv := inv.DeepCopy()
		inv.Status.OtherAddress.RequestTime = second(claimed.Add(time.Duration(rapid.IntRange(0, 1<<30).Draw(t, "second")) * time.Second))
		code, err := keys.Code(inv)
		if err != nil || len(code) != 8 || strings.Trim(code, "0123456789") != "" {
			t.Fatalf("the code is %q: %v", code, err)
		}
		if !keys.CheckCode(inv, code, inv.Status.OtherAddress.RequestTime.Time) {
			t.Fatalf("%q does not confirm", code)
		}
	})
}

func FuzzCheckCode(f *testing.F) {
	keys, err := ParseKeyring(map[string][]byte{"key-7": []byte(strings.Repeat("7", KeySize))})
	if err != nil {
		f.Fatal(err)
	}
	inv := askingForCode()
	code := codeOf(f, keys, inv)
	for _, seed := range []string{code, code[:4] + " " + code[4:], code[:4] + "-" + code[4:], "", "00000000", code + "\x00", "１２３４５６７８"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		without := strings.Map(func(r rune) rune {
			if r == ' ' || r == '-' || r == '\u00a0' {
				return -1
			}
			return r
		}, typed)
		if got := keys.CheckCode(inv, typed, claimed); got != (without == code) {
			t.Errorf("%q confirms: %v", typed, got)
		}
	})
}
