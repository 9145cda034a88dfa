.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -o pipefail -c

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# One set of flags for all targets. With two, every dependency would be compiled twice.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(filter-out -trimpath,$(GOFLAGS)) -trimpath)

# Every run executes the specs again, because a cached result says nothing about a real
# API server.
GO_TEST := KUBEBUILDER_ASSETS=$(CURDIR)/bin go test -count=1 -timeout=30m

# The number of processes that run the specs of the controllers. Each starts its own
# control plane and needs up to 2 GB of memory.
TEST_PROCS ?= 3

# Garbage collection takes a fifth of an API server's time. So the API servers and the
# suites collect less often, up to a memory limit for each program.
test-controllers test-packages: export GOGC = 400
test-controllers test-packages: export GOMEMLIMIT = 1500MiB

TOOLS := bin/controller-gen bin/crd-ref-docs bin/golangci-lint bin/govulncheck bin/kustomize bin/setup-envtest bin/vale
bin/controller-gen: PACKAGE = sigs.k8s.io/controller-tools/cmd/controller-gen
bin/crd-ref-docs:   PACKAGE = github.com/elastic/crd-ref-docs
bin/golangci-lint:  PACKAGE = sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter
bin/govulncheck:    PACKAGE = golang.org/x/vuln/cmd/govulncheck
bin/kustomize:      PACKAGE = sigs.k8s.io/kustomize/kustomize/v5
bin/setup-envtest:  PACKAGE = sigs.k8s.io/controller-runtime/tools/setup-envtest
bin/vale:           PACKAGE = github.com/vale-cli/vale/v3/cmd/vale
# Its parsers of source files are in C.
bin/vale: export CGO_ENABLED = 1

##@ Development

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/usher and bin/kubectl-usher, the plugin. Both are static.
	go build -ldflags '-s -w -X main.version=$(VERSION)' -o bin/usher .
	go build -ldflags '-s -w -X main.version=$(VERSION)' -o bin/kubectl-usher ./cmd/kubectl-usher

# The page "Connect to the cluster" downloads the plugin by these names. Windows adds .exe.
PLUGINS := $(addprefix bin/plugin/kubectl-usher-,linux-amd64 linux-arm64 darwin-amd64 darwin-arm64 windows-amd64.exe windows-arm64.exe)

.PHONY: plugin $(PLUGINS)
plugin: $(PLUGINS) ## Build bin/plugin/kubectl-usher-<system>-<architecture> for all systems.
$(PLUGINS): bin/plugin/kubectl-usher-%:
	GOOS=$(word 1,$(subst -, ,$(basename $*))) GOARCH=$(word 2,$(subst -, ,$(basename $*))) \
		go build -ldflags '-s -w -X main.version=$(VERSION)' -o $@ ./cmd/kubectl-usher

