// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/notifier/email"
)

// rfc8463Seed is the private key of the examples in RFC 8463, appendix A.
const rfc8463Seed = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="

func aKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	seed, err := base64.StdEncoding.DecodeString(rfc8463Seed)
	if err != nil {
		t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(seed)
}

func pkcs8(t *testing.T, key crypto.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func mustParseDKIM(t *testing.T, pemKey []byte) *email.DKIM {
	t.Helper()
	d, err := email.ParseDKIM("example.org", "usher", pemKey)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func aDKIM(t *testing.T) *email.DKIM {
	t.Helper()
	return mustParseDKIM(t, pkcs8(t, aKey(t)))
}

// anRSAKey returns the same key for all tests, because generating one takes long.
var anRSAKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// sentWith returns the bytes of a message as the server receives them.
func sentWith(t *testing.T, d *email.DKIM, m email.Message) []byte {
	t.Helper()
	ib := startInbox(t, inbox.Options{SMTPUTF8: true})
	mustSend(t, sender(t, ib, func(cfg *email.Config) { cfg.DKIM = d }), m)
	return ib.Messages()[0].Raw
}

// verify checks the signature as a receiver does, with the record of d in the DNS.
func verify(t *testing.T, d *email.DKIM, raw []byte) (*dkim.Verification, error) {
	t.Helper()
	name, text := d.Record()
	got, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{
		LookupTXT: func(asked string) ([]string, error) {
			if asked != name {
				return nil, fmt.Errorf("no record %s", asked)
			}
			return []string{text}, nil
		},
	})
	switch {
	case err != nil:
		return nil, err
	case len(got) != 1:
		return nil, fmt.Errorf("%d signatures", len(got))
	default:
		return got[0], got[0].Err
	}
}

func TestDKIMSignatureIsValid(t *testing.T) {
	t.Parallel()
	plain, foreign, spaced, bare := aMessage(), aMessage(), aMessage(), aMessage()
	plain.HTML, plain.Text = "", plain.Text+"\n\n\n"
	foreign.From.Name, foreign.To.Name = "Übersee", "李 雷"
	foreign.To.Address = "jörg@bücher.example"
	foreign.Subject = strings.Repeat("Größe ", 40)
	spaced.Subject = strings.Repeat("a longer subject  ", 10)
	spaced.Text = "\n\n a \t b  \n\t\n" + strings.Repeat("long line ", 200) + "\n \n\n\n"
	bare.From.Name, bare.To.Name, bare.HTML, bare.Text = "", "", "", "\n"
	for keyName, pemKey := range map[string][]byte{
		"Ed25519":      pkcs8(t, aKey(t)),
		"RSA, PKCS #8": pkcs8(t, anRSAKey()),
		"RSA, PKCS #1": pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(anRSAKey())}),
	} {
		for name, m := range map[string]email.Message{
			"two bodies": aMessage(), "plain text": plain, "not ASCII": foreign, "many spaces": spaced, "almost nothing": bare,
		} {
			t.Run(keyName+", "+name, func(t *testing.T) {
				t.Parallel()
				d := mustParseDKIM(t, pemKey)
				raw := sentWith(t, d, m)
				v, err := verify(t, d, raw)
				if err != nil {
					t.Fatalf("%v:\n%s", err, raw)
				}
				if v.Domain != "example.org" || !v.Time.Equal(m.Date) || !v.Expiration.IsZero() {
					t.Errorf("domain %s, time %v, expiration %v", v.Domain, v.Time, v.Expiration)
				}
				for _, line := range longLines(t, m, raw) {
					t.Errorf("a line of the signature has %d characters: %s", len(line), line)
				}
			})
		}
	}
}

// longLines returns the lines of the signature that are longer than RFC 5322, section 2.1.1,
// recommends.
func longLines(t *testing.T, m email.Message, raw []byte) (long []string) {
	t.Helper()
	unsigned, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.SplitSeq(bytes.TrimSuffix(raw, unsigned), []byte("\r\n")) {
		if len(line) > 78 {
			long = append(long, string(line))
		}
	}
	return long
}

