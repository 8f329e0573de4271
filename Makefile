# Portico: `make help` lists the targets. Nothing needs to be installed but make and
# Python 3.11 to 3.13 with venv; what is missing is named with the line that installs it.

BIN := .venv/bin
PACKAGES := common audit tenants connectors mcp_endpoint platform/portico
INSTALL := deploy/install.sh $(BIN)
# Test processes: one more than cores, since tests of processes and sockets wait a third of their time.
JOBS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1 )))
PYTEST := $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder
export PYTHONPATH := $(CURDIR):$(CURDIR)/platform

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run reset-access doctor dev test checks suites lint types layers migrations \
	test-sqlite test-postgres format e2e sandbox fuzz bench soak report conformance conformance-serve requirements

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.installed ## Make .venv and install what Portico runs on

setup-dev: .venv/.installed-dev ## The same, and what its tests and linters need

run: .venv/.installed ## Run everything on this machine (HOST=, PORT=, LOG_LEVEL=); Ctrl-C stops it
	@exec $(BIN)/python manage.py quickstart

reset-access: .venv/.installed ## Make a new admin password and new access keys for the quick start
	@$(BIN)/python manage.py quickstart --reset-access

doctor: .venv/.installed ## Check settings, services, keys, files and connections
	@$(BIN)/python manage.py doctor

dev: .venv/.installed-dev ## Like run, with debug pages and a restart when code changes
	@exec env DEBUG=true $(BIN)/python manage.py quickstart --reload

test: .venv/.installed-dev ## Lint, types, layers, and the suite on both databases
	@$(MAKE) --no-print-directory -j2 checks suites

checks: lint types layers migrations ## What needs no test: style, types, layers, migrations

suites: .venv/.installed-dev ## All tests, each on the database that it is about, or on both
	@$(MAKE) --no-print-directory test-postgres
	@$(MAKE) --no-print-directory test-sqlite

lint: .venv/.installed-dev ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.installed-dev ## Check the types
	$(BIN)/mypy $(PACKAGES) bridge/src/portico_stdio

layers: .venv/.installed-dev ## Check which room imports which
	$(BIN)/lint-imports --no-cache

migrations: .venv/.installed-dev ## Check that every model change has its migration
	PORTICO_ENV=test $(BIN)/python manage.py makemigrations --check --dry-run

test-postgres: .venv/.installed-dev ## PostgreSQL's share of the suite (pytest without --share runs all on either)
	PORTICO_TEST_DB=postgres $(PYTEST) --share

test-sqlite: .venv/.installed-dev ## SQLite's share of the suite
	$(PYTEST) --share

format: .venv/.installed-dev ## Format the code and apply safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

e2e: .venv/.installed-dev ## Only the tests that drive a running Portico
	$(BIN)/python -m pytest -q -m e2e

sandbox: .venv/.installed-dev ## Serve doubles of vendors on this machine, for who has no accounts there (PORT=)
	@exec $(BIN)/python -m tests.doubles --port $(or $(PORT),8801)

fuzz: .venv/.installed-dev ## Throw many more random requests at the endpoint than the suite does
	HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -q tests/mcp_endpoint/test_properties.py tests/mcp_endpoint/test_properties_socket.py

bench: .venv/.installed-dev ## Measure against the SDK's bare app; writes var/bench.json
	$(BIN)/python -m benchmarks

soak: .venv/.installed-dev ## Call 20 connections for some minutes, five of them broken; writes var/soak.json
	$(BIN)/python -m benchmarks.soak

report: .venv/.installed-dev ## What connectors cost a model, which operations their tests exercise; writes var/report.json
	$(BIN)/python -m benchmarks.report

conformance: .venv/.installed-dev ## Run the official MCP conformance suite against a server with two workers
	@exec $(BIN)/python -m tests.conformance run

conformance-serve: .venv/.installed-dev ## Serve the suite's fixture tenant (PORT=); its URL is in var/conformance-url
	@exec $(BIN)/python -m tests.conformance serve --port $(or $(PORT),0)

requirements: .venv/.installed-dev ## Compile requirements*.in into pinned, hashed files
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes -q requirements.in -o requirements.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes -q requirements-dev.in -o requirements-dev.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes -q requirements-uv.in -o requirements-uv.txt

.venv/bin/python:
	@python=$$(deploy/find-python.sh) && echo "Making .venv with $$python …" && "$$python" -m venv .venv

.venv/.installed: requirements.txt | .venv/bin/python
	@echo "Installing packages …"
	@$(INSTALL) requirements.txt
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@touch $@

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	@echo "Installing packages for development …"
	@$(INSTALL) requirements-dev.txt
	@touch $@
