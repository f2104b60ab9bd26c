# Everything a person or CI runs. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
STAMP := .venv/.installed
ARGS ?=
URL ?= http://127.0.0.1:8080

.PHONY: help setup demo test servers check bench chaos influxd screenshot

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## install into .venv (nothing is started)

$(STAMP): pyproject.toml scripts/setup
	@scripts/setup
	@touch $@

demo: $(STAMP) ## everything in one process, http://127.0.0.1:8080 until Ctrl-C (ARGS="--help" names the knobs)
	@$(BIN)/motcua demo $(ARGS)

test: $(STAMP) ## all tests; what cannot be had here is skipped and named (ARGS="-k words")
	@scripts/system-packages
	@$(BIN)/pytest $(ARGS)

servers: $(STAMP) ## a real InfluxDB and mosquitto for the stack `local`, below .local, until Ctrl-C (ARGS="--help")
	@scripts/system-packages
	@scripts/influxd/build
	@$(BIN)/python scripts/servers.py $(ARGS)

check: $(STAMP) ## format, lint, types, layers, core coverage, wheel
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/unit --cov=telemetry/core --cov-branch --cov-report=term-missing --cov-fail-under=100
	scripts/wheel-check

bench: $(STAMP) ## speed and memory of every part, with the machine's description (ARGS="backlog latency")
	@$(BIN)/python -m bench $(ARGS)

chaos: $(STAMP) ## 300 rounds of the fault matrix and the kills in the middle of a replay (ROUNDS=300 SEED=1 FIRST=0)
	@ROUNDS=$${ROUNDS:-300} $(BIN)/pytest -m chaos $(ARGS)

influxd: ## build InfluxDB 2.7 for the tests when none is on PATH (once, cached; needs Go, Rust, clang)
	@scripts/influxd/build

screenshot: $(STAMP) ## take docs/page.png of a running demo (URL=…)
	@scripts/system-packages
	@$(BIN)/python scripts/screenshot.py $(URL) docs/page.png
