// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording_test

import (
	"errors"
	"html"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usher-dev/usher/internal/wording"
	"github.com/usher-dev/usher/internal/wording/input"
	"github.com/usher-dev/usher/internal/wording/language"
)

const (
	aResetLink = "https://usher.example.org/reset?a=1&b=2#MDEyMzQ1Njc4OWFiY2RlZg-_x"
	aResetURL  = "https://usher.example.org/reset?a=1&b=2"
	aSignInURL = "https://usher.example.org/sign-in?a=1&b=2"
)

// facts are the data of the mails about an Account.
type facts struct {
	userName, address, contact string
	more                       []string // user names
	link, resetURL, signInURL  string
	time                       time.Time
	code                       string
	minutes                    int
}

func someFacts() facts {
	return facts{
		userName: "jane", address: "jane.doe@example.com", contact: "Acme & Söhne, help@acme.example or +41 44 555 01 23",
		more: []string{"jane/acme"}, link: aResetLink, resetURL: aResetURL, signInURL: aSignInURL,
		time: time.Date(2026, 11, 28, 19, 10, 59, 0, time.FixedZone("CET", 3600)),
		code: "1234 5678", minutes: 10,
	}
}

// fewFacts are the data that every mail requires.
func fewFacts() facts {
	f := someFacts()
	f.contact, f.more, f.minutes = "", nil, 1
	return f
}

// accountMails holds functions that write each of the mails about an Account.
var accountMails = map[string]func(language.Tag, facts) (wording.Content, error){
	"reset": func(tag language.Tag, f facts) (wording.Content, error) {
		return wording.Reset(tag, wording.ResetData{UserName: f.userName, Link: f.link, ValidUntil: f.time, SupportContact: f.contact})
	},
	"locked": func(tag language.Tag, f facts) (wording.Content, error) {
		return wording.Locked(tag, wording.LockedData{UserName: f.userName, Time: f.time, LockedUntil: f.time, ResetURL: f.resetURL, SupportContact: f.contact})
	},
	"codeslocked": func(tag language.Tag, f facts) (wording.Content, error) {
		return wording.CodesLocked(tag, wording.LockedData{UserName: f.userName, Time: f.time, LockedUntil: f.time, ResetURL: f.resetURL, SupportContact: f.contact})
	},
	"unlocked": func(tag language.Tag, f facts) (wording.Content, error) {
		return wording.Unlocked(tag, wording.UnlockedData{UserName: f.userName, Time: f.time, ResetURL: f.resetURL, SupportContact: f.contact})
	},
	"password": func(tag language.Tag, f facts) (wording.Content, error) {
		return wording.PasswordChanged(tag, wording.PasswordChangedData{UserName: f.userName, Time: f.time, ResetURL: f.resetURL, SupportContact: f.contact})
	},
	"factor": func(tag language.Tag, f facts) (wording.Content, error) {
		return wording.SecondFactorChanged(tag, wording.SecondFactorChangedData{UserName: f.userName, Time: f.time, ResetURL: f.resetURL, SupportContact: f.contact})
	},
	"usernames": func(tag language.Tag, f facts) (wording.Content, error) {
		return wording.UserNames(tag, wording.UserNamesData{
			Address: f.address, UserNames: append([]string{f.userName}, f.more...), SignInURL: f.signInURL, SupportContact: f.contact,
		})
	},
	"emailcode": func(tag language.Tag, f facts) (wording.Content, error) {
		return wording.EmailCode(tag, wording.EmailCodeData{
			UserName: f.userName, Address: f.address, Code: f.code, Minutes: f.minutes, SupportContact: f.contact,
		})
	},
}

// onlyLinks are the addresses that these mails lead to. The mail with a code leads nowhere.
var onlyLinks = map[string]string{
	"reset": aResetLink, "locked": aResetURL, "codeslocked": aResetURL, "unlocked": aResetURL, "password": aResetURL, "factor": aResetURL, "usernames": aSignInURL,
	"confirmation": aSignInURL,
}

