// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package secondfactor

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pquerna/otp"
	"pgregory.net/rapid"
)

// now is in the middle of its step.
var now = time.Unix(1_900_000_005, 0)

const step = 1_900_000_005 / 30

func someSecret(tb testing.TB) string {
	tb.Helper()
	secret, err := NewSecret(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return secret
}

// codeOf returns the code that an app shows at a step.
func codeOf(tb rapid.TB, secret string, step int64) string {
	tb.Helper()
	shown, err := code(secret, step, otp.DigitsSix, otp.AlgorithmSHA1)
	if err != nil {
		tb.Fatal(err)
	}
	return shown
}

func TestCodesAreThoseOfRFC6238(t *testing.T) {
	// Appendix B, with seeds as long as the hash, according to erratum 2866.
	seed := func(length int) string {
		return unpadded.EncodeToString([]byte(strings.Repeat("1234567890", 7)[:length]))
	}
	for _, v := range []struct {
		seconds              int64
		sha1, sha256, sha512 string
	}{
		{59, "94287082", "46119246", "90693936"},
		{1111111109, "07081804", "68084774", "25091201"},
		{1111111111, "14050471", "67062674", "99943326"},
		{1234567890, "89005924", "91819424", "93441116"},
		{2000000000, "69279037", "90698825", "38618901"},
		{20000000000, "65353130", "77737706", "47863826"},
	} {
		for _, c := range []struct {
			algorithm otp.Algorithm
			length    int
			want      string
		}{
			{otp.AlgorithmSHA1, 20, v.sha1},
			{otp.AlgorithmSHA256, 32, v.sha256},
			{otp.AlgorithmSHA512, 64, v.sha512},
		} {
			t.Run(fmt.Sprint(c.algorithm, " at ", v.seconds), func(t *testing.T) {
				got, err := code(seed(c.length), v.seconds/period, otp.DigitsEight, c.algorithm)
				if err != nil || got != c.want {
					t.Errorf("the code is %q, %v; want %q", got, err, c.want)
				}
			})
		}
	}
	// The six digits that apps show are the last six of the eight.
	if _, ok := Check(seed(20), "287082", time.Unix(59, 0), 0); !ok {
		t.Error("Check refuses the code at 59 seconds")
	}
}

func TestNewSecret(t *testing.T) {
	first, second := someSecret(t), someSecret(t)
	if first == second {
		t.Error("two secrets are the same")
	}
	if len(first) != 32 || strings.Trim(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		t.Errorf("%q is not 160 bits in base32", first)
	}
	broken := errors.New("no entropy")
	if secret, err := NewSecret(iotest.ErrReader(broken)); !errors.Is(err, broken) || secret != "" {
		t.Errorf("without randomness: %q, %v", secret, err)
	}
	if secret, err := NewSecret(strings.NewReader("nineteen bytes only")); err == nil || secret != "" {
		t.Errorf("with too little randomness: %q, %v", secret, err)
	}
}

func TestACodeIsGoodForItsStepAndTheOnesNextToIt(t *testing.T) {
	secret := someSecret(t)
	for away, want := range map[int64]bool{-3: false, -2: false, -1: true, 0: true, 1: true, 2: false, 3: false, 2880: false} {
		t.Run(fmt.Sprint(away), func(t *testing.T) {
			got, ok := Check(secret, codeOf(t, secret, step+away), now, 0)
			if ok != want || ok && got != step+away {
				t.Errorf("Check = step %+d, %t", got-step, ok)
			}
		})
	}
}

func TestTheStepChangesEveryThirtySeconds(t *testing.T) {
	secret := someSecret(t)
	shown := codeOf(t, secret, step)
	begin := time.Unix(step*30, 0)
	for after, want := range map[time.Duration]bool{
		-31 * time.Second: false, -30*time.Second - time.Nanosecond: false, -30 * time.Second: true, 0: true,
		30 * time.Second: true, 60*time.Second - time.Nanosecond: true, 60 * time.Second: false,
	} {
		if _, ok := Check(secret, shown, begin.Add(after), 0); ok != want {
			t.Errorf("%s after its step began, the code is valid: %t", after, ok)
		}
	}
}

func TestNoStepUpToTheLastIsGood(t *testing.T) {
	secret := someSecret(t)
	for name, tc := range map[string]struct {
		shown, last int64
		want        bool
	}{
		"the first one":                          {step, 0, true},
		"the next after the last":                {step, step - 1, true},
		"the same":                               {step, step, false},
		"the one before, after a later one":      {step - 1, step, false},
		"the one before, after the same":         {step - 1, step - 1, false},
		"the one before, late but new":           {step - 1, step - 2, true},
		"the next, by a clock ahead":             {step + 1, step, true},
		"this one, after one from a clock ahead": {step, step + 1, false},
		"any, after a time far in the future":    {step, math.MaxInt64, false},
		"this one, after a time before 1970":     {step, math.MinInt64, true},
	} {
		t.Run(name, func(t *testing.T) {
			if _, ok := Check(secret, codeOf(t, secret, tc.shown), now, tc.last); ok != tc.want {
				t.Errorf("valid: %t", ok)
			}
		})
	}
}

func TestOfTwoStepsWithOneCodeBothAreUsedUp(t *testing.T) {
	// Found by search: this secret has the same code at two consecutive steps.
	const first = 749639
	secret := strings.Repeat("JBSWY3DP", 4)
	shown := codeOf(t, secret, first)
	if shown != codeOf(t, secret, first+1) {
		t.Fatal("the two steps have different codes")
	}
	at := time.Unix((first+1)*period, 0)
	for _, tc := range []struct {
		last, want int64
		ok         bool
	}{{0, first + 1, true}, {first, first + 1, true}, {first + 1, 0, false}} {
		if got, ok := Check(secret, shown, at, tc.last); got != tc.want || ok != tc.ok {
			t.Errorf("after step %d: step %d, %t; want %d, %t", tc.last, got, ok, tc.want, tc.ok)
		}
	}
}

func TestHowACodeMayBeTyped(t *testing.T) {
	secret := someSecret(t)
	shown := codeOf(t, secret, step)
	wide := strings.Map(func(r rune) rune { return r - '0' + '０' }, shown)
	arabic := strings.Map(func(r rune) rune { return r - '0' + '٠' }, shown)
	for name, tc := range map[string]struct {
		typed string
		want  bool
	}{
		"as shown":                   {shown, true},
		"in two groups":              {shown[:3] + " " + shown[3:], true},
		"with a dash":                {shown[:3] + "-" + shown[3:], true},
		"with a dash from a phone":   {shown[:3] + "–" + shown[3:], true},
		"with spaces all around":     {" \t" + shown + "\u00a0\n", true},
		"digit by digit":             {strings.Join(strings.Split(shown, ""), " "), true},
		"full-width digits":          {wide, true},
		"full-width, in groups":      {wide[:9] + "\u3000" + wide[9:], true},
		"Arabic digits":              {arabic, false},
		"nothing":                    {"", false},
		"only spaces and dashes":     {" -- - ", false},
		"five digits":                {shown[:5], false},
		"the last five digits":       {shown[1:], false},
		"seven digits":               {shown + "0", false},
		"a zero before it":           {"0" + shown, false},
		"twice":                      {shown + shown, false},
		"eight digits, of this step": {eight(t, secret), false},
		"a sign before it":           {"+" + shown, false},
		"a letter in it":             {shown[:5] + "O", false},
		"a zero byte after it":       {shown + "\x00", false},
		"bytes that are not text":    {"\xff" + shown, false},
		"the secret":                 {secret, false},
		"a book":                     {strings.Repeat(shown, 10_000), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := Check(secret, tc.typed, now, 0); ok != tc.want || !ok && got != 0 {
				t.Errorf("Check = %d, %t", got, ok)
			}
		})
	}
}

