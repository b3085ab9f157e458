# What can be done here, one target a line of `make help`. Everything runs from .venv, which `make setup` keeps fresh.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
REPLICAS ?= 1
CHAOS ?= $(if $(LONG),long,whole)
PACKAGES := chassis order-service payment-service inventory-service saga-orchestrator kafka-init
BIN := .venv/bin
STAMP := .venv/.ready
LOCAL := $(BIN)/python -m local
OWN_PORTS := env -u PORT_OFFSET
TEST_SETTINGS := OPERATOR_TOKEN=test-operator RETRY_DELAYS_SECONDS='{"5s":0.5,"30s":1,"5m":1.5}'
TEST_STACK := $(OWN_PORTS) $(TEST_SETTINGS) $(LOCAL) --instance test run --replicas $(REPLICAS)
GATE_STACK := $(OWN_PORTS) $(LOCAL) --instance gate --measured run
BENCH_STACK := $(OWN_PORTS) $(LOCAL) --instance measured --measured run
CHAOS_STACK := $(OWN_PORTS) $(LOCAL) --instance chaos run --only-infra
CHAOS_LOG := .local/chaos.log

.PHONY: help setup demo up down status logs clean check bench test chaos test-unit test-integration test-e2e audit lock diagram
.PHONY: dlq explain republish test-gate test-variants test-scenarios test-chaos bench-textbook bench-levers bench-gate bench-growth bench-scale bench-docs
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## create .venv and install everything into it

