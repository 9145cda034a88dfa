// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package attack_test

import (
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/session"
)

var _ = Describe("Guessing the code that confirms an address", Label("E4"), func() {
	It("gets no more than five answers a request, at three portals at once", func(ctx SpecContext) {
		victim := named(fresh("victim"))
		victim.joins(ctx, anOrganization(ctx, 5))
		owner := victim.sessions(1, session.StageSignedIn)[0]
		a := victim.settle(ctx)
		all := portals(ctx)
		Expect(owner.post(all[0], "/account/email").leadsTo("/account/email")).To(BeTrue())
		before := reread(ctx, a)
		code, err := account.EmailCode(keys, before)
		Expect(err).NotTo(HaveOccurred())

		writes := changesOf(ctx, before)
		answers := atOnce(60, func(i int) answer {
			return owner.copy().post(all[i%len(all)], "/account/email/code", "code", fmt.Sprintf("%08d", i))
		})
		// The last answer that counts says that no code is valid any more, as all later ones do.
		told := 0
		for _, got := range answers {
			if strings.Contains(got.body, "from our latest email") {
				told++
			}
		}
		Expect(told).To(Equal(account.MostEmailCodeGuesses - 1))
		Expect(reread(ctx, a).Status.EmailCodeGuesses).To(BeEquivalentTo(account.MostEmailCodeGuesses))
		Expect(owner.post(all[1], "/account/email/code", "code", code).status).To(Equal(http.StatusUnprocessableEntity))
		Expect(reread(ctx, a).EmailVerified()).To(BeFalse())
		Eventually(writes.seen.Load).Should(BeEquivalentTo(account.MostEmailCodeGuesses))
		figure("guesses of a code for an address", "%d guesses, %d writes of the Account", len(answers), writes.seen.Load())
	})
})