func TestASecretThatIsNoneHasNoCodes(t *testing.T) {
	secret := someSecret(t)
	for name, stored := range map[string]string{
		"none":             "",
		"only spaces":      strings.Repeat(" ", 32),
		"only padding":     strings.Repeat("=", 32),
		"only line breaks": strings.Repeat("\n", 32),
		"a short one":      secret[:16],
		"cut off":          secret[:31],
		"a long one":       secret + secret,
		"not base32":       strings.Repeat("1", 32),
	} {
		t.Run(name, func(t *testing.T) {
			for s := int64(step - drift); s <= step+drift; s++ {
				shown, err := code(stored, s, otp.DigitsSix, otp.AlgorithmSHA1)
				if _, ok := Check(stored, shown, now, 0); ok {
					t.Errorf("Check accepts %q (%v)", shown, err)
				}
			}
		})
	}
}

func TestACodeIsGoodOnceAndForItsTimeOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := unpadded.EncodeToString(rapid.SliceOfN(rapid.Byte(), secretSize, secretSize).Draw(t, "secret"))
		at := rapid.Int64Range(0, 1<<40).Draw(t, "time")
		shown := codeOf(t, secret, at/period+rapid.Int64Range(-4, 4).Draw(t, "drift"))
		last := int64(-10)
		for range 3 {
			wantStep, want := lastGood(t, secret, shown, at/period, last)
			got, ok := Check(secret, shown, time.Unix(at, 0), last)
			if ok != want || got != wantStep {
				t.Fatalf("after step %d: step %d, %t; want %d, %t", last, got, ok, wantStep, want)
			}
			if ok {
				last = got
			}
			at += rapid.Int64Range(0, 120).Draw(t, "wait")
		}
	})
}

