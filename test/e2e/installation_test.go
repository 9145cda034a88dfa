// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"

	"github.com/usher-dev/usher/hack/cluster"
	"github.com/usher-dev/usher/hack/cluster/child"
)

// stopTimeout is the time that a process of Usher can need to end.
const stopTimeout = 30 * time.Second

// installation is Usher as a platform team installs it: a controller, and two portals
// behind one proxy.
type installation struct {
	dir, kubeconfig string
	// url is the public address of the portals: the proxy in front of them.
	url string
	// metrics is the address of the controller's metrics endpoint.
	metrics string

	controller *child.Process
	portals    []*child.Process
	all        []*child.Process
}

func install(ctx context.Context, dir string) *installation {
	GinkgoHelper()
	contexts := map[string]*rest.Config{}
	for _, account := range []string{"usher-controller", "usher-portal"} {
		config, err := kube.ServiceAccountConfig(ctx, cluster.Namespace, account)
		Expect(err).NotTo(HaveOccurred())
		contexts[account] = config
	}
	i := &installation{dir: dir, url: front.url, kubeconfig: filepath.Join(dir, "usher.kubeconfig"), metrics: freeAddress(ctx)}
	Expect(cluster.WriteKubeconfig(i.kubeconfig, contexts)).To(Succeed())

	Expect(os.WriteFile(filepath.Join(dir, "cluster-ca.pem"), kube.Admin().CAData, 0o600)).To(Succeed())
	Expect(os.WriteFile(filepath.Join(dir, "portal-ca.pem"), front.ca, 0o600)).To(Succeed())
	i.startController()
	for range 2 {
		i.portals = append(i.portals, i.startPortal(ctx))
	}
	return i
}

// start starts one process of Usher with the rights of its service account.
func (i *installation) start(command string, args ...string) *child.Process {
	GinkgoHelper()
	log := filepath.Join(i.dir, fmt.Sprintf("%s-%d.log", command, len(i.all)))
	process, err := child.Start(log, filepath.Join(bin, "usher"), append([]string{
		command,
		"--kubeconfig", i.kubeconfig, "--context", "usher-" + command,
		"--namespace", cluster.Namespace, "--portal-url", i.url,
	}, args...)...)
	Expect(err).NotTo(HaveOccurred())
	i.all = append(i.all, process)
	return process
}

func (i *installation) startController() {
	GinkgoHelper()
	i.controller = i.startControllerWith("--leader-elect", "--metrics-bind-address", i.metrics)
}

func (i *installation) startControllerWith(args ...string) *child.Process {
	GinkgoHelper()
	return i.start("controller", append([]string{
		"--smtp-url", mailbox.SMTPURL(), "--smtp-ca-file", filepath.Join(i.dir, "smtp-ca.pem"),
		"--smtp-password-file", filepath.Join(i.dir, "smtp-password"),
		"--mail-from", "Usher <usher@acme.example>", "--allow-outbound", "127.0.0.0/8",
	}, args...)...)
}

// startPortal starts a portal, and adds it to the proxy once it answers.
func (i *installation) startPortal(ctx context.Context) *child.Process {
	GinkgoHelper()
	address := freeAddress(ctx)
	portal := i.start("portal", "--listen", address, "--trusted-proxies", "127.0.0.0/8",
		"--cluster-name", "demo", "--cluster-server", kube.Admin().Host,
		"--cluster-ca-file", filepath.Join(i.dir, "cluster-ca.pem"), "--portal-ca-file", filepath.Join(i.dir, "portal-ca.pem"))
	Eventually(http.Get).WithArguments("http://" + address + "/healthz").Should(HaveHTTPStatus(http.StatusOK))
	front.add(address)
	return portal
}

// scaleUp starts a third portal, which stays. For the rest of the spec it also starts
// a second controller that works beside the first: without leader election, as if the
// lease were lost.
func (i *installation) scaleUp(ctx context.Context) {
	GinkgoHelper()
	i.portals = append(i.portals, i.startPortal(ctx))
	second := i.startControllerWith("--metrics-bind-address", "0")
	DeferCleanup(second.Stop, stopTimeout)
}

// stop ends the running processes. It returns an error if one of them fails to end
// cleanly, or had already ended.
func (i *installation) stop() error {
	var errs []error
	for _, process := range append(i.portals, i.controller) {
		if err := process.Stop(stopTimeout); err != nil {
			errs = append(errs, fmt.Errorf("%w; its last lines:\n%s", err, process.Tail(20)))
		}
	}
	return errors.Join(errs...)
}

// said returns the logs of all processes of Usher.
func (i *installation) said() string {
	var all strings.Builder
	for _, process := range i.all {
		all.WriteString(process.Output())
	}
	return all.String()
}

// measured returns the content of the controller's metrics endpoint.
func (i *installation) measured(ctx context.Context) string {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.metrics+"/metrics", nil)
	Expect(err).NotTo(HaveOccurred())
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = response.Body.Close() }()
	Expect(response).To(HaveHTTPStatus(http.StatusOK))
	body, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	return string(body)
}

// freeAddress returns an address on which no process listens right now.
func freeAddress(ctx context.Context) string {
	GinkgoHelper()
	address, err := cluster.FreeAddress(ctx)
	Expect(err).NotTo(HaveOccurred())
	return address
}
