// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// RFC 8301, section 3.2: a signer needs 2048 bits to be safe, and verifiers need not support more than
// 4096.
const minRSABits, maxRSABits = 2048, 4096

// signedFields are the fields that Message.Bytes writes, and those that would change what a reader sees
// or where an answer goes. Each is listed once more than it occurs, so that the signature breaks if a
// field is added (RFC 6376, section 5.4.2).
var signedFields = []string{
	"From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
	"Content-Transfer-Encoding", "Auto-Submitted",
}

var (
	hostLabels = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)
	blanks     = regexp.MustCompile(`[ \t]+`)
)

// DKIM signs messages for a domain (RFC 6376), with RSA or with Ed25519 (RFC 8463). The time of a
// signature is the date of the message, so that the same message and key always result in the same
// bytes. Its fields do not hold the key in a form that could be printed.
type DKIM struct {
	domain, selector string
	algorithm        string // as in the tag k= of the record
	public           []byte // as in the tag p= of the record
	sign             func(sum []byte) ([]byte, error)
}

// ParseDKIM parses a private key in PEM format (PKCS #8, or PKCS #1 for RSA): Ed25519, or RSA of 2048
// to 4096 bits. Receivers look up its public half under selector._domainkey.domain; see Record. For
// DMARC (RFC 7489), the sender's address must be in the same domain or in a subdomain. The error is one
// sentence that says what to change, and never contains anything of the key.
func ParseDKIM(domain, selector string, pemKey []byte) (*DKIM, error) {
	d := &DKIM{selector: selector}
	var err error
	if d.domain, err = idna.Lookup.ToASCII(domain); err != nil || !hostLabels.MatchString(d.domain) || !strings.Contains(d.domain, ".") {
		return nil, errors.New("the DKIM domain must be the domain of the sender's address, such as example.org")
	}
	if !hostLabels.MatchString(selector) {
		return nil, errors.New("the DKIM selector must consist of letters, digits and hyphens, with dots between its parts, such as usher or 2026.usher")
	}
	key, err := parseDKIMKey(pemKey)
	if err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case ed25519.PrivateKey:
		public, _ := key.Public().(ed25519.PublicKey)
		d.algorithm, d.public = "ed25519", public
		// RFC 8463, section 3: the hash is signed as if it were the text.
		d.sign = func(sum []byte) ([]byte, error) { return ed25519.Sign(key, sum), nil }
	case *rsa.PrivateKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return nil, fmt.Errorf("the DKIM key is RSA with %d bits, but must have %d to %d (RFC 8301): create a new key, and publish its record before you use it",
				bits, minRSABits, maxRSABits)
		}
		if d.public, err = x509.MarshalPKIXPublicKey(key.Public()); err != nil {
			return nil, errors.New("the public half of the DKIM key cannot be written: create a new key")
		}
		d.algorithm = "rsa"
		d.sign = func(sum []byte) ([]byte, error) { return rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum) }
	default:
		return nil, errors.New("the DKIM key must be RSA or Ed25519: receivers support no other kind (RFC 8463)")
	}
	return d, nil
}

func parseDKIMKey(pemKey []byte) (key any, err error) {
	block, _ := pem.Decode(pemKey)
	switch {
	case block == nil:
		return nil, errors.New("the DKIM key is not in PEM format: it must begin with -----BEGIN PRIVATE KEY-----")
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return nil, errors.New("the DKIM key is encrypted with a passphrase, which Usher cannot enter: store the key without one (openssl pkey -in key.pem)")
	case block.Type == "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case block.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return nil, errors.New("the DKIM key is not a private key: " +
			"it must begin with -----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----")
	}
	if err != nil {
		return nil, errors.New("the DKIM key is damaged or of an unknown kind: it must be RSA or Ed25519 in PEM format")
	}
	return key, nil
}

// Record returns the name and the text of the TXT record that receivers need to check the signatures
// (RFC 6376, section 3.6.1). The text contains only the public half of the key. In a zone file, write a
// text of more than 255 characters as several strings.
func (d *DKIM) Record() (name, text string) {
	return d.selector + "._domainkey." + d.domain,
		"v=DKIM1; k=" + d.algorithm + "; p=" + base64.StdEncoding.EncodeToString(d.public)
}

// signed returns a message with its signature in front, in relaxed/relaxed form. The library that
// verifies it in the tests cannot create it, because that library writes the time of its own clock into
// each signature.
func (d *DKIM) signed(message []byte, date time.Time) ([]byte, error) {
	header, body, _ := strings.Cut(string(message), "\r\n\r\n")
	fields := relaxedFields(header)
	hash := sha256.New()
	var names []string
	for _, name := range signedFields {
		if field, ok := fields[strings.ToLower(name)]; ok {
			names = append(names, name)
			hash.Write([]byte(field + "\r\n"))
		}
		names = append(names, name)
	}
	var lines []string
	for some := range slices.Chunk(names, 3) {
		lines = append(lines, strings.Join(some, ":"))
	}
	sum := sha256.Sum256([]byte(relaxedBody(body)))
	field := "DKIM-Signature: v=1; a=" + d.algorithm + "-sha256; c=relaxed/relaxed;\r\n" +
		" d=" + d.domain + "; s=" + d.selector + ";\r\n" +
		" t=" + strconv.FormatInt(date.Unix(), 10) + ";\r\n" +
		" h=" + strings.Join(lines, ":\r\n  ") + ";\r\n" +
		" bh=" + base64.StdEncoding.EncodeToString(sum[:]) + ";\r\n" +
		" b="
	// RFC 6376, section 3.7: the signature covers its own field too, with b= empty and no line end.
	hash.Write([]byte(relaxedField(field)))
	signature, err := d.sign(hash.Sum(nil))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(field)
	const width = 72
	for text := base64.StdEncoding.EncodeToString(signature); text != ""; {
		n := min(width, len(text))
		b.WriteString("\r\n  " + text[:n])
		text = text[n:]
	}
	b.WriteString("\r\n")
	b.Write(message)
	return b.Bytes(), nil
}

// relaxedFields returns the fields of a header by their names in lower case. Message.Bytes writes no
// field twice.
func relaxedFields(header string) map[string]string {
	fields := map[string]string{}
	unfolded := strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(header)
	for line := range strings.SplitSeq(unfolded, "\r\n") {
		field := relaxedField(line)
		name, _, _ := strings.Cut(field, ":")
		fields[name] = field
	}
	return fields
}

// relaxedField implements RFC 6376, section 3.4.2.
func relaxedField(field string) string {
	name, value, _ := strings.Cut(field, ":")
	value = blanks.ReplaceAllString(strings.ReplaceAll(value, "\r\n", ""), " ")
	return strings.ToLower(strings.TrimRight(name, " \t")) + ":" + strings.Trim(value, " ")
}

// relaxedBody implements RFC 6376, section 3.4.4.
func relaxedBody(body string) string {
	lines := strings.Split(body, "\r\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(blanks.ReplaceAllString(line, " "), " ")
	}
	body = strings.TrimRight(strings.Join(lines, "\r\n"), "\r\n")
	if body == "" {
		return ""
	}
	return body + "\r\n"
}