// lastGood returns the step that a code counts for. Once in a million, a second step has
// the same code. Then it counts for the later one, so both are used up.
func lastGood(tb rapid.TB, secret, shown string, current, last int64) (int64, bool) {
	tb.Helper()
	for s := current + 1; s >= max(current-1, last+1); s-- {
		if codeOf(tb, secret, s) == shown {
			return s, true
		}
	}
	return 0, false
}

func TestURL(t *testing.T) {
	const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	if diff := cmp.Diff("otpauth://totp/Acme%20Rocket%20Works:jane-doe%2Facme?secret="+secret+
		"&issuer=Acme%20Rocket%20Works&algorithm=SHA1&digits=6&period=30", URL(secret, "Acme Rocket Works", "jane-doe/acme")); diff != "" {
		t.Error(diff)
	}
	for name, tc := range map[string]struct{ issuer, account, wantIssuer, wantAccount string }{
		"an address":                   {"Acme", "jane.doe@example.com", "Acme", "jane.doe@example.com"},
		"a plus sign":                  {"Acme", "jane+doe@example.com", "Acme", "jane+doe@example.com"},
		"reserved characters":          {"A&B=C?#%/", "x&secret=AAAA#/..;", "A&B=C?#%/", "x&secret=AAAA#/..;"},
		"another parameter":            {"Acme&secret=AAAA&digits=8", "jane", "Acme&secret=AAAA&digits=8", "jane"},
		"an issuer with a colon":       {"Acme: Rockets", "jane", "Acme Rockets", "jane"},
		"an account with a colon":      {"Acme", "system:jane", "Acme", "system jane"},
		"line breaks and many spaces":  {" Acme\r\n  Rockets ", "jane\tdoe", "Acme Rockets", "jane doe"},
		"letters of other scripts":     {"Größe 火箭", "Ünal", "Größe 火箭", "Ünal"},
		"bytes that are not text":      {"Ac\xffme", "jane\xfe", "Acme", "jane"},
		"a colon that is escaped once": {"Acme%3ARockets", "jane", "Acme%3ARockets", "jane"},
	} {
		t.Run(name, func(t *testing.T) {
			link := URL(secret, tc.issuer, tc.account)
			if strings.Trim(link, unescaped) != "" {
				t.Errorf("%q has characters that need escaping", link)
			}
			app, err := otp.NewKeyFromURL(link)
			if err != nil {
				t.Fatal(err)
			}
			got := []any{app.Type(), app.Issuer(), app.AccountName(), app.Secret(), app.Algorithm(), app.Digits(), app.Period()}
			want := []any{"totp", tc.wantIssuer, tc.wantAccount, secret, otp.AlgorithmSHA1, otp.DigitsSix, uint64(30)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("an app reads (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSpaced(t *testing.T) {
	for secret, want := range map[string]string{
		"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP": "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP",
		"ABCDE":                            "ABCD E", "": "",
	} {
		if got := Spaced(secret); got != want {
			t.Errorf("Spaced(%q) = %q, want %q", secret, got, want)
		}
	}
}

// unescaped are all characters that can be in a key URI.
const unescaped = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%:/?&="

// eight returns the code of eight digits whose last six are those that an app shows.
func eight(tb testing.TB, secret string) string {
	tb.Helper()
	shown, err := code(secret, step, otp.DigitsEight, otp.AlgorithmSHA1)
	if err != nil {
		tb.Fatal(err)
	}
	return shown
}

func FuzzCheck(f *testing.F) {
	secret := strings.Repeat("JBSWY3DP", 4)
	f.Add(secret, codeOf(f, secret, step), now.Unix(), int64(0))
	f.Add(secret, "１２３ ４５６", now.Unix(), int64(step))
	f.Add("", "\xff\u202e", int64(math.MinInt64), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, secret, typed string, seconds, last int64) {
		got, ok := Check(secret, typed, time.Unix(seconds, 0), last)
		if !ok {
			if got != 0 {
				t.Errorf("step %d of a refused code", got)
			}
			return
		}
		if current := seconds / period; got <= last || got < current-1 || got > current+1 || bare(typed) != codeOf(t, secret, got) {
			t.Errorf("accepts %q of %q at %d after step %d for step %d", typed, secret, seconds, last, got)
		}
	})
}
