# Everything a developer does. PORT=, DATA_DIR= and ARGS= are handed on.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
IN := .venv/bin/python
EMBEDDED := $(IN) -m walletplatform.embedded
# pip says much; this shows how far it is, and what goes wrong.
INSTALL := $(IN) -m pip install --disable-pip-version-check --progress-bar off -r
PROGRESS := 2>&1 | awk '/^ *Collecting/ && ++n % 20 == 0 { print "  " n " packages found"; fflush() } \
	/^Installing collected/ { print "  installing " NF - 3 " packages"; fflush() } /ERROR|error:/'
SHELL := bash
.SHELLFLAGS := -o pipefail -c
export PORT DATA_DIR OUT KAFKA

.DEFAULT_GOAL := help
.PHONY: help run test screenshots bench prove prove-break mutate up down lint check clean

help: ## show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

run: .venv/runtime ## set up and serve: console, API, events, jobs (PORT=8000 DATA_DIR=var KAFKA=1)
	@exec $(EMBEDDED) run

test: .venv/development ## run the tests on services of their own (ARGS="-k name")
	@exec $(EMBEDDED) test $(ARGS)

screenshots: .venv/development ## every page of the console as a picture, two widths, light and dark: build/screenshots
	@$(EMBEDDED) test -q -s -n 0 -p no:randomly tests/browser/screenshots.py

bench: .venv/runtime ## measure limits, engine and API; table and build/bench.json (OUT=file)
	@exec $(EMBEDDED) bench $(ARGS)

prove: .venv/development ## try the promises by count and seed, with faults: docs/proof.md (ARGS=--short)
	@$(IN) -W ignore -m tests.model $(ARGS)

prove-break: .venv/development ## plant bugs in a copy: each must turn the tests red: docs/proof-break.md (ARGS=name)
	@$(IN) -W ignore -m tests.model.breaks_run $(ARGS)

mutate: .venv/mutation ## change the code of decisions and keys in every small way: the tests must notice
	@rm -rf mutants
	@$(IN) -W ignore -m mutmut run --max-children 2 | tr '\r' '\n' | tail -n 2
	@$(IN) -W ignore -m mutmut results

up: .venv/runtime ## start only PostgreSQL and Valkey
	@$(EMBEDDED) up

down: .venv/runtime ## stop them
	@$(EMBEDDED) down

lint: .venv/development ## format, ruff, mypy, import contracts, migrations
	@$(IN) -m ruff format --check .
	@$(IN) -m ruff check .
	@$(IN) -m mypy
	@$(IN) -c "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports())"
	@$(IN) -W ignore manage.py makemigrations --check --dry-run
	@$(IN) .ci/lint-migrations

check: lint test ## what CI runs

clean: ## remove the virtual environment, data and builds
	@for folder in var var/*; do \
		if [ -e $$folder/env ] && [ -x $(IN) ]; then DATA_DIR=$$folder $(EMBEDDED) down || exit 1; fi; done
	rm -rf .venv var build mutants

.venv/runtime: requirements.txt
	@echo "Installing the platform's packages into .venv (about a minute the first time)"
	@"$(PYTHON)" -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed.")'
	@$(IN) -m pip --version > /dev/null 2>&1 || "$(PYTHON)" -m venv .venv
	@$(INSTALL) requirements.txt $(PROGRESS)
	@touch $@

.venv/mutation: requirements-mutation.txt .venv/development
	@$(INSTALL) requirements-mutation.txt $(PROGRESS)
	@touch $@

.venv/development: requirements-dev.txt .venv/runtime
	@echo "Installing the development tools into .venv (about a minute the first time)"
	@$(INSTALL) requirements-dev.txt $(PROGRESS)
	@touch $@