$(STAMP): requirements/dev.txt $(PACKAGES:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "Python 3.11, 3.12 or 3.13 is needed; say which: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing into .venv ..."
	@[ -x $(BIN)/pip ] || $(PYTHON) -m venv .venv \
		|| { echo "Could not create .venv: is there disk space, and Python's venv module (Debian: python3-venv)?"; exit 1; }
	@{ $(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt \
		&& $(BIN)/pip install -q --disable-pip-version-check --no-build-isolation --no-deps $(PACKAGES:%=-e ./%); } \
		|| { echo "Could not install the packages: is the Python package index reachable, and is there disk space?"; exit 1; }
	@touch $@

demo: $(STAMP) ## start the stack, run the three scenarios, show the databases, leave it running
	@$(LOCAL) up --replicas $(REPLICAS)
	@$(LOCAL) demo

up: $(STAMP) ## start the stack without Docker (REPLICAS=2: two of each service)
	@$(LOCAL) up --replicas $(REPLICAS)

down: $(STAMP) ## stop it; what has been stored stays
	@$(LOCAL) down

status: $(STAMP) ## show what runs
	@$(LOCAL) status

logs: $(STAMP) ## show the end of the logs (SERVICE=order-service: of one)
	@$(LOCAL) logs $(SERVICE)

clean: $(STAMP) ## stop everything, remove what the stacks have stored and what the tools have cached
	@for instance in default test measured gate chaos; do $(LOCAL) --instance $$instance clean; done
	@rm -rf .local .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

check: $(STAMP) ## lint, types, imports, Dockerfiles, compose file
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/hadolint $(wildcard */Dockerfile)
	@if docker compose version > /dev/null 2>&1; then docker compose config -q; \
		else echo "docker-compose.yml was not checked: there is no docker compose here"; fi

test: test-unit test-integration test-gate test-variants ## run every test; the stacks that they need are their own
	@$(MAKE) --no-print-directory -j 2 test-scenarios test-chaos

# These two mostly wait, so they do it at the same time.
test-scenarios: $(STAMP)
	@$(TEST_STACK) $(BIN)/pytest tests/ops tests/e2e

test-chaos: $(STAMP)
	@mkdir -p .local && echo 'tests/chaos runs meanwhile and is shown at its end (tail -f $(CHAOS_LOG))'
	@CHAOS=short $(CHAOS_STACK) $(BIN)/pytest tests/chaos > $(CHAOS_LOG) 2>&1 && ended=0 || ended=$$?; cat $(CHAOS_LOG); exit $$ended

chaos: $(STAMP) ## kill, freeze and cut off everything, then audit (LONG=1: longer; CHAOS=short: as `make test` does)
	@rm -f .local/failure-matrix.json
	@CHAOS=$(CHAOS) $(CHAOS_STACK) $(BIN)/pytest -v tests/chaos

test-unit: $(STAMP) ## run the tests that need nothing
	@$(BIN)/pytest -n auto tests/unit

test-integration: $(STAMP) ## run the tests that need Postgres and Kafka, which are started for them
	@$(TEST_STACK) --only-infra $(BIN)/pytest -n 2 tests/integration tests/audit

test-e2e: $(STAMP) ## run the scenarios against the stack that runs (PORT_OFFSET, STACK_KIND=compose: another one)
	@$(BIN)/pytest tests/e2e

test-gate: $(STAMP) ## check by counts, on a fresh stack, that a saga costs no more than it did
	@$(GATE_STACK) $(BIN)/pytest tests/bench

test-variants: $(STAMP) ## check that what the benchmark compares with does what it is said to, each on a fresh stack
	@for variant in textbook floor; do \
		$(OWN_PORTS) $(LOCAL) --instance gate run --only-infra $(BIN)/pytest tests/variants/test_$$variant.py || exit 1; done

audit: $(STAMP) ## check that the four databases agree (ARGS="--json", "--watch 5", "--help")
	@$(BIN)/python -m audit $(ARGS)

diagram: $(STAMP) ## draw README's picture again, from the list of steps
	@$(BIN)/python docs/diagram.py

bench: $(STAMP) ## measure sagas/s, latency and cost per saga on a fresh stack (COMPARE=result.json: beside an older one)
	@$(BENCH_STACK) $(BIN)/python -m bench run --audit --kinds success,mixed --rate 100 \
		$(if $(COMPARE),--against $(COMPARE))

bench-textbook: $(STAMP) ## this system, the textbook variant and the floor in turn, three rounds: medians, ratios, targets
	@$(OWN_PORTS) $(BIN)/python -m bench versus-textbook

bench-levers: $(STAMP) ## this system with one lever after the other taken out, three rounds: what each of them gives
	@$(OWN_PORTS) $(BIN)/python -m bench levers

bench-scale: $(STAMP) ## throughput with 1, 2 and 4 of each service, three rounds
	@$(OWN_PORTS) $(BIN)/python -m bench scale-out

bench-gate: $(STAMP) ## ten runs of what test-gate looks at: how far noise goes
	@$(BENCH_STACK) $(BIN)/python -m bench gate

bench-growth: $(STAMP) ## cost while 1,000 to 1,000,000 sagas are stored; memory over 100,000; recovery of 100,000
	@$(BENCH_STACK) $(BIN)/python -m bench memory
	@$(BENCH_STACK) --only-infra $(BIN)/python -m bench recovery
	@$(BENCH_STACK) $(BIN)/python -m bench growth

bench-docs: $(STAMP) ## put the last results into docs/performance.md and docs/scaling.md
	@$(BIN)/python -m bench docs

explain: $(STAMP) ## tell what became of a checkout, or where it is stuck (ID=saga, order or message id, or an Idempotency-Key)
	@$(BIN)/python -m ops explain $(ARGS) -- "$(ID)"

dlq: $(STAMP) ## look at dead letters, send them again, drop them (ARGS="list", "show PLACE", "redrive --help")
	@$(BIN)/python -m ops dlq $(ARGS)

republish: $(STAMP) ## after Kafka lost its log: send again what was published SINCE=2026-11-23T10:00:00Z (ARGS="--dry-run")
	@$(BIN)/python -m ops republish --since "$(SINCE)" $(ARGS)

lock: $(STAMP) ## pin requirements/*.in again, to the newest that resolve
	@[ -x .venv/uv/bin/uv ] || { $(PYTHON) -m venv .venv/uv && .venv/uv/bin/pip install -q uv; }
	@cd requirements && for name in services dev fallback; do \
		../.venv/uv/bin/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --custom-compile-command "make lock" $$name.in -o $$name.txt; done
