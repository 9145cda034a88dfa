// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package tokens_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/procfs"
	"golang.org/x/time/rate"

	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/test/platform"
)

var web = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}}

// request sends a request from a member's computer, and reads the answer.
func (m *member) request(ctx context.Context, method, address string, form url.Values, answer any) error {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Host = "accounts.example.com"
	r.Header.Set("X-Forwarded-For", m.from)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		r.Header.Set("Authorization", "Bearer "+m.access)
	}
	response, err := web.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %w", response.Status, raw, err)
	}
	return json.Unmarshal(raw, answer)
}

// refreshAt exchanges the member's refresh token for the next one.
func (m *member) refreshAt(ctx context.Context, portal string) error {
	var tokens struct {
		Refresh string `json:"refresh_token"`
		Access  string `json:"access_token"`
		ID      string `json:"id_token"`
	}
	err := m.request(ctx, http.MethodPost, portal+issuer.PathToken, url.Values{
		"grant_type": {"refresh_token"}, "client_id": {issuer.KubectlID}, "refresh_token": {m.refresh},
	}, &tokens)
	if err == nil && (tokens.Refresh == m.refresh || tokens.Access == "" || tokens.ID == "") {
		err = fmt.Errorf("a token is missing: %+v", tokens)
	}
	m.refresh, m.access = tokens.Refresh, tokens.Access
	return err
}

// userInfoAt asks who the member is.
func (m *member) userInfoAt(ctx context.Context, portal string) error {
	var who struct {
		Groups []string `json:"groups"`
	}
	err := m.request(ctx, http.MethodGet, portal+issuer.PathUserInfo, nil, &who)
	if err == nil && !slices.Contains(who.Groups, acme+":developer") {
		err = fmt.Errorf("groups: %v", who.Groups)
	}
	return err
}

// offered is how many requests a second the members send at most. A portal refuses more than
// 500 a second of all clients together, so a fast machine would measure refusals.
const offered rate.Limit = 400

// measure has the members do something, atOnce of them at a time and each one after the
// other, and reports how many requests that was for each second and core.
func measure(ctx context.Context, what string, members []*member, do func(context.Context, *member) error) {
	GinkgoHelper()
	var (
		mu    sync.Mutex
		times []time.Duration
		group sync.WaitGroup
	)
	pace := rate.NewLimiter(offered, 1)
	before, began := used(), time.Now()
	for w := range atOnce {
		group.Go(func() {
			defer GinkgoRecover()
			own := members[w*len(members)/atOnce : (w+1)*len(members)/atOnce]
			for i := 0; time.Since(began) < lasting; i++ {
				Expect(pace.Wait(ctx)).To(Succeed())
				start := time.Now()
				Expect(do(ctx, own[i%len(own)])).To(Succeed())
				mu.Lock()
				times = append(times, time.Since(start))
				mu.Unlock()
			}
		})
	}
	group.Wait()
	took, after := time.Since(began), used()
	Expect(times).NotTo(BeEmpty())
	slices.Sort(times)
	each := func(command string) float64 { return (after[command] - before[command]) / float64(len(times)) }
	platform.Figure(what, "%.0f a second on one core of the portal (%.0f including the API server and etcd)",
		1/each("usher"), 1/(each("usher")+each("kube-apiserver")+each("etcd")))
	platform.Figure(what+": on this machine", "%d in %s with %d at once: %.0f a second (at most %.0f are sent); half within %s, 99 of 100 within %s",
		len(times), took.Round(time.Millisecond), atOnce, float64(len(times))/took.Seconds(), offered, percentile(times, 50), percentile(times, 99))
	platform.Figure(what+": CPU", "%.2f ms of the portal, %.2f ms of the API server and %.2f ms of etcd",
		1000*each("usher"), 1000*each("kube-apiserver"), 1000*each("etcd"))
}

func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[(len(sorted)-1)*p/100].Round(100 * time.Microsecond)
}

// used returns how many seconds of CPU time the programs that this process started have
// used, by the name of the command.
func used() map[string]float64 {
	GinkgoHelper()
	all, err := procfs.AllProcs()
	Expect(err).NotTo(HaveOccurred())
	seconds := map[string]float64{}
	for _, p := range all {
		if stat, err := p.Stat(); err == nil && stat.PPID == os.Getpid() {
			seconds[stat.Comm] += stat.CPUTime()
		}
	}
	return seconds
}

var _ = Describe("A portal", func() {
	It("issues tokens at the rate that is reported", func(ctx SpecContext) {
		members := make([]*member, crowd)
		for i := range members {
			members[i] = newMember(ctx, i)
		}
		portal := startPortal(ctx)
		for _, m := range members {
			Expect(m.refreshAt(ctx, portal)).To(Succeed())
		}
		measure(ctx, "refresh", members, func(ctx context.Context, m *member) error { return m.refreshAt(ctx, portal) })
		measure(ctx, "userinfo", members, func(ctx context.Context, m *member) error { return m.userInfoAt(ctx, portal) })
	})
})
