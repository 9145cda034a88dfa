// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms

import "time"

// SetReplyTimeout shortens ReplyTimeout.
func (c *Client) SetReplyTimeout(d time.Duration) { c.transport.ResponseHeaderTimeout = d }
