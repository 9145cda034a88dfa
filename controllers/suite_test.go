// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	netmail "net/mail"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/controllers"
	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/guard"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/notifier"
	"github.com/usher-dev/usher/internal/notifier/chat"
	"github.com/usher-dev/usher/internal/notifier/email"
	"github.com/usher-dev/usher/internal/portal/recorder"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/test/platform"
)

const (
	// usherNamespace is Usher's own namespace.
	usherNamespace = "usher-system"
	// usherUser is the user that the controllers authenticate as.
	usherUser = "system:serviceaccount:" + usherNamespace + ":usher-controller"
	// portalUser is the user that the portal authenticates as.
	portalUser = "system:serviceaccount:" + usherNamespace + ":usher-portal"
	// adminUser is the cluster admin.
	adminUser = "admin"
)

var (
	k8s      client.Client // a cluster admin, without a cache
	usherAPI *rest.Config  // the user of the controllers
	auditLog string
	letters  *inbox.Inbox

	telephones = &phones{}

	now             = &platform.Clock{}
	keys, resetKeys invitation.Keyring
)

func TestControllers(t *testing.T) {
	// A streamed list waits for up to two seconds until its end is marked, and the specs start
	// Usher hundreds of times.
	t.Setenv("KUBE_FEATURE_WatchListClient", "false")
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(10 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "Controllers")
}

var _ = BeforeSuite(func() {
	logf.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(accountsv1.AddToScheme(scheme)).To(Succeed())

	dir := GinkgoT().TempDir()
	auditLog = filepath.Join(dir, "audit.log")
	policy := filepath.Join(dir, "policy.yaml")
	Expect(os.WriteFile(policy, []byte(auditPolicy), 0o600)).To(Succeed())
	tokens := filepath.Join(dir, "tokens.csv")
	Expect(os.WriteFile(tokens, []byte(tokenFile), 0o600)).To(Succeed())

	env := &envtest.Environment{
		Scheme:                scheme,
		CRDDirectoryPaths:     []string{filepath.Join("..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
		BinaryAssetsDirectory: filepath.Join("..", "bin"),
	}
	env.ControlPlane.GetAPIServer().Configure().
		Append("audit-policy-file", policy).
		Append("token-auth-file", tokens).
		Append("audit-log-path", auditLog).
		Append("audit-log-mode", "blocking").
		Disable("audit-log-maxsize")
	admin, err := env.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(env.Stop)

	k8s, err = client.New(withToken(admin, adminUser), client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	own := &corev1.Namespace{}
	own.Name = usherNamespace
	Expect(k8s.Create(context.Background(), own)).To(Succeed())

	install(context.Background(), filepath.Join("..", "config", "rbac"), filepath.Join("..", "config", "policy"))
	installed := time.Now()
	usherAPI = withToken(admin, usherUser)
	usherAPI.QPS = -1

	letters, err = inbox.Start(inbox.Options{Limit: 100_000})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(letters.Close)
	keys, err = invitation.ParseKeyring(map[string][]byte{invitation.FirstKeyName(): make([]byte, invitation.KeySize)})
	Expect(err).NotTo(HaveOccurred())
	resetKeys, err = invitation.ParseKeyring(map[string][]byte{invitation.FirstKeyName(): bytes.Repeat([]byte{1}, invitation.KeySize)})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(startRecorder(withToken(admin, portalUser)))

	stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4)
	DeferCleanup(func() { stopUsher() })
	// Objects written in the second in which the policies come into force count as written
	// before.
	Eventually(func() time.Duration { return time.Since(installed) }).WithTimeout(time.Minute).Should(BeNumerically(">", guard.SettleTime+2*time.Second))
})

// tokenFile lists the users with their tokens, which are their names. An API server only looks
// up a token, but it verifies a client certificate at each request.
const tokenFile = adminUser + "," + adminUser + ",,system:masters\n" +
	usherUser + "," + usherUser + serviceAccountGroups + portalUser + "," + portalUser + serviceAccountGroups

const serviceAccountGroups = `,,"system:serviceaccounts,system:serviceaccounts:` + usherNamespace + `"` + "\n"

// withToken returns a configuration that authenticates as a user of the tokenFile.
func withToken(admin *rest.Config, user string) *rest.Config {
	api := rest.AnonymousClientConfig(admin)
	api.BearerToken = user
	return api
}

// install creates the objects in the manifests of directories, as kustomize would.
func install(ctx context.Context, dirs ...string) {
	GinkgoHelper()
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
		Expect(err).NotTo(HaveOccurred())
		for _, file := range files {
			if filepath.Base(file) == "kustomization.yaml" {
				continue
			}
			raw, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096)
			for {
				var o unstructured.Unstructured
				if err := documents.Decode(&o); errors.Is(err, io.EOF) {
					break
				} else if err == nil && o.Object == nil {
					continue
				}
				Expect(k8s.Create(ctx, &o)).To(Succeed(), file)
			}
		}
	}
}

