// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package tokens_test measures how many tokens a portal issues in a second. The portal is
// the real program on one core, with the rights of its service account. It keeps its
// state in a real API server with etcd.
//
// The package owns the figures. In CI it runs for a moment, and asserts only that every
// request succeeds; times depend on the machine. make bench runs it for longer.
package tokens_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
	"github.com/usher-dev/usher/hack/cluster/child"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/issuer/keys"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/test/platform"
)

const (
	// crowd is the number of people, and atOnce how many of them send a request at a time.
	crowd, atOnce = 200, 8
	acme          = "acme"
	// patience limits the start and the end of the portal.
	patience = 30 * time.Second
)

var (
	kube  *platform.Platform
	admin client.Client
	// lasting is how long each measurement takes.
	lasting = 500 * time.Millisecond
)

func TestTokens(t *testing.T) {
	if given := os.Getenv("USHER_TOKENS_TIME"); given != "" {
		var err error
		if lasting, err = time.ParseDuration(given); err != nil {
			t.Fatalf("USHER_TOKENS_TIME must be a duration such as 10s: %v", err)
		}
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "Tokens")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	kube = platform.Start(ctx, false)
	admin = kube.AdminClient
	ring, _, err := keys.Rotate(nil, time.Now(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: acme}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Name: keys.SecretName}, Type: keys.SecretType, Data: ring},
		&accountsv1.Organization{
			ObjectMeta: metav1.ObjectMeta{Name: acme},
			Spec:       accountsv1.OrganizationSpec{Namespace: acme, Roles: []accountsv1.Role{{Name: "developer"}}},
		},
	)
})

func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(admin.Create(ctx, o)).To(Succeed())
	}
}

// member is a person who is signed in to kubectl.
type member struct {
	// from is the address of their computer.
	from            string
	refresh, access string
}

// newMember creates a person who is signed in to kubectl, with a first refresh token.
func newMember(ctx context.Context, i int) *member {
	GinkgoHelper()
	name, uid := fmt.Sprintf("person-%04d", i), string(uuid.NewUUID())
	email := accountsv1.EmailAddress(name + "@example.com")
	a := &accountsv1.Account{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{accountsv1.MembershipsAnnotation: acme + "/" + name}},
		Spec:       accountsv1.AccountSpec{Email: email, InvitationRef: accountsv1.InvitationReference{Namespace: acme, Name: accountsv1.CatalogueName(name), UID: uid}},
	}
	belongs := &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: acme, Name: name},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: acme}, Email: email, Role: "developer",
		},
	}
	create(ctx, a, belongs)
	belongs.Status = accountsv1.MembershipStatus{State: accountsv1.MembershipActive, ObservedGeneration: &belongs.Generation}
	Expect(admin.Status().Update(ctx, belongs)).To(Succeed())
	secret, err := session.NewToken(rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	begun, token, err := session.Client{
		ClientID: issuer.KubectlID, AuthTime: time.Now(), Methods: []string{"pwd"}, Scopes: []string{"openid", "profile", "email", "groups", "offline_access"},
	}.BeginWith(secret, rand.Reader, time.Now())
	Expect(err).NotTo(HaveOccurred())
	credentials := account.Credentials{UID: string(a.UID), FinalInvitation: uid, Clients: []session.Client{begun}}
	kept := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: accountsv1.CredentialsNamespace, Name: account.SecretName(name)}}
	Expect(credentials.WriteTo(kept, a)).To(Succeed())
	create(ctx, kept)
	// Each computer is in a network of its own, because the portal limits each network.
	return &member{from: fmt.Sprintf("10.%d.%d.1", i/256, i%256), refresh: token + "." + name}
}

// startPortal runs a portal on one core until the spec is over, and returns its address.
func startPortal(ctx context.Context) string {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	Expect(cluster.WriteKubeconfig(kubeconfig, map[string]*rest.Config{"usher-portal": kube.RightsOf(ctx, platform.Portal)})).To(Succeed())
	address, err := cluster.FreeAddress(ctx)
	Expect(err).NotTo(HaveOccurred())
	GinkgoT().Setenv("GOMAXPROCS", "1") // of the program; this process has read its own
	process, err := child.Start(filepath.Join(dir, "portal.log"), filepath.Join(platform.Root, "bin", "usher"), "portal",
		"--kubeconfig", kubeconfig, "--context", "usher-portal", "--namespace", cluster.Namespace,
		"--portal-url", "https://accounts.example.com", "--listen", address, "--trusted-proxies", "127.0.0.0/8")
	Expect(err).NotTo(HaveOccurred(), "run make build")
	DeferCleanup(func() error { return process.Stop(patience) })
	url := "http://" + address
	Eventually(http.Get).WithArguments(url+"/healthz").Should(HaveHTTPStatus(http.StatusOK), func() string { return process.Tail(20) })
	return url
}
