# Every target sets up what it needs and can be run again at any time. Python >= 3.11 and make are all that is asked for.
PYTHON ?= python3
BIN := .venv/bin
WORKERS := 2
COVERAGE := --cov --cov-report=html:build/coverage --cov-report=term:skip-covered
SOURCES := stowplan webhook extender recommender simulator sandbox demo perf tools tests
CLUSTER ?= sandbox
export KIND_CLUSTER KIND_NODE_IMAGE KIND_BASE_IMAGE KIND_BUILD_ARGS KIND_CONFIG KIND_KEEP

.DEFAULT_GOAL := help
.PHONY: help environment demo test check static lint types contracts integration test-kind perf perf-short manifests lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

environment:
	@$(PYTHON) tools/environment.py

demo: environment ## the main job: a real trace on a real control plane, with and without stowplan
	@$(BIN)/stowplan demo --cluster $(CLUSTER) $(DEMO)

test: environment ## everything CI runs: the checks, every law at length, the tests on a real control plane, the gates of perf
	@$(MAKE) --no-print-directory -j2 --output-sync=target static
	@$(BIN)/python -m pytest -q -n $(WORKERS) -m "not integration and not kind" $(COVERAGE)
	@$(MAKE) --no-print-directory integration
	@$(MAKE) --no-print-directory perf-short

check: environment ## the fast loop, under a minute: lint, types, import contracts, unit tests, coverage
	@$(MAKE) --no-print-directory -j2 --output-sync=target static
	@HYPOTHESIS_PROFILE=quick $(BIN)/python -m pytest -q -n $(WORKERS) -m "not integration and not slow and not kind" $(COVERAGE)

static: lint types contracts

lint: environment
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check --quiet $(SOURCES)

types: environment
	@$(BIN)/mypy --no-error-summary

contracts: environment
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/stowplan manifests --check

integration: environment ## tests on a real control plane (built once, then cached)
	@$(BIN)/stowplan sandbox build
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile -m integration

test-kind: environment ## a small end-to-end test in a real kind cluster (needs docker and kind; see docs/kind.md)
	@$(BIN)/python -m pytest -q -m kind tests/kind

perf: environment ## measure everything against its baselines and judge the gates; results and report in build/perf
	@$(BIN)/python -m perf --cluster $(CLUSTER) --output build/perf$(if $(filter-out sandbox,$(CLUSTER)),/$(CLUSTER)) $(PERF)

perf-short: environment ## the same in small, under ten minutes: what CI judges
	@$(BIN)/python -m perf --short --cluster $(CLUSTER) --output build/perf/short$(if $(filter-out sandbox,$(CLUSTER)),-$(CLUSTER)) $(PERF)

manifests: environment ## write the generated manifests
	@$(BIN)/stowplan manifests

lock: environment ## renew both locks from pyproject.toml (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra dev pyproject.toml -o requirements.lock
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header -c requirements.lock pyproject.toml -o requirements-runtime.lock

clean: ## remove what the targets made (the sandbox's binaries stay in the cache)
	@rm -rf .venv .venv.lock build .mypy_cache .ruff_cache .pytest_cache .hypothesis
