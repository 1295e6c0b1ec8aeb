# The same targets on a laptop and in CI. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3.13
BIN := .venv/bin
STAMP := .venv/.installed
# Overrides the shell's value: without bytecode, each of hundreds of processes would compile the project again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup test soak long check format lock schema demo start bench package clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || { \
	  echo "make: Python 3.13 is missing: '$(PYTHON)' does not start one."; \
	  echo "      Install it (https://www.python.org/downloads/, 'pyenv install 3.13' or 'uv python install 3.13'),"; \
	  echo "      or name it: make PYTHON=/path/to/python3.13 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

setup: $(STAMP) ## create .venv from the hashed pins

test: $(STAMP) ## set up, then run all tests
	$(BIN)/python -m pytest -n auto

long: $(STAMP) ## run the tests that are too long for `make test`, such as 500 exports over the whole network
	$(BIN)/python -m pytest -n 0 -m long

soak: $(STAMP) ## RUNS=100 SEED=1: run the app with random faults and kills, and check every run
	@$(BIN)/python -m tests.soak --runs $(or $(RUNS),100) --seed $(or $(SEED),1) --minutes $(or $(MINUTES),45)

check: $(STAMP) ## run ruff, the formatter, mypy --strict, the checks of drift and imports, and those of the templates
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 0 tests/test_project.py
	$(BIN)/python scripts/check_infra.py

format: $(STAMP) ## fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(STAMP) ## compile requirements*.txt from their .in files
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.13 --no-header --upgrade requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.13 --no-header --upgrade requirements-dev.in -o requirements-dev.txt

schema: $(STAMP) ## write the generated files: exports.schema.json, docs/openapi.json, docs/records.md, docs/cli.md, tables of docs/errors.md
	$(BIN)/python -m scripts.make_schema
	$(BIN)/python -m scripts.make_openapi
	$(BIN)/python -m scripts.make_errors_page
	$(BIN)/python -m scripts.make_fault_table
	$(BIN)/python -m scripts.make_records_page
	$(BIN)/python -m scripts.make_cli_page

demo: $(STAMP) ## run an export on local stand-ins; FAULT=reset,path=metric,after=5000 breaks a stream
	@$(BIN)/python -m emulators.demo $(FAULT:%=--fault %)

start: $(STAMP) ## run the app on local stand-ins, with a simulated Functions host; also accepts FAULT, and PORT (0: a free one)
	@$(BIN)/python -m emulators.start $(FAULT:%=--fault %) $(PORT:%=--port %)

bench: $(STAMP) ## compare the whole transfer with rclone and others, into docs/benchmarks.md (needs nginx, rclone, curl)
	$(BIN)/python -m benchmarks.transfer --write

package: $(STAMP) ## build and test the deployable zip
	$(BIN)/python scripts/package.py

clean: ## remove the files that make created
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
