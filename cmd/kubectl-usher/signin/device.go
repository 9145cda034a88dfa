// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"rsc.io/qr"

	"github.com/usher-dev/usher/cmd/kubectl-usher/cache"
	"github.com/usher-dev/usher/internal/sanitize"
)

const (
	// pollInterval is how long to wait between two requests if the issuer does not say (RFC
	// 8628, section 3.2), and maxInterval the longest time, in seconds.
	pollInterval = 5
	maxInterval  = 60
	// deviceTime is how long a code works if the issuer does not say.
	deviceTime = 30 * time.Minute
	// maxAddress limits the address in a QR code, in bytes. A longer one would not fit on a
	// terminal.
	maxAddress = 200
)

// WithDevice signs in with a browser on another device, which shows the person what they
// approve. The terminal shows the address, the code and a QR code.
func (c *Client) WithDevice(ctx context.Context) (cache.Tokens, error) {
	doing := "sign in at " + c.Issuer
	if c.oauth.Endpoint.DeviceAuthURL == "" {
		return cache.Tokens{}, fmt.Errorf("%s: it does not offer to sign in with another device; use kubectl usher login", doing)
	}
	device, err := c.oauth.DeviceAuth(c.with(ctx))
	if err != nil {
		return cache.Tokens{}, explain(doing, err)
	}
	if !isHTTPS(device.VerificationURI) || device.DeviceCode == "" || device.UserCode == "" {
		return cache.Tokens{}, fmt.Errorf("%s: it returned no code, or an address that is not https", doing)
	}
	c.show(device)
	if device.Expiry.IsZero() {
		device.Expiry = c.Now().Add(deviceTime)
	}
	ctx, cancel := context.WithDeadline(ctx, device.Expiry)
	defer cancel()
	token, err := c.poll(ctx, device)
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.ErrorCode == "expired_token", errors.Is(err, context.DeadlineExceeded):
		return cache.Tokens{}, errors.New("the code was not approved in time; run the command again")
	case errors.As(err, &refused) && refused.ErrorCode == "access_denied":
		return cache.Tokens{}, errors.New("the sign-in was refused on the other device")
	case err != nil:
		return cache.Tokens{}, c.exchangeError(err)
	}
	return c.tokens(ctx, token, "")
}

// show tells the person where to enter which code.
func (c *Client) show(device *oauth2.DeviceAuthResponse) {
	_, _ = fmt.Fprintf(c.Out, "Open this address on a phone or another computer:\n\n  %s\n\nand enter the code:\n\n  %s\n\n",
		sanitize.SingleLine(device.VerificationURI), sanitize.SingleLine(device.UserCode))
	complete := device.VerificationURIComplete
	if !isHTTPS(complete) || len(complete) > maxAddress {
		return
	}
	_, _ = fmt.Fprintf(c.Out, "Or scan this QR code, and check that the page shows the same code:\n\n%s\n", qrCode(complete))
}

// qrCode returns a QR code in which a character is two modules, one above the other. Its
// colors are fixed, because many phones cannot read a code that is light on dark. A Windows
// console may not know colors, and is dark.
func qrCode(text string) string {
	const quiet = 2 // modules
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "" // too long; there is still the address
	}
	before, after, blocks := "\x1b[30;107m", "\x1b[0m\n", []rune(" ▄▀█")
	if runtime.GOOS == "windows" {
		before, after, blocks = "", "\n", []rune("█▀▄ ")
	}
	var out strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		out.WriteString(before)
		for x := -quiet; x < code.Size+quiet; x++ {
			block := 0
			if code.Black(x, y) {
				block += 2
			}
			if code.Black(x, y+1) {
				block++
			}
			out.WriteRune(blocks[block])
		}
		out.WriteString(after)
	}
	return out.String()
}

// poll asks for the tokens until the person approved the device. oauth2 keeps to the
// interval and slows down as the issuer says. poll adds what it does not do: it asks again,
// less often, if the issuer cannot be reached (RFC 8628, section 3.5).
func (c *Client) poll(ctx context.Context, device *oauth2.DeviceAuthResponse) (*oauth2.Token, error) {
	if device.Interval < 1 {
		device.Interval = pollInterval
	}
	for {
		device.Interval = min(device.Interval, maxInterval)
		token, err := c.oauth.DeviceAccessToken(c.with(ctx), device)
		if err == nil || ctx.Err() != nil || !isTransient(err) {
			return token, err
		}
		_, _ = fmt.Fprintln(c.Out, "The portal cannot be reached. Trying again.")
		device.Interval *= 2
	}
}

// isTransient reports whether a request can succeed later.
func isTransient(err error) bool {
	if refused, is := errors.AsType[*oauth2.RetrieveError](err); is {
		return refused.Response.StatusCode >= http.StatusInternalServerError
	}
	return sanitize.ConnectionFailure(err) != ""
}
