# Everything a person or CI runs. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
STAMP := .venv/.installed
ARGS ?=
PARALLEL ?= -n 2 --dist loadfile --no-loadscope-reorder
URL ?= http://127.0.0.1:8080

.PHONY: help setup demo test servers quick check docs wheel bench chaos influxd kube openstack screenshot

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## install into .venv (nothing is started)

$(STAMP): pyproject.toml scripts/setup
	@scripts/setup
	@touch $@

demo: $(STAMP) ## everything in one process, http://127.0.0.1:8080 until Ctrl-C (ARGS="--help" lists the options)
	@$(BIN)/motcua demo $(ARGS)

test: $(STAMP) ## all tests; what cannot be had here is skipped and named (ARGS="-k words")
	@scripts/system-packages
	@$(BIN)/pytest $(PARALLEL) $(ARGS)

servers: $(STAMP) ## a real InfluxDB and mosquitto for the stack `local`, below .local, until Ctrl-C (ARGS="--help")
	@scripts/system-packages
	@scripts/influxd/build
	@$(BIN)/python scripts/servers.py $(ARGS)

quick: $(STAMP) ## format, lint, types, layers and the core's tests: the inner loop, 30 seconds
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q $(PARALLEL) -m "not slow" tests/unit/core

# The tests that cover telemetry/core: under coverage all others would only take longer.
CORE_TESTS = tests/unit/core tests/unit/ingest

check: $(STAMP) ## format, lint, types, layers, unit tests with the core's coverage
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q $(PARALLEL) $(CORE_TESTS) --cov=telemetry/core --cov-branch --cov-report=term-missing --cov-fail-under=100
	$(BIN)/pytest -q $(PARALLEL) tests/unit $(CORE_TESTS:%=--ignore=%)

docs: $(STAMP) ## build the documentation into site/; a dead link or anchor is a fault (`make check` does this, too)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html; with search: $(BIN)/mkdocs serve"

wheel: $(STAMP) ## build the wheel and install it with each extra into a clean environment
	scripts/wheel-check

bench: $(STAMP) ## speed and memory of every part, with the machine's description (ARGS="backlog latency")
	@$(BIN)/python -m bench $(ARGS)

chaos: $(STAMP) ## 300 rounds of the fault matrix, kills during a replay, long property tests and fuzzers (ROUNDS=300 SEED=1 FIRST=0)
	@ROUNDS=$${ROUNDS:-300} LONG=1 $(BIN)/pytest -m "chaos or sized" $(ARGS)

influxd: ## build InfluxDB 2.7 for the tests when none is on PATH (once, cached; needs Go, Rust, clang)
	@scripts/influxd/build

kube: ## build a Kubernetes API server for the tests (once, cached; needs Go 1.26)
	@scripts/kube/build

openstack: ## install Keystone and Neutron for tests/openstack (once, cached, in an environment of their own)
	@scripts/openstack/build

screenshot: $(STAMP) ## take the pictures of docs/pictures again, in Chromium
	@scripts/system-packages
	@mkdir -p docs/pictures
	@$(BIN)/pytest -q tests/flow/test_browser.py -k "picture or imported" --pictures docs/pictures
	@$(BIN)/pytest -q tests/flow/test_tour.py --pictures docs/pictures
	@$(BIN)/pytest -q tests/program/test_cloud_reports.py -k picture --pictures docs/pictures
