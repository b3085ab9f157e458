# What can be done here, one target a line of `make help`. Everything runs from .venv, which `make setup` keeps fresh.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
REPLICAS ?= 1
PACKAGES := chassis order-service payment-service inventory-service saga-orchestrator kafka-init
BIN := .venv/bin
STAMP := .venv/.ready
LOCAL := $(BIN)/python -m local

.PHONY: help setup lock
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' Makefile

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

lock: $(STAMP) ## pin requirements/*.in again, to the newest that resolve
	@[ -x .venv/uv/bin/uv ] || { $(PYTHON) -m venv .venv/uv && .venv/uv/bin/pip install -q uv; }
	@cd requirements && for name in services dev fallback; do \
		../.venv/uv/bin/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --custom-compile-command "make lock" $$name.in -o $$name.txt; done