.PHONY: generate
generate: bin/controller-gen bin/crd-ref-docs ## Generate deep copies, CRDs, parts of the chart, docs/api and docs/features.md.
	mkdir -p config/crd/bases docs/api
	rm -f config/crd/bases/*.yaml
	bin/controller-gen object:headerFile=hack/boilerplate.go.txt crd paths=./api/... output:crd:dir=config/crd/bases
	bin/crd-ref-docs --log-level=ERROR --source-path=api --config=hack/crd-ref-docs.yaml --renderer=markdown --output-path=docs/api/v1alpha1.md
	go run ./hack/chart
	go run ./hack/features -write docs/features.md

.PHONY: format
format: bin/golangci-lint ## Format the Go files.
	bin/golangci-lint fmt

.PHONY: demo
demo: control-plane build ## Run Usher on its own control plane, with people to invite.
	go build -o bin/demo ./hack/demo
	@bin/demo

.PHONY: screenshots
screenshots: control-plane build chromium ## Take the screenshots for the README from a real run.
	USHER_SCREENSHOTS=$(CURDIR)/docs/images $(GO_TEST) ./test/e2e -ginkgo.label-filter=screenshots

.PHONY: clean
clean: ## Delete bin/: build output, tools and control plane.
	rm -rf bin

##@ Checks

.PHONY: test
test: control-plane build bin/chart-helm bin/govulncheck bin/vale ## Run all specs except the end-to-end specs and the specs against servers.
	@$(MAKE) --no-print-directory test-packages
	@$(MAKE) --no-print-directory test-controllers

# The specs of the controllers take the longest, and mostly wait. Ginkgo runs them in
# several processes, each with its own control plane. They run after the other
# packages, because some of those measure times.
.PHONY: test-controllers
test-controllers:
	KUBEBUILDER_ASSETS=$(CURDIR)/bin go run github.com/onsi/ginkgo/v2/ginkgo run --procs=$(TEST_PROCS) --timeout=30m ./controllers

.PHONY: test-packages
test-packages:
	$(GO_TEST) $$(go list ./... | grep -v -e '/test/e2e' -e '/test/servers' -e '/controllers$$')

.PHONY: servers
servers: postfix kannel ## Run the specs against real servers, Postfix and Kannel. Requires root.
	$(GO_TEST) ./test/servers/...

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (default: 30s).
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r package; do \
		for target in $$(grep -rhoE --include='*_test.go' '^func Fuzz\w+' $$package | cut -d' ' -f2); do \
			go test $$package -run '^$$' -fuzz "^$$target\$$" -fuzztime $${FUZZTIME:-30s} || exit 1; done; done

.PHONY: bench-pace
bench-pace: control-plane ## Measure how fast Usher applies access for MEMBERS people (default: 1000).
	USHER_PACE_MEMBERS=$${MEMBERS:-1000} $(GO_TEST) ./test/pace -v -ginkgo.v -ginkgo.no-color

.PHONY: bench
bench: control-plane build ## Measure how many tokens a portal issues on one core.
	USHER_TOKENS_TIME=$${TIME:-10s} $(GO_TEST) ./test/tokens -v -ginkgo.v -ginkgo.no-color

.PHONY: e2e
e2e: control-plane build chromium ## Run the end-to-end specs: browser, kubectl, SMTP.
	$(GO_TEST) ./test/e2e/...

.PHONY: features
features: control-plane build bin/chart-helm chromium postfix kannel ## Run all specs and report for each feature whether it works.
	@KUBEBUILDER_ASSETS=$(CURDIR)/bin go run ./hack/features -report bin/features.md

.PHONY: lint
lint: bin/golangci-lint bin/chart-helm ## Lint the Go files, the API and the chart.
	bin/golangci-lint run
	bin/golangci-lint run --config .golangci-kal.yml ./api/...
	cd hack/chart-helm && ../../bin/golangci-lint run
	bin/chart-helm lint -namespace usher-system -values charts/usher/ci/values.yaml charts/usher

.PHONY: prose
prose: bin/vale ## Check the English of docs, comments and messages: docs/adr/0024-prose-is-linted.md.
	hack/prose/check.sh

.PHONY: vulncheck
vulncheck: bin/govulncheck ## Check Usher for known vulnerabilities, if vuln.go.dev can be reached.
	go run ./hack/vulnerabilities

.PHONY: verify
verify: control-plane build bin/controller-gen bin/crd-ref-docs bin/kustomize prose vulncheck ## Check generated files, modules, manifests, the image and known vulnerabilities.
	hack/verify.sh
	hack/image-check.sh
	$(GO_TEST) ./api/... -run TestSamples

##@ Parts

.PHONY: control-plane
control-plane: bin/setup-envtest ## Install the control plane for the tests and the demo in bin/.
	@hack/control-plane/install.sh

.PHONY: image
image: ## Build the image. Requires a Docker engine.
	docker build --build-arg VERSION=$(VERSION) --tag usher:$(VERSION) .

$(TOOLS): hack/tools/go.mod hack/tools/go.sum
	cd hack/tools && go build -ldflags '-s -w' -o ../../$@ $(PACKAGE)

bin/chart-helm: $(wildcard hack/chart-helm/*)
	cd hack/chart-helm && go build -ldflags '-s -w' -o ../../$@ .

.PHONY: postfix
postfix:
	@command -v postfix >/dev/null || { echo 'These specs need a mail server: install Postfix (Debian package: postfix)' >&2; exit 1; }

.PHONY: kannel
kannel:
	@command -v bearerbox >/dev/null && test -x /usr/lib/kannel/test/fakesmsc || \
		{ echo 'These specs need an SMS gateway: install Kannel (Debian packages: kannel, kannel-extras)' >&2; exit 1; }

.PHONY: chromium
chromium:
	@command -v chromium chromium-browser google-chrome headless-shell >/dev/null || \
		{ echo 'These specs need a browser: install Chromium (Debian package: chromium)' >&2; exit 1; }