// mailsWithContact returns all mails that show a contact for help.
func mailsWithContact() map[string]func(language.Tag, facts) (wording.Content, error) {
	all := maps.Clone(accountMails)
	all["confirmation"] = func(tag language.Tag, f facts) (wording.Content, error) {
		d := aConfirmation()
		d.SignInURL, d.SupportContact = f.signInURL, f.contact
		return wording.Templates{}.Confirmation(tag, d)
	}
	return all
}

func TestAccountMails(t *testing.T) {
	t.Parallel()
	for name, write := range accountMails {
		for _, tag := range language.All() {
			for suffix, f := range map[string]facts{"": someFacts(), "_bare": fewFacts()} {
				t.Run(name+suffix+" in "+tag.Name(), func(t *testing.T) {
					t.Parallel()
					c, err := write(tag, f)
					if err != nil {
						t.Fatal(err)
					}
					// The left-out parts differ by language only if there is a plural.
					if suffix == "" || tag == language.Default || name == "usernames" || name == "emailcode" {
						goldenContent(t, name+suffix+"."+tag.String(), c)
					}
					showsOnly(t, c, onlyLinks[name])
					isWhole(t, tag, c)
				})
			}
		}
	}
}

func isWhole(t *testing.T, tag language.Tag, c wording.Content) {
	t.Helper()
	if strings.Contains(c.Text, "{{") || strings.Contains(c.HTML, "{{") || strings.Contains(c.Text, "<no value>") {
		t.Errorf("a value is missing:\n%s", c.Text)
	}
	if strings.Contains(c.Text, "\n\n\n") || strings.HasPrefix(c.Text, "\n") || strings.HasSuffix(c.Text, "\n\n") {
		t.Errorf("the lines of the text are not in order:\n%q", c.Text)
	}
	if !strings.Contains(c.HTML, `<html lang="`+tag.String()+`"`) {
		t.Error("the HTML does not declare its language")
	}
}

// showsOnly checks that a mail leads only to that address and shows it as text to copy. The address
// must not be in the subject, which every locked screen shows. If link is empty, the mail leads nowhere.
func showsOnly(t *testing.T, c wording.Content, link string) {
	t.Helper()
	if link == "" {
		if len(links(t, c.HTML)) > 0 || strings.Contains(c.Subject+c.Text+c.HTML, "://") {
			t.Errorf("the mail leads to a page:\n%s\n%s", c.Text, c.HTML)
		}
		writes(t, c)
		return
	}
	if got := links(t, c.HTML); !slices.Equal(got, []string{link}) {
		t.Errorf("links in the HTML: %q, want only %q", got, link)
	}
	if strings.Count(c.Text, "://") != 1 || !strings.Contains(c.Text, "\n"+link+"\n") {
		t.Errorf("addresses in the text, want only %q in a line of its own:\n%s", link, c.Text)
	}
	// The link leads to one of them, and the other one is to copy.
	if strings.Count(c.HTML, "://") != 2 || !strings.Contains(html.UnescapeString(c.HTML), ">"+link+"<") {
		t.Errorf("addresses in the HTML, want only %q:\n%s", link, c.HTML)
	}
	if strings.Contains(c.Subject, "://") || strings.Contains(c.Subject, "usher.example.org") {
		t.Errorf("the subject shows a link: %q", c.Subject)
	}
	writes(t, c)
}

