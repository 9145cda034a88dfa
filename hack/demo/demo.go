// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"github.com/usher-dev/usher/hack/cluster"
	"github.com/usher-dev/usher/hack/cluster/child"
	"github.com/usher-dev/usher/hack/inbox"
)

const (
	// patience limits each step that waits for something to appear.
	patience = time.Minute
	// ending is how long usher can take to end. It waits for a mail that is being sent.
	ending = 45 * time.Second
)

// demo is one run of the demo.
type demo struct {
	out     io.Writer
	started time.Time

	portalPort, inboxPort port

	// dir holds every file of the run.
	dir     string
	front   *front
	cluster *cluster.Cluster
	inbox   *inbox.Inbox
	usher   *child.Process
}

func newDemo(out io.Writer) *demo {
	return &demo{
		out:        out,
		started:    time.Now(),
		portalPort: port{number: 8082, scheme: "https", purpose: "the portal", flag: "portal-port", variable: "PORTAL_PORT"},
		inboxPort:  port{number: 8025, scheme: "http", purpose: "the inbox", flag: "inbox-port", variable: "INBOX_PORT"},
	}
}

// run starts everything, waits until ctx ends or usher does, and leaves nothing behind.
func (d *demo) run(ctx context.Context) (err error) {
	if d.dir, err = os.MkdirTemp("", "usher-demo-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	up, down := context.WithCancelCause(ctx)
	defer down(nil)

	if err = d.start(up, down); err == nil {
		err = d.explain(up)
	}
	if err == nil {
		<-up.Done()
	}
	switch {
	case ctx.Err() != nil:
		// The failure is a result of the interruption, so it is no error.
		return nil
	case context.Cause(up) != nil:
		return context.Cause(up)
	}
	return err
}

func (d *demo) start(ctx context.Context, down context.CancelCauseFunc) error {
	for _, step := range []func(context.Context) error{
		d.startFront, d.startCluster, d.install, d.startInbox,
		func(ctx context.Context) error { return d.startUsher(ctx, down) },
		d.awaitPortal, d.invite,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// say prints a step with its start time.
func (d *demo) say(step string) {
	d.print("%5.1f s  %s\n", time.Since(d.started).Seconds(), step)
}

// print ignores errors: a closed terminal must not prevent the cleanup.
func (d *demo) print(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, format, args...)
}

func (d *demo) startCluster(ctx context.Context) (err error) {
	d.cluster, err = cluster.Start(ctx, cluster.Options{
		BinDir: "bin", Dir: d.dir, ControllerManager: true, Authentication: d.front.authentication, Progress: d.say,
	})
	return err
}

func (d *demo) install(ctx context.Context) error {
	d.say("Installing the kinds, rights and policies of config/")
	return d.cluster.InstallAll(ctx, "config")
}

func (d *demo) startInbox(context.Context) (err error) {
	d.say("Starting a mail server that shows every mail and delivers none")
	d.inbox, err = inbox.Start(inbox.Options{WebAddress: d.inboxPort.address()}) //nolint:contextcheck // it runs until it is closed
	return err
}

// startUsher runs usher with only the permissions of its two service accounts.
func (d *demo) startUsher(ctx context.Context, down context.CancelCauseFunc) error {
	d.say("Starting usher")
	contexts := map[string]*rest.Config{}
	for _, account := range []string{"usher-controller", "usher-portal"} {
		config, err := d.cluster.ServiceAccountConfig(ctx, cluster.Namespace, account)
		if err != nil {
			return err
		}
		contexts[account] = config
	}
	kubeconfig := filepath.Join(d.dir, "usher.kubeconfig")
	if err := cluster.WriteKubeconfig(kubeconfig, contexts); err != nil {
		return err
	}
	clusterCA := filepath.Join(d.dir, "cluster-ca.pem")
	if err := os.WriteFile(clusterCA, d.cluster.Admin().CAData, 0o600); err != nil {
		return err
	}
	usher, err := child.Start(filepath.Join(d.dir, "usher.log"), filepath.Join("bin", "usher"), "all",
		"--kubeconfig", kubeconfig, "--controller-context", "usher-controller", "--portal-context", "usher-portal",
		"--namespace", cluster.Namespace, "--portal-url", d.portalPort.url(),
		"--listen", d.front.behind, "--trusted-proxies", "127.0.0.0/8",
		"--cluster-name", clusterName, "--cluster-server", d.cluster.Admin().Host, "--cluster-ca-file", clusterCA, "--portal-ca-file", d.front.caFile,
		"--smtp-url", d.inbox.SMTPURL(), "--mail-from", "Usher <usher@acme.example>", "--metrics-bind-address", "0")
	if err != nil {
		return fmt.Errorf("%w (run make build)", err)
	}
	d.usher = usher
	go func() {
		<-usher.Done()
		down(fmt.Errorf("usher ended unexpectedly. Its last lines:\n%s", usher.Tail(15)))
	}()
	return nil
}

func (d *demo) awaitPortal(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.portalPort.url()+"/healthz", nil)
	if err != nil {
		return err
	}
	return d.await(ctx, "the portal", func(context.Context) (bool, error) {
		response, err := d.front.client.Do(request)
		if err != nil {
			return false, nil //nolint:nilerr // it does not listen yet
		}
		return response.StatusCode == http.StatusOK, response.Body.Close()
	})
}

func (d *demo) await(ctx context.Context, what string, ready wait.ConditionWithContextFunc) error {
	if err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, patience, true, ready); err != nil {
		return fmt.Errorf("wait for %s: %w; the last lines of usher:\n%s", what, err, d.usher.Tail(15))
	}
	return nil
}

// stop ends the programs in an order that lets each of them shut down cleanly.
func (d *demo) stop() error {
	d.print("\n")
	d.say("Stopping everything")
	var errs []error
	if d.usher != nil {
		select {
		case <-d.usher.Done(): // already reported
		default:
			errs = append(errs, d.usher.Stop(ending))
		}
	}
	if d.front != nil {
		errs = append(errs, d.front.Close())
	}
	if d.inbox != nil {
		errs = append(errs, d.inbox.Close())
	}
	if d.cluster != nil {
		errs = append(errs, d.cluster.Stop())
	}
	if err := errors.Join(append(errs, os.RemoveAll(d.dir))...); err != nil {
		return fmt.Errorf("stop the demo: %w", err)
	}
	d.say("Nothing is left running")
	return nil
}
