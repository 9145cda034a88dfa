// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxSegments is the longest text that is sent, in segments. A segment is the unit that networks carry
// and bill as one message.
const MaxSegments = 10

// The alphabet of 3GPP TS 23.038, section 6.2.1, without the control characters that a text must not
// contain. Characters of the extension table take two places each.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtension = "^{}\\[~]|€"
)

// Segments returns how many segments a text needs. One segment holds up to 160 characters of the GSM
// alphabet, or 70 if the text contains any other character (UCS-2). In a longer text each segment holds
// 153 or 67, because the parts carry their number (3GPP TS 23.040, section 9.2.3.24.1).
func Segments(text string) int {
	places, alone, joined := gsmPlaces, 160, 153
	if !inGSM(text) {
		places, alone, joined = ucs2Places, 70, 67
	}
	total := 0
	segments, room := 0, 0
	for _, r := range text {
		n := places(r)
		total += n
		// A character is not split between segments.
		if n > room {
			segments, room = segments+1, joined
		}
		room -= n
	}
	if total <= alone {
		return min(segments, 1)
	}
	return segments
}

// inGSM reports whether the GSM alphabet is enough for a text.
func inGSM(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return gsmPlaces(r) == 0 })
}

// gsmPlaces returns how many septets a character takes. It returns 0 if the alphabet does not have the
// character.
func gsmPlaces(r rune) int {
	switch {
	case strings.ContainsRune(gsmBasic, r):
		return 1
	case strings.ContainsRune(gsmExtension, r):
		return 2
	}
	return 0
}

func ucs2Places(r rune) int { return max(1, utf16.RuneLen(r)) }

func checkText(text string) error {
	reason := ""
	switch n := Segments(text); {
	case strings.TrimSpace(text) == "":
		reason = "the text is empty"
	case !utf8.ValidString(text):
		reason = "the text is not valid UTF-8"
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }):
		reason = "the text contains a control character"
	case n > MaxSegments:
		reason = fmt.Sprintf("the text is %d segments long, but the limit is %d: shorten it", n, MaxSegments)
	default:
		return nil
	}
	return &InvalidError{Field: partText, Reason: reason}
}
