// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Dialect is the protocol of a gateway.
type Dialect string

const (
	// Kannel is the sendsms interface of Kannel's smsbox (Kannel User's Guide, "Using the HTTP
	// interface to send SMS messages").
	Kannel Dialect = "Kannel"
	// Twilio is the Messages resource of Twilio's API, version 2010-04-01.
	Twilio Dialect = "Twilio"
)

var schemes = map[string]struct {
	dialect Dialect
	scheme  string
}{
	"kannel+https": {Kannel, "https"},
	"kannel+http":  {Kannel, "http"},
	"twilio+https": {Twilio, "https"},
	"twilio+http":  {Twilio, "http"},
}

// kannelPath is where Kannel listens by default.
const kannelPath = "/cgi-bin/sendsms"

var (
	hostname   = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?$`)
	accountSID = regexp.MustCompile(`^AC[0-9A-Za-z]+$`)
	// Twilio calls a pool of senders a Messaging Service.
	serviceSID   = regexp.MustCompile(`^MG[0-9A-Za-z]{32}$`)
	senderNumber = regexp.MustCompile(`^\+?[0-9]{3,15}$`)
	// A sender's name can have eleven characters of the GSM alphabet (3GPP TS 23.040, section 9.1.2.5).
	senderName = regexp.MustCompile(`^[0-9 .&_-]*[A-Za-z][A-Za-z0-9 .&_-]*$`)
)

// Gateway is an SMS gateway to send to. It holds no secret.
type Gateway struct {
	// Dialect is the gateway's protocol.
	Dialect Dialect
	// URL is the target of requests, without the user. For Kannel it is the complete URL, for Twilio
	// only scheme and host.
	URL string
	// User is the name of Kannel's sendsms-user, or Twilio's account SID.
	User string
}

// ParseURL parses the URL of a gateway, in one of these forms:
//
//	kannel+https://user@host[:port][/cgi-bin/sendsms]
//	kannel+http://user@host[:port][/cgi-bin/sendsms]
//	twilio+https://ACxxxx@api.twilio.com
//	twilio+http://ACxxxx@host[:port]
//
// With +http, the password and the links travel in the clear. Use it only for a gateway on the same
// machine, in a network that only the platform can read, or in a test.
//
// The error is one sentence that says what to write. It never repeats the URL, because the URL can
// contain a password.
func ParseURL(raw string) (Gateway, error) {
	const example = "write it like kannel+https://user@sms.example.org:13013/cgi-bin/sendsms or twilio+https://ACxxxx@api.twilio.com"
	u, err := url.Parse(raw)
	if err != nil {
		return Gateway{}, errors.New("the SMS gateway is not a URL: " + example)
	}
	scheme, known := schemes[u.Scheme]
	user := u.User.Username()
	if _, has := u.User.Password(); has {
		return Gateway{}, errors.New("the SMS gateway's URL must not contain a password: put it in the SMS password file")
	}
	switch {
	case !known:
		return Gateway{}, errors.New("the SMS gateway's URL must begin with kannel+https://, twilio+https:// or, without encryption, kannel+http:// or twilio+http://: " + example)
	case !hostname.MatchString(u.Hostname()) && (!strings.HasPrefix(u.Host, "[") || net.ParseIP(u.Hostname()) == nil):
		return Gateway{}, errors.New("the SMS gateway's URL has no host: " + example)
	case !validPort(u):
		return Gateway{}, errors.New("the SMS gateway's port must be from 1 to 65535: " + example)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return Gateway{}, errors.New("the SMS gateway's URL must end after the path: " + example)
	case scheme.dialect == Kannel && (user == "" || strings.ContainsFunc(user, notVisible)):
		return Gateway{}, errors.New("the SMS gateway's URL must name Kannel's sendsms-user before the @: " + example)
	case scheme.dialect == Twilio && !accountSID.MatchString(user):
		return Gateway{}, errors.New("the SMS gateway's URL must have Twilio's account SID, which begins with AC, before the @: " + example)
	case scheme.dialect == Twilio && u.Path != "" && u.Path != "/":
		return Gateway{}, errors.New("the SMS gateway's URL must end after Twilio's host: " + example)
	}
	target := url.URL{Scheme: scheme.scheme, Host: u.Host}
	if scheme.dialect == Kannel {
		target.Path, target.RawPath = u.Path, u.RawPath
		if u.Path == "" || u.Path == "/" {
			target.Path = kannelPath
		}
	}
	return Gateway{Dialect: scheme.dialect, URL: target.String(), User: user}, nil
}

// CheckSender returns an error unless the gateway can send messages as from, which is the platform's
// setting. It accepts a telephone number, a short code, a name of up to 11 characters or, with Twilio,
// the SID of a Messaging Service. The error is one sentence that says what to write.
func (g Gateway) CheckSender(from string) error {
	switch {
	case senderNumber.MatchString(from),
		len(from) <= 11 && senderName.MatchString(from) && from == strings.TrimSpace(from),
		g.Dialect == Twilio && serviceSID.MatchString(from):
		return nil
	case g.Dialect == Twilio:
		return errors.New("the SMS sender must be a number such as +393331234567, a name of up to 11 letters and digits, or the SID of a Messaging Service, which begins with MG")
	}
	return errors.New("the SMS sender must be a number such as +393331234567 or a name of up to 11 letters and digits")
}

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	port, err := strconv.Atoi(u.Port())
	return err == nil && port >= 1 && port <= 65535
}

func notVisible(r rune) bool { return r <= ' ' || r > '~' }
