# Everything lands in dist/. Tools are modules of their own under tools/, so that
# what they need never enters the build of a user of the receiver.

TOOLS := dist/tools
GOTESTSUM := $(CURDIR)/$(TOOLS)/gotestsum
GOLANGCI_LINT := $(CURDIR)/$(TOOLS)/golangci-lint

# What `go generate` makes, all of it committed.
GENERATED := '*_bpfel.go' '*.pb.go' '*_bpfel.o' '*/generated_*.go' '*/config.schema.json' '*/documentation.md' README.md

# Loading BPF programs and attaching probes needs root. Root builds in its own
# caches, so that nothing in those of the user comes to belong to root.
ifneq ($(shell id -u),0)
AS_ROOT := sudo -H --preserve-env=GOFLAGS,GOPROXY,GOSUMDB,GOTOOLCHAIN env "PATH=$$PATH"
SAY_WHY := echo "Loading BPF programs and attaching probes needs root: sudo asks for it."
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help
help: ## Say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: $(TOOLS)/builder ## The collector with the receiver: dist/otelcol-spanprobe
	$(TOOLS)/builder --config builder-config.yaml
	mv dist/build/otelcol-spanprobe dist/otelcol-spanprobe

.PHONY: cli
cli: ## The inspection command: dist/spanprobe
	go build -trimpath -o dist/spanprobe ./cmd/spanprobe

# What runs Jaeger's image, which has the web page that its module lacks; ENGINE= is for the module.
ENGINE ?= $(shell for e in docker podman; do $$e info >/dev/null 2>&1 && echo $$e && break; done)

.PHONY: demo
demo: build cli dist/shop ## A shop of five small services, traced, with Jaeger beside it
	@[ "$$(uname)" = Linux ] || { echo "spanprobe traces programs on Linux alone." >&2; exit 1; }
	cd testbed && go build -o ../dist/demo ./demo
	@$(SAY_WHY)
	@engine="$(ENGINE)"; [ -n "$$engine" ] || $(MAKE) dist/jaeger && \
	exec $(AS_ROOT) dist/demo -engine="$$engine" $(DEMO)

.PHONY: dist/shop
dist/shop:
	@mkdir -p $@
	cd testbed && CGO_ENABLED=0 go build -trimpath -o ../$@/ ./demo/shop/...

# Five minutes the first time.
dist/jaeger: testbed/jaeger/go.mod testbed/jaeger/go.sum
	CGO_ENABLED=0 go build -C testbed/jaeger -trimpath -o $(CURDIR)/$@ github.com/jaegertracing/jaeger/cmd/jaeger

.PHONY: test
test: test-unit test-privileged ## All tests; root is asked for where probes are attached
	@$(GOTESTSUM) --raw-command --format=pkgname --hide-summary=output --format-hide-empty-pkg -- sh -c 'cat dist/test/*.json'

.PHONY: test-unit
test-unit: $(TOOLS)/gotestsum ## Tests that need no privileges, with the race detector
	@rm -rf dist/test && mkdir -p dist/test
	$(GOTESTSUM) --format=pkgname --format-hide-empty-pkg --jsonfile=dist/test/unit.json -- -race -timeout=25m ./...

.PHONY: test-privileged
test-privileged: $(TOOLS)/gotestsum build ## Tests that trace real processes, as root
	@mkdir -p dist/test
	@$(SAY_WHY)
	$(if $(AS_ROOT),$(AS_ROOT) $(GOTESTSUM) --format=pkgname --jsonfile=dist/test/root.json -- ./internal/discover ./receiver/...)
	cd testbed && $(AS_ROOT) $(GOTESTSUM) --format=testname --jsonfile=$(CURDIR)/dist/test/privileged.json -- -timeout=25m -p=1 ./...

# The suites with tests that only the matrix has.
MATRIX_SUITES = $(shell cd testbed && grep -rlE '^//go:build (.* )?matrix$$' suites | xargs -n1 dirname | sort -u | sed 's|^|./|')

.PHONY: test-matrix
test-matrix: $(TOOLS)/gotestsum build ## Spans compared over every version and form of build, and of programs of others
	@$(SAY_WHY)
	cd testbed && $(AS_ROOT) $(GOTESTSUM) --format=testname --jsonfile=$(CURDIR)/dist/matrix.json -- -tags=matrix -timeout=150m -p=1 $(MATRIX_SUITES)

# What test-matrix has left; of a run in parts, all files, the last one last.
RESULTS = dist/matrix.json

.PHONY: support
support: ## docs/support.md, from what the last test-matrix has shown
	cd testbed && go run ./support -o ../docs/support.md $(abspath $(RESULTS))

# Every fuzz target, as folder:target, and how long each is run: an hour for all of them.
FUZZ_TARGETS = $(shell grep -rHo '^func Fuzz[A-Za-z]*' --include='*_test.go' bpf internal | sed 's|/[^/]*:func |:|' | sort)
FUZZTIME ?= $(shell expr 3600 / $(words $(FUZZ_TARGETS)))s

.PHONY: fuzz
fuzz: ## An hour of fuzzing, until something is found; FUZZTIME=10s is for each target
	@set -e; for target in $(FUZZ_TARGETS); do \
		echo "$$target"; \
		go test -run='^$$' -fuzz="^$${target#*:}\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=100x "./$${target%:*}"; \
	done

.PHONY: test-vm
test-vm: ## Tests under other kernels, in virtual machines
	cd testbed && go test -tags=vm -count=1 -timeout=4h -v -run=TestKernels ./suites/vm

.PHONY: soak
soak: ## Programs that come and go for an hour, and an account of every call
	@$(SAY_WHY)
	cd testbed && $(AS_ROOT) go test -count=1 -timeout=90m -v ./suites/soak -duration=60m

.PHONY: purity
purity: ## 100,000 requests through six services, each of which must be one trace
	@$(SAY_WHY)
	cd testbed && $(AS_ROOT) go test -count=1 -timeout=90m -v ./suites/chain -requests=100000

.PHONY: bench
bench: build ## What tracing costs, against instrumentation by hand
	@$(SAY_WHY)
	cd testbed && $(AS_ROOT) go run ./bench

.PHONY: generate
generate: ## BPF objects, and the code that mdatagen and protoc make
	tools/clang.sh
	go generate ./bpf/... ./internal/wire ./receiver/...
	cd testbed && go generate ./demo/shop/...

.PHONY: offsets
offsets: ## The offset tables, from the sources of every release, checked with compilers
	go generate ./offsets/...

.PHONY: check-generated
check-generated: generate ## Fail when generated files differ from the committed ones
	git diff --exit-code --stat -- $(GENERATED)
	@new=$$(git ls-files --others --exclude-standard -- $(GENERATED)); \
	if [ -n "$$new" ]; then echo "not committed: $$new"; exit 1; fi

.PHONY: format
format: ## Format the C sources
	tools/clang-format.sh

.PHONY: check-format
check-format: ## Fail when a C source is not formatted
	tools/clang-format.sh --check

.PHONY: lint
lint: check-format $(TOOLS)/golangci-lint ## Static checks, as they are on Linux and on Windows
	$(GOLANGCI_LINT) run ./...
	cd testbed && $(GOLANGCI_LINT) run ./...
	GOOS=windows $(GOLANGCI_LINT) run ./receiver/...

.PHONY: clean
clean: ## Remove dist/
	rm -rf dist

$(TOOLS)/%: tools/%/go.mod tools/%/go.sum
	go build -C tools/$* -trimpath -o $(CURDIR)/$@ tool