func TestAccountMailsRefuse(t *testing.T) {
	t.Parallel()
	all := []string{"reset", "locked", "codeslocked", "unlocked", "password", "factor", "usernames", "emailcode"}
	page, names, code := all[1:6], all[6:7], all[7:]
	for name, c := range map[string]struct {
		change func(*facts)
		fields map[string]string // by mail; "" is for all listed mails
		mails  []string
	}{
		"no user name":                      {func(f *facts) { f.userName = "" }, map[string]string{"": "user name", "usernames": "list of user names"}, all},
		"a user name with a line break":     {func(f *facts) { f.userName = "jane\r\nBcc: eve@evil.example" }, map[string]string{"": "user name", "usernames": "list of user names"}, all},
		"a user name with a NUL":            {func(f *facts) { f.userName = "jane\x00" }, map[string]string{"": "user name", "usernames": "list of user names"}, all},
		"a user name with reversed letters": {func(f *facts) { f.userName = "\u202eenaj" }, map[string]string{"": "user name", "usernames": "list of user names"}, all},
		"a user name in broken UTF-8":       {func(f *facts) { f.userName = "jane\xff" }, map[string]string{"": "user name", "usernames": "list of user names"}, all},
		"an encoded user name":              {func(f *facts) { f.userName = "=?utf-8?q?x?=" }, map[string]string{"": "user name", "usernames": "list of user names"}, all},
		"a web address as a user name":      {func(f *facts) { f.userName = "HTTPS://evil" }, map[string]string{"": "user name", "usernames": "list of user names"}, all},
		"a host name as a user name":        {func(f *facts) { f.userName = "evil.example" }, map[string]string{"": "user name", "usernames": "list of user names"}, all},
		"an IP address as a user name":      {func(f *facts) { f.userName = "10.0.0.1" }, map[string]string{"": "user name", "usernames": "list of user names"}, all},
		"a foreign dot in a user name":      {func(f *facts) { f.userName = "evil．example" }, map[string]string{"": "user name", "usernames": "list of user names"}, all},
		"a mail address as a user name":     {func(f *facts) { f.userName = "eve@evil.example" }, map[string]string{"": "user name", "usernames": "list of user names"}, all},
		"a second user name with a link":    {func(f *facts) { f.more[0] = "www.evil" }, map[string]string{"": "list of user names"}, []string{"usernames"}},
		"a blank second user name":          {func(f *facts) { f.more[0] = " " }, map[string]string{"": "list of user names"}, []string{"usernames"}},
		"no time":                           {func(f *facts) { f.time = time.Time{} }, map[string]string{"reset": "end of validity", "locked": "time of the lock", "codeslocked": "time of the lock", "": "time of the change"}, all[:6]},
		"no link":                           {func(f *facts) { f.link = "" }, map[string]string{"": "link"}, all[:1]},
		"a script as a link":                {func(f *facts) { f.link = "javascript:alert(1)" }, map[string]string{"": "link"}, all[:1]},
		"a link with a line break":          {func(f *facts) { f.link += "\nhttps://evil.example" }, map[string]string{"": "link"}, all[:1]},
		"a link with a quote":               {func(f *facts) { f.link += `" onclick="x` }, map[string]string{"": "link"}, all[:1]},
		"a link with a password in it":      {func(f *facts) { f.link = "https://usher.example.org@evil.example/" }, map[string]string{"": "link"}, all[:1]},
		"no reset page":                     {func(f *facts) { f.resetURL = "" }, map[string]string{"": "address of the reset page"}, page},
		"a relative reset page":             {func(f *facts) { f.resetURL = "/reset" }, map[string]string{"": "address of the reset page"}, page},
		"a reset page with an element":      {func(f *facts) { f.resetURL += "<img>" }, map[string]string{"": "address of the reset page"}, page},
		"no sign-in page":                   {func(f *facts) { f.signInURL = "" }, map[string]string{"": "address of the sign-in page"}, names},
		"a script as a sign-in page":        {func(f *facts) { f.signInURL = "javascript:x" }, map[string]string{"": "address of the sign-in page"}, names},
		"no address":                        {func(f *facts) { f.address = "" }, map[string]string{"": "address of the user names", "emailcode": "address of the account"}, all[6:]},
		"two addresses":                     {func(f *facts) { f.address = "a@example.com, b@example.com" }, map[string]string{"": "address of the user names", "emailcode": "address of the account"}, all[6:]},
		"an address with a line break":      {func(f *facts) { f.address = "a@example.com\nx" }, map[string]string{"": "address of the user names", "emailcode": "address of the account"}, all[6:]},
		"no code":                           {func(f *facts) { f.code = "" }, map[string]string{"": "code"}, code},
		"a code with a line break":          {func(f *facts) { f.code = "1234\n5678" }, map[string]string{"": "code"}, code},
		"a code with markup":                {func(f *facts) { f.code = "<1234>" }, map[string]string{"": "code"}, code},
		"a code that is never valid":        {func(f *facts) { f.minutes = 0 }, map[string]string{"": "validity of the code"}, code},
	} {
		for _, kind := range c.mails {
			t.Run(kind+" with "+name, func(t *testing.T) {
				t.Parallel()
				f := someFacts()
				c.change(&f)
				want, found := c.fields[kind]
				if !found {
					want = c.fields[""]
				}
				_, err := accountMails[kind]("en", f)
				var invalid *input.InvalidError
				if !errors.As(err, &invalid) || invalid.Field != want {
					t.Errorf("got %v, want an InvalidError for the %s", err, want)
				}
			})
		}
	}
	if _, err := wording.UserNames("en", wording.UserNamesData{Address: "jane.doe@example.com", SignInURL: aSignInURL}); err == nil {
		t.Error("a mail without user names is written")
	}
}

