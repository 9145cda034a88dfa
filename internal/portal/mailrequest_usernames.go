// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
)

const pageUserNames = "usernames.html"

// fieldAddress is the address of an existing account.
const fieldAddress = "address"

// forgottenUserName requests the user names of an address. The request goes to
// the oldest Account of the address, on behalf of all of them. So Usher sends one
// mail, and the limits apply to the address.
var forgottenUserName = mailRequest{
	path: "/user-names", page: pageUserNames, title: "portal.usernames.title", field: fieldAddress,
	incomplete: func(typed string) string {
		if !strings.Contains(typed, "@") {
			return "portal.problem.address-form"
		}
		return ""
	},
	asked: message{page: "usernames-asked", lines: []string{"sent", "nothing", "again"}},
	most:  1,
	note: func(status *accountsv1.AccountStatus, now metav1.Time) bool {
		if !account.MayRequest(status.UserNameTimes, now.Time) {
			return false
		}
		status.UserNameTimes = account.Requested(status.UserNameTimes, now)
		return true
	},
}