func TestDKIMSignsEachFieldAndOneMore(t *testing.T) {
	t.Parallel()
	v, err := verify(t, aDKIM(t), sentWith(t, aDKIM(t), aMessage()))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, name := range v.HeaderKeys {
		got[name]++
	}
	want := map[string]int{
		"From": 2, "To": 2, "Subject": 2, "Date": 2, "Message-ID": 2, "MIME-Version": 2, "Content-Type": 2, "Auto-Submitted": 2,
		"Cc": 1, "Reply-To": 1, "Content-Transfer-Encoding": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("signed fields (-want +got):\n%s", diff)
	}
}

func TestDKIMSignatureBreaksWithAnyByte(t *testing.T) {
	t.Parallel()
	d := aDKIM(t)
	raw := sentWith(t, d, aMessage())
	unsigned, err := aMessage().Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for i := len(raw) - len(unsigned); i < len(raw); i++ {
		if strings.ContainsRune(" \r\n", rune(raw[i])) {
			continue
		}
		changed := slices.Clone(raw)
		changed[i] ^= 1
		if _, err := verify(t, d, changed); err == nil {
			t.Errorf("the signature holds with %q in place of %q after %q", changed[i], raw[i], raw[max(0, i-20):i])
		}
	}
}

func TestDKIMSignatureBreaksWithAnotherField(t *testing.T) {
	t.Parallel()
	d := aDKIM(t)
	raw := string(sentWith(t, d, aMessage()))
	for _, field := range []string{
		"From: eve@example.org", "To: eve@example.org", "Cc: eve@example.org", "Reply-To: eve@example.org", "Subject: Urgent",
		"Date: Sat, 21 Nov 2026 17:10:00 +0000", "Content-Type: text/html", "Content-Transfer-Encoding: base64",
	} {
		for place, changed := range map[string]string{
			"before all": field + "\r\n" + raw,
			"after all":  strings.Replace(raw, "\r\n\r\n", "\r\n"+field+"\r\n\r\n", 1),
		} {
			if _, err := verify(t, d, []byte(changed)); err == nil {
				t.Errorf("the signature holds with %q %s", field, place)
			}
		}
	}
	// Servers on the way do add these fields.
	if _, err := verify(t, d, []byte("Return-Path: <usher@example.org>\r\nReceived: from a by b;\r\n Sat, 21 Nov 2026\r\n"+raw)); err != nil {
		t.Errorf("the signature breaks on the way: %v", err)
	}
}

func TestDKIMSignedMessageIsTheSameBytesEachTime(t *testing.T) {
	t.Parallel()
	for name, pemKey := range map[string][]byte{"Ed25519": pkcs8(t, aKey(t)), "RSA": pkcs8(t, anRSAKey())} {
		first := sentWith(t, mustParseDKIM(t, pemKey), aMessage())
		m := aMessage()
		m.Date = m.Date.UTC()
		// Another sender with a key that was read again, as after a restart.
		if diff := cmp.Diff(string(first), string(sentWith(t, mustParseDKIM(t, pemKey), m))); diff != "" {
			t.Errorf("%s (-first +again):\n%s", name, diff)
		}
	}
	// The bytes are also the same on each machine and at any time.
	golden(t, "message_signed.eml", string(sentWith(t, aDKIM(t), aMessage())))
}

func TestDKIMRecord(t *testing.T) {
	t.Parallel()
	d, err := email.ParseDKIM("Bücher.example", "2026.usher", pkcs8(t, aKey(t)))
	if err != nil {
		t.Fatal(err)
	}
	name, text := d.Record()
	// RFC 8463, appendix A.2, publishes this public key for the private key.
	if want := "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="; name != "2026.usher._domainkey.xn--bcher-kva.example" || text != want {
		t.Errorf("got %s %q, want %q", name, text, want)
	}
}