// stopUsher stops the instance of Usher that all specs share.
var stopUsher func()

// testNotifier returns a Notifier that mails to letters.
func testNotifier() *notifier.Notifier {
	GinkgoHelper()
	server, err := email.ParseURL(letters.SMTPURL())
	Expect(err).NotTo(HaveOccurred())
	portal, err := url.Parse("https://accounts.example.com")
	Expect(err).NotTo(HaveOccurred())
	return &notifier.Notifier{
		Mailer:     email.NewSMTP(email.Config{Server: server}),
		Texter:     telephones,
		Chatter:    chat.New(chat.Config{Allowed: platform.Loopback()}),
		Keys:       func(context.Context) (invitation.Keyring, error) { return keys, nil },
		ResetKeys:  func(context.Context) (invitation.Keyring, error) { return resetKeys, nil },
		From:       netmail.Address{Name: "Usher", Address: "usher@example.com"},
		PortalURL:  portal,
		ClaimOwner: fresh("usher"),
		Deadline:   email.SendDeadline,
	}
}

// auditPolicy makes the API server record Usher's writes, and nothing else.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: None
  verbs: [get, list, watch]
- level: Metadata
  users: ["` + usherUser + `"]
  omitStages: [RequestReceived]
- level: None
`

// startUsher runs all controllers until stop is called.
func startUsher(ctx context.Context, api *rest.Config, post *notifier.Notifier, workers int) (stop func()) {
	GinkgoHelper()
	skipNames := true
	api = rest.CopyConfig(api)
	api.Wrap(written.through)
	mgr, err := ctrl.NewManager(api, ctrl.Options{
		Scheme:     k8s.Scheme(),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Cache:      cache.Options{ByObject: controllers.CachedObjects(usherNamespace)},
		Controller: config.Controller{SkipNameValidation: &skipNames},
	})
	Expect(err).NotTo(HaveOccurred())
	post.Settings, post.Secrets = &notifier.Settings{Reader: mgr.GetClient(), PlatformSender: post.From.String(), Allowed: platform.Loopback()}, mgr.GetClient()
	ctx, cancel := context.WithCancel(ctx)
	Expect(controllers.Setup(ctx, mgr, controllers.Options{
		Clock: now, Namespace: usherNamespace, Workers: workers, Notifier: post,
	})).To(Succeed())
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(ctx) }()
	return func() {
		cancel()
		Expect(<-stopped).To(Succeed())
	}
}

// startRecorder runs the part of the portal that records requests by annotation, until stop is
// called.
func startRecorder(api *rest.Config) (stop func()) {
	GinkgoHelper()
	mgr, err := ctrl.NewManager(api, ctrl.Options{Scheme: k8s.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"}})
	Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.Background())
	Expect(store.SetupIndexes(ctx, mgr.GetFieldIndexer())).To(Succeed())
	requests := &recorder.Recorder{Store: &store.Store{Reader: mgr.GetClient(), Live: mgr.GetAPIReader(), Writer: mgr.GetClient(), Clock: now}}
	Expect(requests.SetupWithManager(mgr)).To(Succeed())
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(ctx) }()
	return func() {
		cancel()
		Expect(<-stopped).To(Succeed())
	}
}

// fresh returns a name that no other spec has.
var fresh = platform.Fresh
