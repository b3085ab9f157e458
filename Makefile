# What can be done here, one target a line of `make help`. Everything runs from .venv, which `make setup` keeps fresh.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# A variable that is there but blank is as good as none, here as in the services.
override PYTHON := $(or $(strip $(PYTHON)),python3)
override CHROMIUM := $(or $(strip $(CHROMIUM)),chromium)
override REPLICAS := $(or $(strip $(REPLICAS)),1)
# As it was typed, and by the environment: an Idempotency-Key may hold what make or the shell would run.
override ID := $(value ID)
export ID
override CHAOS := $(or $(strip $(CHAOS)),$(if $(LONG),long,whole))
# What somebody's shell says of other projects: it would send the packages, or look for ours, somewhere else.
unexport PYTHONPATH PYTHONHOME PYTHONSAFEPATH PYTHONOPTIMIZE PYTHONWARNINGS VIRTUAL_ENV
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_DRY_RUN PIP_IGNORE_INSTALLED PIP_NO_BINARY PIP_CONSTRAINT
export PIP_USER := 0
# The same on every machine; in the locale C no Python before 3.13 starts below a folder with an umlaut.
export LC_ALL := C.UTF-8
# A proxy is for the package index: nobody's proxy leads to this machine.
export NO_PROXY := $(or $(NO_PROXY),$(no_proxy)),localhost,127.0.0.1
export no_proxy := $(NO_PROXY)
PACKAGES := chassis order-service payment-service inventory-service saga-orchestrator kafka-init
BIN := .venv/bin
STAMP := .venv/.ready
PY := $(BIN)/python
LOCAL := $(PY) -m local
PYTEST := $(PY) -m pytest
OWN_PORTS := env -u PORT_OFFSET -u STACK_INSTANCE
TEST_SETTINGS := OPERATOR_TOKEN=test-operator RETRY_DELAYS_SECONDS='{"5s":0.5,"30s":1,"5m":1.5}' UNREADABLE_RETRY_SECONDS=1
TEST_STACK := $(OWN_PORTS) $(TEST_SETTINGS) $(LOCAL) --instance test run --replicas $(REPLICAS)
GATE_STACK := $(OWN_PORTS) $(LOCAL) --instance gate --measured run
BENCH_STACK := $(OWN_PORTS) $(LOCAL) --instance measured --measured run
CHAOS_STACK := $(OWN_PORTS) $(LOCAL) --instance chaos run --only-infra
CHAOS_LOG := .local/chaos.log
TALLY := .local/tally

# What .venv installed says where the clone was: one that was moved or copied is installed again.
$(shell [ "$$(cat $(STAMP) 2>&1)" = "$$(pwd -P)" ] || rm -f $(STAMP))

.PHONY: help setup demo up down status logs clean check bench test chaos test-unit test-integration test-e2e audit lock diagram
.PHONY: dlq explain republish test-one-by-one test-gate test-variants test-scenarios test-chaos test-browser bench-textbook bench-levers bench-gate bench-growth bench-scale bench-docs
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## create .venv and install everything into it