// An error about a link or a code must not contain it, because it is a secret.
func TestAccountMailsKeepSecrets(t *testing.T) {
	t.Parallel()
	f := someFacts()
	f.link, f.code = f.link+" ", f.code+" "
	_, err := accountMails["reset"]("en", f)
	if err == nil || strings.Contains(err.Error(), "MDEyMzQ1") {
		t.Errorf("got %v, want an error without the link", err)
	}
	_, err = accountMails["emailcode"]("en", f)
	if err == nil || strings.Contains(err.Error(), "1234 5678 ") {
		t.Errorf("got %v, want an error without the code", err)
	}
}

// The code is alone in its line, so that a person can select it. It is not in the subject, which every
// locked screen shows. The reader can compare the user name and the address.
func TestEmailCodeIsAlone(t *testing.T) {
	t.Parallel()
	for _, tag := range language.All() {
		c, err := accountMails["emailcode"](tag, someFacts())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(c.Subject, "1234") || strings.Count(c.Text, "1234 5678") != 1 || !strings.Contains(c.Text, "\n\n1234 5678\n\n") {
			t.Errorf("%s: the code is not once in a line of its own:\n%s\n\n%s", tag, c.Subject, c.Text)
		}
		if strings.Count(c.HTML, "1234 5678") != 1 || !strings.Contains(c.HTML, ">1234 5678</p>") {
			t.Errorf("%s: the code is not once in a block of its own:\n%s", tag, c.HTML)
		}
		for _, value := range []string{"jane", "jane.doe@example.com"} {
			if !strings.Contains(c.HTML, "<strong><bdi>"+value+"</bdi></strong>") {
				t.Errorf("%s: %s does not stand out:\n%s", tag, value, c.HTML)
			}
		}
	}
}

// Any contact leaves the mail about a password sendable, and nothing in the mail leads to a page.
func TestSupportContact(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ contact, said string }{
		"an address":                   {"help@acme.example", "help@acme.example"},
		"a telephone number":           {"+41 44 555 01 23", "+41 44 555 01 23"},
		"both, and a name":             {"Acme's desk: help@acme.example, 1234.", "Acme's desk: help@acme.example, 1234."},
		"an address in brackets":       {"Acme <help.desk@acme.example>, (it@acme.example)", "Acme <help.desk@acme.example>, (it@acme.example)"},
		"an address in another script": {"hilfe@müller.example", "hilfe@müller.example"},
		"a link":                       {"https://evil.example/x", "https: //evil. example/x"},
		"a host name":                  {"ask at evil.example", "ask at evil. example"},
		"a link beside an address":     {"help@acme.example/../www.evil.example", "help@acme. example/../www. evil. example"},
		"a link with an address in it": {"https://evil.example/@acme.example", "https: //evil. example/@acme. example"},
		"dots of other scripts":        {"evil．example", "evil． example"},
		"lines, which become one line": {"a\r\nBcc: b\u2028c\x00d\u0085e", "a Bcc: b c d e"},
		"reversed letters":             {"a\u202eb\u2066c", "a b c"},
		"broken UTF-8":                 {"a\xffb", "a b"},
		"markup":                       {`</p><a href="//x">y</a>`, `</p><a href="//x">y</a>`},
		"a template":                   {"{{.Link}}", "{{.Link}}"},
		"a contact that is too long":   {strings.Repeat("é", 400), strings.Repeat("é", 299) + "…"},
	} {
		for kind, write := range mailsWithContact() {
			t.Run(name+" in "+kind, func(t *testing.T) {
				t.Parallel()
				f := someFacts()
				f.contact = c.contact
				got, err := write("en", f)
				if err != nil {
					t.Fatal(err)
				}
				if last := got.Text[strings.LastIndexByte(strings.TrimSpace(got.Text), '\n')+1:]; !strings.HasSuffix(last, ": "+c.said+"\n") {
					t.Errorf("got %q, want it to end with %q", last, c.said)
				}
				if want := "<strong><bdi>" + c.said + "</bdi></strong></p>\n</div>"; !strings.Contains(html.UnescapeString(got.HTML), want) {
					t.Errorf("got\n%s\nwant it to end with %s", got.HTML, want)
				}
				showsOnly(t, got, onlyLinks[kind])
			})
		}
	}
}

