// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package secondfactor

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func someRecoveryCodes(tb testing.TB) (codes, hashes []string) {
	tb.Helper()
	codes, hashes, err := NewRecoveryCodes(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return codes, hashes
}

func TestNewRecoveryCodes(t *testing.T) {
	codes, hashes := someRecoveryCodes(t)
	if len(codes) != 10 || len(hashes) != 10 {
		t.Fatalf("%d codes and %d hashes, want ten", len(codes), len(hashes))
	}
	readable := regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){5}$`)
	for i, code := range codes {
		if !readable.MatchString(code) {
			t.Errorf("%q is not six groups of four without look-alikes", code)
		}
		sum := sha256.Sum256([]byte(strings.ReplaceAll(code, "-", "")))
		if hashes[i] != hex.EncodeToString(sum[:]) {
			t.Errorf("the hash of %s is %s", code, hashes[i])
		}
		if slices.Contains(codes[:i], code) {
			t.Errorf("%s appears twice", code)
		}
	}
}

func TestEachBitOfRandomnessChangesACode(t *testing.T) {
	zeros := make([]byte, 150)
	want, _, err := NewRecoveryCodes(bytes.NewReader(zeros))
	if err != nil {
		t.Fatal(err)
	}
	if want[0] != "0000-0000-0000-0000-0000-0000" {
		t.Errorf("from only zeros: %s", want[0])
	}
	for bit := range 120 {
		random := slices.Clone(zeros)
		random[bit/8] = 1 << (bit % 8)
		got, _, err := NewRecoveryCodes(bytes.NewReader(random))
		if err != nil || got[0] == want[0] || got[1] != want[1] {
			t.Errorf("bit %d: %s, %s, %v", bit, got[0], got[1], err)
		}
	}
}

func TestWithoutRandomnessThereAreNoRecoveryCodes(t *testing.T) {
	broken := errors.New("no entropy")
	if codes, hashes, err := NewRecoveryCodes(iotest.ErrReader(broken)); !errors.Is(err, broken) || codes != nil || hashes != nil {
		t.Errorf("%v, %v, %v", codes, hashes, err)
	}
	if codes, hashes, err := NewRecoveryCodes(strings.NewReader(strings.Repeat("x", 149))); err == nil || codes != nil || hashes != nil {
		t.Errorf("with too little randomness: %v, %v, %v", codes, hashes, err)
	}
}

func TestARecoveryCodeIsGoodOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		codes, left := someRecoveryCodes(t)
		for _, i := range rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).Draw(rt, "order") {
			before := slices.Clone(left)
			after, ok := UseRecoveryCode(left, codes[i])
			if !ok || len(after) != len(before)-1 {
				rt.Fatalf("code %d: %t, %d of %d remain", i, ok, len(after), len(before))
			}
			if diff := cmp.Diff(before, left); diff != "" {
				rt.Fatalf("the argument was modified:\n%s", diff)
			}
			if again, ok := UseRecoveryCode(after, codes[i]); ok || !slices.Equal(again, after) {
				rt.Fatalf("code %d is valid twice", i)
			}
			left = after
		}
	})
}

func TestHowARecoveryCodeMayBeTyped(t *testing.T) {
	const shown = "0123-4567-89AB-CDVV-1100-WXYZ"
	hash := recoveryHash(strings.ReplaceAll(shown, "-", ""))
	_, hashes := someRecoveryCodes(t)
	hashes = append(hashes, hash, "", "no hash")
	for name, tc := range map[string]struct {
		typed string
		want  bool
	}{
		"as shown":                 {shown, true},
		"without dashes":           {strings.ReplaceAll(shown, "-", ""), true},
		"in lower case":            {strings.ToLower(shown), true},
		"with spaces":              {" " + strings.ReplaceAll(shown, "-", " \t") + "\r\n", true},
		"with dashes from a phone": {strings.ReplaceAll(shown, "-", "—"), true},
		"in full width":            {"０１２３４５６７８９ａｂｃｄｖｖ１１００ｗｘｙｚ", true},
		"with letters for digits":  {"oI23-4567-89AB-CDVV-lLO0-WXYZ", true},
		"with a letter that the alphabet leaves out": {"0123-4567-89ab-cduU-1100-wxyz", true},
		"one character changed":                      {"0123-4567-89AB-CDVV-1100-WXYA", false},
		"the last one missing":                       {"0123-4567-89AB-CDVV-1100-WXY", false},
		"one more":                                   {shown + "0", false},
		"twice":                                      {shown + shown, false},
		"nothing":                                    {"", false},
		"its hash":                                   {hash, false},
		"letters that it does not have":              {strings.ReplaceAll(shown, "A", "А"), false},
		"with a zero byte":                           {"\x00" + shown, false},
		"bytes that are not text":                    {strings.Repeat("\xff", 24), false},
	} {
		t.Run(name, func(t *testing.T) {
			left, ok := UseRecoveryCode(hashes, tc.typed)
			if ok && !IsRecoveryCode(tc.typed) {
				t.Error("it does not have the form of a recovery code")
			}
			want := hashes
			if tc.want {
				want = slices.DeleteFunc(slices.Clone(hashes), func(h string) bool { return h == hash })
			}
			if diff := cmp.Diff(want, left); ok != tc.want || diff != "" {
				t.Errorf("valid: %t; remaining hashes (-want +got):\n%s", ok, diff)
			}
		})
	}
	if left, ok := UseRecoveryCode(nil, shown); ok || len(left) != 0 {
		t.Errorf("without codes: %v, %t", left, ok)
	}
}

func FuzzUseRecoveryCode(f *testing.F) {
	f.Add("0123-4567-89AB-CDVV-1100-WXYZ", "0123-4567-89AB-CDVV-1100-WXYZ")
	f.Add("0123-4567-89AB-CDVV-1100-WXYZ", "oi23 4567 89ab cduu llo0 wxyz")
	f.Add("\xff\u202e", "ıſ\u0130ﬃ")
	f.Fuzz(func(t *testing.T, made, typed string) {
		plain := strings.ReplaceAll(made, "-", "")
		stored := []string{recoveryHash("another"), recoveryHash(plain)}
		left, ok := UseRecoveryCode(stored, typed)
		switch {
		case !ok && !slices.Equal(left, stored):
			t.Errorf("refuses %q, and %d of 2 remain", typed, len(left))
		case ok && !slices.Equal(left, stored[:1]):
			t.Errorf("accepts %q, and %d of 2 remain", typed, len(left))
		case ok && strings.Trim(plain, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != "":
			t.Errorf("accepts %q for %q", typed, made)
		}
	})
}

func TestACodeOfAnAppIsNoRecoveryCode(t *testing.T) {
	for _, typed := range []string{"", "123456", "12 34 56", "１２３４５６", "12345678", "0123-4567-89AB-CDVV-1100-WXY", "0123-4567-89AB-CDVV-1100-WXYZ-0"} {
		if IsRecoveryCode(typed) {
			t.Errorf("%q has the form of a recovery code", typed)
		}
	}
}