$(STAMP): requirements/dev.txt $(PACKAGES:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
		|| { echo "Python 3.11 to 3.14 is needed; say which: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing into .venv ..."
	@$(PY) -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear .venv \
		|| { echo "Could not create .venv: is there disk space, and Python's venv module (Debian: python3-venv)?"; exit 1; }
	@{ $(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt \
		&& $(PY) -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps $(PACKAGES:%=-e ./%); } \
		|| { echo "Could not install the packages, for the reason that pip gives above. Is the index reachable, is there disk space?"; exit 1; }
	@pwd -P > $@

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
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@$(PY) -c 'from importlinter.cli import lint_imports_command as lint; lint()' --no-logo
	@$(BIN)/hadolint $(wildcard */Dockerfile)
	@if docker compose version > /dev/null 2>&1; then docker compose config -q; \
		else echo "docker-compose.yml was not checked: there is no docker compose here"; fi

test: $(STAMP) ## run every test; the stacks that they need are their own
	@$(LOCAL) --instance test needs-kafka
	@mkdir -p .local && rm -f $(TALLY)
	@export TALLY=$(TALLY) PYTEST_ADDOPTS="-p tests.support.tally $${PYTEST_ADDOPTS-}"; \
		$(MAKE) test-one-by-one && $(MAKE) -j 2 test-scenarios test-chaos test-browser && ended=0 || ended=$$?; \
		$(PY) -m tests.support.tally $$SECONDS; exit $$ended

test-one-by-one: test-unit test-integration test-gate test-variants

# These mostly wait, so they do it at the same time.
test-scenarios: $(STAMP)
	@$(TEST_STACK) $(PYTEST) tests/ops tests/e2e

test-chaos: $(STAMP)
	@mkdir -p .local && echo 'tests/chaos runs meanwhile and is shown at its end (tail -f $(CHAOS_LOG))'
	@CHAOS=short $(CHAOS_STACK) $(PYTEST) tests/chaos > $(CHAOS_LOG) 2>&1 && ended=0 || ended=$$?; cat $(CHAOS_LOG); exit $$ended

chaos: $(STAMP) ## kill, freeze and cut off everything, then audit (LONG=1: longer; CHAOS=short: as `make test` does)
	@rm -f .local/failure-matrix.json
	@CHAOS=$(CHAOS) $(CHAOS_STACK) $(PYTEST) -v tests/chaos

test-unit: $(STAMP) ## run the tests that need nothing
	@$(PYTEST) -n auto tests/unit

test-integration: $(STAMP) ## run the tests that need Postgres and Kafka, which are started for them
	@$(TEST_STACK) --only-infra $(PYTEST) -n 2 tests/integration tests/audit

test-browser: $(STAMP) ## check the dashboard's script in a real browser (CHROMIUM=its program), where there is one
	@if command -v $(CHROMIUM) > /dev/null; then CHROMIUM=$(CHROMIUM) $(PYTEST) tests/browser; \
		else echo "tests/browser was not run: there is no $(CHROMIUM) here"; fi

test-e2e: $(STAMP) ## run the scenarios against the stack that runs (PORT_OFFSET, STACK_KIND=compose: another one)
	@$(PYTEST) tests/e2e

test-gate: $(STAMP) ## check by counts, on a fresh stack, that a saga costs no more than it did
	@$(GATE_STACK) $(PYTEST) tests/bench

test-variants: $(STAMP) ## check that what the benchmark compares with does what it is said to, each on a fresh stack
	@for variant in textbook floor; do \
		$(OWN_PORTS) $(LOCAL) --instance gate run --only-infra $(PYTEST) tests/variants/test_$$variant.py || exit 1; done

audit: $(STAMP) ## check that the four databases agree (ARGS="--json", "--watch 5", "--help")
	@$(PY) -m audit $(ARGS)

diagram: $(STAMP) ## draw README's picture again, from the list of steps
	@$(PY) docs/diagram.py

bench: $(STAMP) ## measure sagas/s, latency and cost per saga on a fresh stack (COMPARE=result.json: beside an older one)
	@$(BENCH_STACK) $(PY) -m bench run --audit --kinds success,mixed --rate 100 \
		$(if $(COMPARE),--against $(COMPARE))

bench-textbook: $(STAMP) ## this system, the textbook variant and the floor in turn, three rounds: medians, ratios, targets
	@$(OWN_PORTS) $(PY) -m bench versus-textbook

bench-levers: $(STAMP) ## this system with one lever after the other taken out, three rounds: what each of them gives
	@$(OWN_PORTS) $(PY) -m bench levers

bench-scale: $(STAMP) ## throughput with 1, 2 and 4 of each service, three rounds
	@$(OWN_PORTS) $(PY) -m bench scale-out

bench-gate: $(STAMP) ## ten runs of what test-gate looks at: how far noise goes
	@$(BENCH_STACK) $(PY) -m bench gate

bench-growth: $(STAMP) ## cost while 1,000 to 1,000,000 sagas are stored; memory over 100,000; recovery of 100,000
	@$(BENCH_STACK) $(PY) -m bench memory
	@$(BENCH_STACK) --only-infra $(PY) -m bench recovery
	@$(BENCH_STACK) $(PY) -m bench growth

bench-docs: $(STAMP) ## put the last results into docs/performance.md and docs/scaling.md
	@$(PY) -m bench docs

explain: $(STAMP) ## tell what became of a checkout, or where it is stuck (ID=saga, order or message id, or an Idempotency-Key)
	@$(PY) -m ops explain $(ARGS) -- "$$ID"

dlq: $(STAMP) ## look at dead letters, send them again, drop them (ARGS="list", "show PLACE", "redrive --help")
	@$(PY) -m ops dlq $(ARGS)

republish: $(STAMP) ## after Kafka lost its log: send again what was published SINCE=2026-11-23T10:00:00Z (ARGS="--dry-run")
	@$(PY) -m ops republish --since "$(SINCE)" $(ARGS)

lock: $(STAMP) ## pin requirements/*.in again, to the newest that resolve
	@[ -x .venv/uv/bin/uv ] || { $(PYTHON) -m venv .venv/uv && .venv/uv/bin/pip install -q uv; }
	@cd requirements && for name in services dev fallback; do \
		../.venv/uv/bin/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --custom-compile-command "make lock" $$name.in -o $$name.txt; done
