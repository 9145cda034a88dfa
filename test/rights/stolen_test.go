// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
	"github.com/usher-dev/usher/test/platform"
)

// attempt is something that an attacker tries with a stolen token.
type attempt struct {
	// verbs are the verbs on the resource that it takes, separated by commas.
	verbs, resource string
	// what says what it does, as a sentence without a period.
	what string
	// gain means that it would give the attacker more than the token has: rights, a
	// spec, or credentials. None may succeed.
	gain bool
	try  func(ctx context.Context) error
}

// line returns the attempt as a line of the list in SECURITY.md.
func (a attempt) line() string {
	resource, name, _ := strings.Cut(a.resource, " ")
	kind, _, _ := strings.Cut(resource, ".")
	right := strings.ReplaceAll(a.verbs, ",", ", ") + " " + kind
	if name != "" && a.verbs != "bind" {
		right += " " + name
	}
	return fmt.Sprintf("- %s (`%s`).", a.what, right)
}

// theft is the theft of one service account's token.
type theft struct {
	serviceAccount, name string
	attempts             func(ctx context.Context, home string) []attempt
}

var thefts = []theft{
	{platform.Controller, "controller", controllerAttempts},
	{platform.Portal, "portal", portalAttempts},
}

// everyUser are the rights of every user that has signed in to the API server.
var everyUser = []string{
	"create selfsubjectaccessreviews.authorization.k8s.io", "create selfsubjectreviews.authentication.k8s.io",
	"create selfsubjectrulesreviews.authorization.k8s.io",
}

var _ = Describe("A stolen token", Ordered, ContinueOnFailure, Label("K6", "K7"), func() {
	var home string
	BeforeAll(func(ctx SpecContext) {
		policiesInForce(ctx)
		home = aHome(ctx)
	})

	for _, t := range thefts {
		It("of the "+t.name+" reaches exactly the verbs and kinds that RBAC lists, in every namespace", func(ctx SpecContext) {
			config := kube.RightsOf(ctx, t.serviceAccount)
			requests := everyRequest(ctx, home)
			Expect(len(requests)).To(BeNumerically(">", 1000))
			var reached []string
			for _, r := range sent(ctx, config, requests) {
				if !slices.Contains(everyUser, r.right()) {
					reached = append(reached, r.right())
				}
			}
			var listed []string
			for right := range rightsByRBAC(ctx, t, home) {
				// A rule with names does not cover a request for another name, and the API
				// server does not serve virtual rights.
				if slices.ContainsFunc(requests, func(r rawRequest) bool { return r.right() == right }) {
					listed = append(listed, right)
				}
			}
			slices.Sort(reached)
			slices.Sort(listed)
			Expect(cmp.Diff(slices.Compact(listed), slices.Compact(reached))).To(BeEmpty(), "-listed +reached")
		})

		It("of the "+t.name+" gains nothing, and SECURITY.md lists what it can still do", func(ctx SpecContext) {
			before := rightsByRBAC(ctx, t, home)
			untried := map[string]bool{}
			for right := range before {
				untried[right] = true
			}
			var works, gains []string
			refused := 0
			for _, a := range t.attempts(ctx, home) {
				for verb := range strings.SplitSeq(a.verbs, ",") {
					delete(untried, verb+" "+a.resource)
				}
				switch err := a.try(ctx); {
				case err == nil && a.gain:
					gains = append(gains, a.what)
				case err == nil:
					works = append(works, a.line())
				case apierrors.IsForbidden(err):
					refused++
				default:
					Fail(fmt.Sprintf("%s: %v", a.what, err))
				}
			}
			Expect(gains).To(BeEmpty(), "gains")
			Expect(untried).To(BeEmpty(), "each right has an attempt")
			Expect(rightsByRBAC(ctx, t, home)).To(Equal(before), "the rights afterwards")
			for _, namespace := range []string{cluster.Namespace, accountsv1.CredentialsNamespace, metav1.NamespaceSystem, "default"} {
				Expect(rightsOf(ctx, as("usher:mallory"), namespace)).To(Equal(rightsOf(ctx, as("usher:nobody"), namespace)), namespace)
			}
			expectListed(t.name, fmt.Sprintf("%d of %d attempts were refused, and none gained anything. These worked:\n\n%s\n",
				refused, refused+len(works), strings.Join(slices.Compact(works), "\n")))
		})
	}
})

// rightsByRBAC returns the rights of a service account in all kinds of namespaces, each
// as "verb resource" or "verb resource name".
func rightsByRBAC(ctx SpecContext, t theft, home string) map[string]bool {
	GinkgoHelper()
	all := map[string]bool{}
	token := kube.Client(kube.RightsOf(ctx, t.serviceAccount))
	for _, namespace := range []string{cluster.Namespace, accountsv1.CredentialsNamespace, home, metav1.NamespaceSystem, "default"} {
		for _, line := range rightsOf(ctx, token, namespace) {
			resource, verbs, _ := strings.Cut(line, ": ")
			for verb := range strings.SplitSeq(verbs, " ") {
				if right := verb + " " + resource; !strings.HasPrefix(resource, "/") && !slices.Contains(everyUser, right) {
					all[right] = true
				}
			}
		}
	}
	return all
}

// rawRequest is a request that is refused by RBAC or else fails later.
type rawRequest struct {
	verb, resource, method, path string
}

func (r rawRequest) right() string { return r.verb + " " + r.resource }

