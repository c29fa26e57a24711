# Each target sets up all it needs and is quick the second time. PYTHON chooses the interpreter.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
# Tests of the engines wait most of the time, so that more of them than there are cores run side by side.
TEST_WORKERS ?= 4
CALL_ARGS ?= --all-pairs
# Backends whose absence is a failure. Where legacy cannot be built: make conformance CONFORMANCE_REQUIRE=native
CONFORMANCE_REQUIRE ?= native legacy
CONFORMANCE_ARGS ?=
BENCH_ARGS ?=
STEADY_ARGS ?=
MUTANTS_ARGS ?=
ASAN_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
CONFORMANCE_OPTIONS = --workers $(TEST_WORKERS) $(addprefix --require-backend=,$(CONFORMANCE_REQUIRE))

.PHONY: help demo test conformance steady mutants asan bench test-browser test-uhd lint setup clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

demo: setup ## Make real calls between all pairs of backends, measure and record them
	@$(BIN)/shim call $(CALL_ARGS)

test: lint ## Check style, types and layers, then run all tests
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal conformance/suite conformance/meta backends $(PYTEST_ARGS)
	@$(BIN)/python -m pytest conformance/shim_tests benchmarks $(PYTEST_ARGS)

conformance: setup ## Prove that all pairs of backends behave the same: a verdict, and out/conformance/report.html
	@.ci/setup-bench $(VENV)
	@$(BIN)/shim conformance run --html out/conformance $(CONFORMANCE_OPTIONS) $(CONFORMANCE_ARGS)

steady: setup ## Prove that no test is flaky: the suite with three seeds while every core is busy, compared
	@.ci/setup-bench $(VENV)
	@$(BIN)/python -m conformance.steady $(STEADY_ARGS) -- $(CONFORMANCE_OPTIONS) $(CONFORMANCE_ARGS)

mutants: setup ## Prove that the conformance suite can see: wrong backends, each of which some test must catch
	@$(BIN)/python -m conformance.meta --json out/mutants.json $(MUTANTS_ARGS)

asan: setup ## Check the memory of the legacy backend's media: AddressSanitizer under the tests of the components
	@$(BIN)/python backends/legacy/tests/sanitized.py $(ASAN_ARGS)

bench: setup ## Measure the engines against each other: a table, and out/bench.html
	@.ci/setup-bench $(VENV)
	@$(BIN)/shim bench --json out/bench.json --html out/bench.html $(BENCH_ARGS)

test-browser: setup ## Call Chromium from each backend; installs it where that may be done
	@.ci/setup-browser
	@$(BIN)/python -m pytest conformance/browser $(PYTEST_ARGS)

test-uhd: setup ## Call libwebrtc M152 in 4K, both ways, in VP9 and AV1: pictures per second and PSNR
	@.ci/setup-bench $(VENV)
	@$(BIN)/python -m pytest conformance/uhd $(PYTEST_ARGS)

lint: setup ## Check style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

setup: $(VENV)/.installed
	@.ci/setup-legacy $(VENV)
	@.ci/setup-turn $(VENV)
	@.ci/setup-screen $(VENV)

$(VENV)/.created:
	@.ci/setup-venv $(PYTHON) $(VENV)
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.created
	@echo "installing the SDK and its tools into $(VENV)"
	@$(PIP) install --editable '.[dev]'
	@touch $@

clean: ## Remove everything that the other targets made
	@rm -rf $(VENV) build dist out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@rm -rf *.egg-info backends/legacy/*.egg-info backends/legacy/build backends/legacy/libwebrtc/build
	@find shim backends conformance benchmarks \( -name __pycache__ -o -name '*.so' -o -name '_webrtc_legacy*.[co]' \) -prune -exec rm -rf {} +