func TestParseDKIMSaysWhatToChange(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good := pkcs8(t, aKey(t))
	public, err := x509.MarshalPKIXPublicKey(aKey(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, headers map[string]string, b []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: b})
	}
	for name, c := range map[string]struct {
		domain, selector string
		key              []byte
		says             string
	}{
		"no domain":                            {"", "usher", good, "DKIM domain must be"},
		"a domain with one label":              {"localhost", "usher", good, "DKIM domain must be"},
		"a domain with two dots in a row":      {"example..org", "usher", good, "DKIM domain must be"},
		"an address as the domain":             {"usher@example.org", "usher", good, "DKIM domain must be"},
		"a tag in the domain":                  {"example.org; l=0", "usher", good, "DKIM domain must be"},
		"no selector":                          {"example.org", "", good, "DKIM selector must consist"},
		"a selector with a tag":                {"example.org", "usher; l=0", good, "DKIM selector must consist"},
		"a selector with a line break":         {"example.org", "usher\r\nBcc: eve", good, "DKIM selector must consist"},
		"a selector that ends in a line break": {"example.org", "usher\n", good, "DKIM selector must consist"},
		"no key":                               {"example.org", "usher", nil, "not in PEM format"},
		"a key in DER format":                  {"example.org", "usher", []byte{0x30, 0x82}, "not in PEM format"},
		"a public key":                         {"example.org", "usher", block("PUBLIC KEY", nil, public), "is not a private key"},
		"a certificate":                        {"example.org", "usher", block("CERTIFICATE", nil, public), "is not a private key"},
		"an OpenSSH key":                       {"example.org", "usher", block("OPENSSH PRIVATE KEY", nil, public), "is not a private key"},
		"an encrypted key":                     {"example.org", "usher", block("ENCRYPTED PRIVATE KEY", nil, public), "passphrase"},
		"an encrypted key in the old format":   {"example.org", "usher", block("RSA PRIVATE KEY", map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, public), "passphrase"},
		"a damaged key":                        {"example.org", "usher", block("PRIVATE KEY", nil, []byte("secret-secret")), "damaged"},
		"an elliptic curve":                    {"example.org", "usher", pkcs8(t, ec), "must be RSA or Ed25519"},
		"an RSA key of 1024 bits":              {"example.org", "usher", pkcs8(t, short), "is RSA with 1024 bits, but must have 2048 to 4096"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := email.ParseDKIM(c.domain, c.selector, c.key)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want it to say %q", err, c.says)
			}
			if strings.Contains(err.Error(), "secret") || strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("the error repeats its input: %q", err)
			}
		})
	}
}

func TestDKIMIsPrintedWithoutItsKey(t *testing.T) {
	t.Parallel()
	key := anRSAKey()
	seed := aKey(t).Seed()
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for name, secret := range map[string][]string{
			"Ed25519": {fmt.Sprintf("%x", seed), fmt.Sprintf("%v", seed)[1:20], fmt.Sprintf("%#v", seed)[7:40]},
			"RSA":     {key.D.String(), key.D.Text(16), key.Primes[0].String()},
		} {
			d := aDKIM(t)
			if name == "RSA" {
				d = mustParseDKIM(t, pkcs8(t, key))
			}
			printed := fmt.Sprintf(format, d) + fmt.Sprintf(format, *d) + fmt.Sprintf(format, email.Config{DKIM: d})
			for _, s := range secret {
				if strings.Contains(printed, s) {
					t.Errorf("%s of %s shows the key", format, name)
				}
			}
		}
	}
}

func TestSendWithAnotherDKIMKeyChangesNothingButTheSignature(t *testing.T) {
	t.Parallel()
	first, second := aDKIM(t), mustParseDKIM(t, pkcs8(t, anRSAKey()))
	unsigned, err := aMessage().Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*email.DKIM{first, second} {
		signature, found := bytes.CutSuffix(sentWith(t, d, aMessage()), unsigned)
		if !found || bytes.Count(signature, []byte("\r\n")) < 5 || !bytes.HasPrefix(signature, []byte("DKIM-Signature: v=1; a=")) {
			t.Errorf("the message changed, not only its signature: %q", signature)
		}
	}
}