// methods are how each verb is sent. A verb on one object needs a name.
var methods = map[string]struct {
	method, query string
	named         bool
}{
	"get": {http.MethodGet, "", true}, "list": {http.MethodGet, "", false}, "watch": {http.MethodGet, "watch=1&resourceVersion=none", false},
	"create": {http.MethodPost, "dryRun=All", false}, "update": {http.MethodPut, "dryRun=All", true}, "patch": {http.MethodPatch, "dryRun=All", true},
	"delete": {http.MethodDelete, "dryRun=All", true}, "deletecollection": {http.MethodDelete, "dryRun=All", false},
}

// everyRequest returns one request for each verb of each resource and subresource that
// the API server serves, in each kind of namespace.
func everyRequest(ctx context.Context, home string) []rawRequest {
	GinkgoHelper()
	clients, err := discovery.NewDiscoveryClientForConfig(kube.Admin())
	Expect(err).NotTo(HaveOccurred())
	_, lists, err := clients.ServerGroupsAndResourcesWithContext(ctx)
	Expect(err).NotTo(HaveOccurred())
	namespaces := []string{cluster.Namespace, accountsv1.CredentialsNamespace, home, metav1.NamespaceSystem, "default"}
	var all []rawRequest
	for _, list := range lists {
		root, suffix := "/api/"+list.GroupVersion, ""
		if group, _, grouped := strings.Cut(list.GroupVersion, "/"); grouped {
			root, suffix = "/apis/"+list.GroupVersion, "."+group
		}
		for _, resource := range list.APIResources {
			scopes := []string{root}
			if resource.Namespaced {
				scopes = nil
				for _, namespace := range namespaces {
					scopes = append(scopes, root+"/namespaces/"+namespace)
				}
			}
			for _, scope := range scopes {
				all = append(all, requestsIn(scope, suffix, resource)...)
			}
		}
	}
	return all
}

// requestsIn returns one request for each verb of a resource or subresource in a scope.
func requestsIn(scope, suffix string, resource metav1.APIResource) []rawRequest {
	plural, sub, _ := strings.Cut(resource.Name, "/")
	all := make([]rawRequest, len(resource.Verbs))
	for i, verb := range resource.Verbs {
		how := methods[verb]
		path := scope + "/" + plural
		if how.named || sub != "" {
			path += "/any"
		}
		if sub != "" {
			path += "/" + sub
		}
		all[i] = rawRequest{verb, resource.Name + suffix, how.method, path + "?" + how.query}
	}
	return all
}

// sent sends the requests and returns those that RBAC allows.
func sent(ctx context.Context, config *rest.Config, requests []rawRequest) []rawRequest {
	GinkgoHelper()
	api, err := rest.HTTPClientFor(config)
	Expect(err).NotTo(HaveOccurred())
	var mu sync.Mutex
	var reached []rawRequest
	queue, done := make(chan rawRequest), sync.WaitGroup{}
	for range 8 {
		done.Go(func() {
			defer GinkgoRecover()
			for r := range queue {
				body := send(ctx, api, config.Host, r)
				if !strings.Contains(body, " cannot "+r.verb+" resource ") {
					mu.Lock()
					reached = append(reached, r)
					mu.Unlock()
				}
			}
		})
	}
	for _, r := range requests {
		queue <- r
	}
	close(queue)
	done.Wait()
	return reached
}

func send(ctx context.Context, api *http.Client, host string, r rawRequest) string {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, r.method, host+r.path, strings.NewReader("{}"))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/json")
	if r.method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	response, err := api.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	return string(body)
}

// expectListed compares the list with the one in SECURITY.md, or writes it there.
func expectListed(name, list string) {
	GinkgoHelper()
	path := filepath.Join(platform.Root, "SECURITY.md")
	raw, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	begin, end := "<!-- stolen "+name+": written by go test ./test/rights -update -->\n", "<!-- stolen "+name+": end -->\n"
	before, listed, found := strings.Cut(string(raw), begin)
	have, after, ended := strings.Cut(listed, end)
	Expect(found && ended).To(BeTrue(), "SECURITY.md must contain %q and %q", begin, end)
	if *update {
		Expect(os.WriteFile(path, []byte(before+begin+"\n"+list+"\n"+end+after), 0o644)).To(Succeed())
		return
	}
	if diff := cmp.Diff(strings.Split(have, "\n"), strings.Split("\n"+list+"\n", "\n")); diff != "" {
		Fail("SECURITY.md does not list what a stolen token can do (-file +actual);\nif the change is intended, run go test ./test/rights -update:\n" + diff)
	}
}

// readingAll gets, lists and watches a kind, and returns the first error.
func readingAll(c client.WithWatch, list client.ObjectList, o client.Object) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := c.List(ctx, list); err != nil {
			return err
		}
		watch, err := c.Watch(ctx, list)
		if err != nil {
			return err
		}
		watch.Stop()
		if o == nil {
			return nil
		}
		return c.Get(ctx, client.ObjectKeyFromObject(o), o)
	}
}

// readingIn is readingAll within the namespace of the object.
func readingIn(c client.WithWatch, list client.ObjectList, o client.Object) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := c.List(ctx, list, client.InNamespace(o.GetNamespace())); err != nil {
			return err
		}
		watch, err := c.Watch(ctx, list, client.InNamespace(o.GetNamespace()))
		if err != nil {
			return err
		}
		watch.Stop()
		return c.Get(ctx, client.ObjectKeyFromObject(o), o)
	}
}

// readingNamed is readingAll for objects of one name, in a namespace.
func readingNamed(c client.WithWatch, list client.ObjectList, namespace, name string) func(context.Context) error {
	return func(ctx context.Context) error {
		only := []client.ListOption{client.InNamespace(namespace), client.MatchingFields{metav1.ObjectNameField: name}}
		if err := c.List(ctx, list, only...); err != nil {
			return err
		}
		watch, err := c.Watch(ctx, list, only...)
		if err == nil {
			watch.Stop()
		}
		return err
	}
}
