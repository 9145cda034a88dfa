// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package cluster runs a Kubernetes control plane on this machine for the demo and the specs in
// test/. It is a real API server with RBAC, admission and garbage collection. It has no nodes, so
// no pod is ever scheduled. The package must not import anything of the operator: it knows the
// operator only by the manifests in config/.
package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/usher-dev/usher/hack/cluster/child"
)

const (
	// startTimeout applies to each part of the control plane, on a slow machine.
	startTimeout = time.Minute
	stopTimeout  = 30 * time.Second
)

// programs must exist in Options.BinDir.
var programs = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kubectl"}

// Options defines what to start and where.
type Options struct {
	// BinDir contains the programs that `make control-plane` puts into bin/.
	BinDir string
	// Dir is where the cluster creates the directory for all its files. If it is empty, that is the
	// directory for temporary files.
	Dir string
	// AuditLog is a file that records every write with its body. If it is empty, nothing is
	// recorded.
	AuditLog string
	// ControllerManager also runs kube-controller-manager. It completes the deletion of namespaces,
	// collects garbage and fills the ClusterRoles admin, edit and view. Without it these
	// ClusterRoles grant nothing.
	ControllerManager bool
	// Authentication is a file with an AuthenticationConfiguration, by which people sign in to
	// the API server. If it is empty, there is none.
	Authentication string
	// Progress is called for each step, if it is not nil.
	Progress func(step string)
}

// Cluster is a running control plane.
type Cluster struct {
	opts    Options
	dir     string
	admin   *rest.Config
	env     *envtest.Environment
	manager *child.Process
}

// Start starts a control plane on free ports of the loopback interface. If it fails, it leaves
// nothing behind.
func Start(ctx context.Context, opts Options) (_ *Cluster, err error) {
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	if opts.BinDir, err = filepath.Abs(opts.BinDir); err != nil {
		return nil, err
	}
	for _, program := range programs {
		if _, err := os.Stat(filepath.Join(opts.BinDir, program)); err != nil {
			return nil, fmt.Errorf("%s is not in %s: run make control-plane", program, opts.BinDir)
		}
	}
	dir, err := os.MkdirTemp(opts.Dir, "usher-cluster-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{opts: opts, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	for _, step := range []func(context.Context) error{c.startAPIServer, c.startControllerManager} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Cluster) startAPIServer(ctx context.Context) error {
	c.opts.Progress("Starting etcd and kube-apiserver")
	env := &envtest.Environment{
		BinaryAssetsDirectory:    c.opts.BinDir,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  stopTimeout,
	}
	api := env.ControlPlane.GetAPIServer()
	api.Path = c.program("kube-apiserver")
	api.CertDir = filepath.Join(c.dir, "apiserver")
	env.ControlPlane.Etcd = &envtest.Etcd{Path: c.program("etcd"), DataDir: filepath.Join(c.dir, "etcd")}
	env.ControlPlane.KubectlPath = c.program("kubectl")
	for _, dir := range []string{api.CertDir, env.ControlPlane.Etcd.DataDir} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	if c.opts.AuditLog != "" {
		policy := filepath.Join(c.dir, "audit-policy.yaml")
		if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
			return err
		}
		api.Configure().Set("audit-policy-file", policy).Set("audit-log-path", c.opts.AuditLog)
	}
	if c.opts.Authentication != "" {
		api.Configure().Set("authentication-config", c.opts.Authentication)
	}
	c.env = env
	var err error
	if c.admin, err = env.Start(); err != nil {
		return fmt.Errorf("start the control plane: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return WriteKubeconfig(c.kubeconfig(), map[string]*rest.Config{"admin": c.admin})
}

// auditPolicy records the body of every write, except of objects whose purpose is to carry a
// secret.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  verbs: [get, list, watch]
- level: Metadata
  resources:
  - {group: "", resources: [secrets, serviceaccounts/token]}
- level: RequestResponse
`

// Stop ends everything that Start started and deletes the cluster's directory. Programs that
// connect to others end first. It can be called again.
func (c *Cluster) Stop() error {
	var errs []error
	if c.manager != nil {
		errs = append(errs, c.manager.Stop(stopTimeout))
		c.manager = nil
	}
	if c.env != nil {
		errs = append(errs, c.env.Stop())
		c.env = nil
	}
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
}

// Admin returns a client configuration for the cluster admin.
func (c *Cluster) Admin() *rest.Config { return rest.CopyConfig(c.admin) }

func (c *Cluster) program(name string) string { return filepath.Join(c.opts.BinDir, name) }

func (c *Cluster) kubeconfig() string { return filepath.Join(c.dir, "kubeconfig") }

// Kubectl runs kubectl as the cluster admin and returns its output. If it fails, the error has its
// error output.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return c.KubectlWith(ctx, "", args...)
}

// KubectlWith is like Kubectl but passes input to kubectl, such as manifests for `apply -f -`.
func (c *Cluster) KubectlWith(ctx context.Context, input string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.program("kubectl"), append([]string{"--kubeconfig", c.kubeconfig()}, args...)...)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &complaint
	// The discovery cache is only for this cluster and must not stay in the home directory.
	cmd.Env = append(os.Environ(), "KUBECACHEDIR="+filepath.Join(c.dir, "kubectl"))
	if err := cmd.Run(); err != nil {
		if said := strings.TrimSpace(complaint.String()); said != "" {
			return out.String(), fmt.Errorf("kubectl %s: %s", args[0], said)
		}
		return out.String(), fmt.Errorf("kubectl %s: %w", args[0], err)
	}
	return out.String(), nil
}
