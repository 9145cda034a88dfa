// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package username

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// objectName is the CEL rule of an Account's name. The name also has at most 63
// characters.
var objectName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$`)

// takenByAPI reports whether the API server accepts the name of an Account.
func takenByAPI(name string) bool { return len(name) <= 63 && objectName.MatchString(name) }

func TestCheck(t *testing.T) {
	const rule = "use only the letters a to z in lower case, digits and dashes, such as jane-doe"
	for name, want := range map[string]string{
		"jane-doe":              "",
		"7":                     "",
		"j--d":                  "",
		strings.Repeat("a", 63): "",
		"":                      "choose a user name, such as jane-doe",
		strings.Repeat("a", 64): "a user name has at most 63 characters: shorten it",
		strings.Repeat("é", 64): "a user name has at most 63 characters: shorten it",
		"-jane":                 "a user name starts and ends with a letter or a digit: remove the dash",
		"jane-":                 "a user name starts and ends with a letter or a digit: remove the dash",
		"Jane":                  rule,
		"jane doe":              rule,
		"jane.doe":              rule,
		"jane/acme":             rule,
		"jane\x00":              rule,
		"jane\xff":              rule,
		"jane\u200b":            rule,
		"jane😀":                 rule,
		"jаne":                  "the letter а only looks like the Latin a: " + rule,
		"аdmin":                 "the letter а only looks like the Latin a: " + rule,
		"jοhn":                  "the letter ο only looks like the Latin o: " + rule,
		"ｊane":                  "the letter ｊ only looks like the Latin j: " + rule,
		"rené":                  "the letter é cannot be part of a user name: " + rule,
		"rene\u0301":            "the letter é cannot be part of a user name: " + rule,
		"иван":                  "the letter и cannot be part of a user name: " + rule,
		"山田":                    "the letter 山 cannot be part of a user name: " + rule,
		"admin":                 "this user name is reserved for the system and its operators: choose another, such as jane-doe",
	} {
		got := ""
		if err := Check(name); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("Check(%q) =\n %q, want\n %q", name, got, want)
		}
	}
}

func TestCheckWithAQualifier(t *testing.T) {
	for name, tc := range map[string]struct{ chosen, qualifier, want string }{
		"a name and a qualifier":    {"jane-doe", "acme", ""},
		"the maximum length":        {strings.Repeat("a", 32), strings.Repeat("q", 30), ""},
		"too long together":         {strings.Repeat("a", 33), strings.Repeat("q", 30), "at most 32 characters"},
		"room for the dot":          {strings.Repeat("a", 62), "q", "at most 61 characters"},
		"a reserved chosen part":    {"admin", "acme", "reserved for the system"},
		"a reserved qualifier":      {"jane", "admin", ""},
		"a qualifier too long":      {"jane", strings.Repeat("q", 31), "the qualifier"},
		"a qualifier in capitals":   {"jane", "Acme", `the qualifier "Acme"`},
		"a qualifier with a dot":    {"jane", "a.b", `the qualifier "a.b"`},
		"a qualifier with a dash":   {"jane", "-a", `the qualifier "-a"`},
		"a name with the qualifier": {"jane.acme", "acme", "use only the letters"},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckWith(tc.chosen, tc.qualifier)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("CheckWith(%q, %q) = %v, not about %q", tc.chosen, tc.qualifier, err, tc.want)
			}
		})
	}
}

func TestCheckAgreesWithTheAPIServer(t *testing.T) {
	part := rapid.OneOf(
		rapid.StringMatching(`[-a-z0-9]{0,66}`), rapid.StringMatching(`[a-z0-9][-a-z0-9]{0,32}[a-z0-9]`),
		rapid.StringMatching(`[-a-cA./ é\n]{0,4}`), rapid.String(),
	)
	rapid.Check(t, func(t *rapid.T) {
		chosen, qualifier := part.Draw(t, "chosen"), part.Draw(t, "qualifier")
		if Reserved(chosen) {
			return
		}
		alone := takenByAPI(chosen) && !strings.Contains(chosen, ".")
		if err := Check(chosen); (err == nil) != alone {
			t.Errorf("Check(%q) = %v; the API server accepts it: %t", chosen, err, alone)
		}
		if qualifier == "" || len(qualifier) > 30 || strings.Contains(qualifier, ".") || strings.Contains(chosen, ".") {
			return
		}
		both := takenByAPI(chosen + "." + qualifier)
		if err := CheckWith(chosen, qualifier); (err == nil) != both {
			t.Errorf("CheckWith(%q, %q) = %v; the API server accepts it: %t", chosen, qualifier, err, both)
		}
	})
}

func TestShow(t *testing.T) {
	for name, want := range map[string]string{"jane-doe": "jane-doe", "jane-doe.acme": "jane-doe/acme", "": ""} {
		if got := Show(name); got != want {
			t.Errorf("Show(%q) = %q, not %q", name, got, want)
		}
	}
}

func TestParseSignIn(t *testing.T) {
	for typed, want := range map[string]string{
		"jane-doe":                "jane-doe",
		" Jane-Doe\n":             "jane-doe",
		"jane-doe/acme":           "jane-doe.acme",
		"JANE/Acme ":              "jane.acme",
		"admin":                   "admin",
		"7/8":                     "7.8",
		strings.Repeat("a", 63):   strings.Repeat("a", 63),
		"":                        "",
		"/":                       "",
		"jane/":                   "",
		"/acme":                   "",
		"jane//acme":              "",
		"jane/acme/x":             "",
		"jane.acme":               "",
		"jane/a.b":                "",
		"jane /acme":              "",
		"jane doe":                "",
		"-jane":                   "",
		"jane-/acme":              "",
		"jane@example.com":        "",
		"jane\\acme":              "",
		"jane%2facme":             "",
		"../jane":                 "",
		"jаne":                    "",
		"\u212aate":               "",
		"jane\u200b":              "",
		"jane\x00":                "",
		strings.Repeat("a", 64):   "",
		strings.Repeat("a/", 500): "",
		strings.Repeat("a", 32) + "/" + strings.Repeat("q", 30): strings.Repeat("a", 32) + "." + strings.Repeat("q", 30),
		strings.Repeat("a", 33) + "/" + strings.Repeat("q", 30): "",
	} {
		if got, ok := ParseSignIn(typed); got != want || ok != (want != "") {
			t.Errorf("ParseSignIn(%q) = %q, %t; not %q", typed, got, ok, want)
		}
	}
}

func TestParseSignInUndoesShow(t *testing.T) {
	label := `[a-z0-9]([-a-z0-9]{0,32}[a-z0-9])?`
	name := rapid.StringMatching(label + `([.]` + label + `)?`).Filter(takenByAPI)
	rapid.Check(t, func(t *rapid.T) {
		object := name.Draw(t, "name")
		if got, ok := ParseSignIn(Show(object)); !ok || got != object {
			t.Errorf("ParseSignIn(%q) = %q, %t", Show(object), got, ok)
		}
		typed := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ A-Za-c0/.@-]{0,8}`)).Draw(t, "typed")
		got, ok := ParseSignIn(typed)
		if ok != takenByAPI(got) {
			t.Errorf("ParseSignIn(%q) = %q, %t", typed, got, ok)
		}
		if ok && Show(got) != strings.ToLower(strings.TrimSpace(typed)) {
			t.Errorf("ParseSignIn(%q) = %q, which is shown as %q", typed, got, Show(got))
		}
	})
}

func TestARefusalSaysWhyToAProgramToo(t *testing.T) {
	for name, want := range map[string]Refusal{
		"":                      {Reason: ReasonEmpty},
		strings.Repeat("a", 64): {Reason: ReasonLong, Most: 58},
		"jane doe":              {Reason: ReasonCharacters},
		"rené":                  {Reason: ReasonForeign, Letter: "é"},
		"jаne":                  {Reason: ReasonLookAlike, Letter: "а", Latin: "a"},
		"jane-":                 {Reason: ReasonDash},
		"admin":                 {Reason: ReasonReserved},
	} {
		var got *Refusal
		if err := CheckWith(name, "acme"); !errors.As(err, &got) || *got != want {
			t.Errorf("CheckWith(%q) = %+v, not %+v", name, got, want)
		}
	}
	var got *Refusal
	if err := CheckWith("jane", "a.b"); !errors.As(err, &got) || *got != (Refusal{Reason: ReasonQualifier, Qualifier: "a.b"}) {
		t.Errorf("CheckWith a bad qualifier = %+v", got)
	}
}