func TestNoSupportContact(t *testing.T) {
	t.Parallel()
	for kind, write := range mailsWithContact() {
		for _, nobody := range []string{"", " \r\n\t", "\u202e"} {
			f := someFacts()
			f.contact = nobody
			c, err := write("en", f)
			if err != nil || strings.Contains(c.Text, "need help") || strings.Contains(c.Text, "contact") || strings.Contains(c.HTML, "margin:16px 0 0") {
				t.Errorf("%s: names %q as a contact: %v\n%s", kind, nobody, err, c.Text)
			}
		}
	}
}

func TestUserNamesOfOneAndOfSeveral(t *testing.T) {
	t.Parallel()
	for tag, want := range map[language.Tag][2]string{
		"en": {"Your user name", "Your user names"},
		"it": {"Il Suo nome utente", "I Suoi nomi utente"},
		"fr": {"Votre nom d'utilisateur", "Vos noms d'utilisateur"},
		"de": {"Ihr Benutzername", "Ihre Benutzernamen"},
		"es": {"Su nombre de usuario", "Sus nombres de usuario"},
		"pt": {"O seu nome de utilizador", "Os seus nomes de utilizador"},
	} {
		for i, names := range [][]string{{"jane"}, {"jane", "jane/acme", "j-doe"}} {
			c, err := wording.UserNames(tag, wording.UserNamesData{Address: "jane.doe@example.com", UserNames: names, SignInURL: aSignInURL})
			if err != nil {
				t.Fatal(err)
			}
			if c.Subject != want[i] {
				t.Errorf("%s: got the subject %q, want %q", tag, c.Subject, want[i])
			}
			if list := "\n\n- " + strings.Join(names, "\n- ") + "\n\n"; !strings.Contains(c.Text, list) {
				t.Errorf("%s: got\n%s\nwant it to list%s", tag, c.Text, list)
			}
		}
	}
}

// A person who returns at the minute in the mail can sign in.
func TestLockedUntilTheNextMinute(t *testing.T) {
	t.Parallel()
	ten := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		until time.Time
		said  string
	}{
		"a full minute":            {ten, "10:00 UTC"},
		"a moment after it":        {ten.Add(1), "10:01 UTC"},
		"a moment before it":       {ten.Add(-1), "10:00 UTC"},
		"the last minute of a day": {ten.Add(13*time.Hour + 59*time.Minute + time.Second), "29 November 2026, 00:00 UTC"},
		"another zone":             {ten.Add(time.Second).In(time.FixedZone("", 5*3600+1800+17)), "10:01 UTC"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := wording.Locked("en", wording.LockedData{UserName: "jane", Time: ten, LockedUntil: c.until, ResetURL: aResetURL})
			if err != nil || !strings.Contains(got.Text, c.said+", no one can sign in with a password") {
				t.Errorf("got %v\n%s\nwant it to say %s", err, got.Text, c.said)
			}
		})
	}
}
