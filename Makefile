PYTHON ?= python3
BIN := .venv/bin
# How many tests run side by side: a number, or as many as there are cores. Never more than four.
WORKERS ?= logical
PACKAGES := adapters audit consent exchange policies

.PHONY: install test cases fuzz demo lock format bench bench-security

install: .venv/installed

.venv/installed: requirements/runtime.txt requirements/postgres.txt requirements/pkcs11.txt requirements/pdf.txt requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/runtime.txt -r requirements/postgres.txt -r requirements/pkcs11.txt -r requirements/pdf.txt -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

test: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml $(PACKAGES)
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses $(WORKERS) --maxprocesses 4 --dist worksteal

cases: install
	$(BIN)/python -m tests.cases.report $(ARGS)

fuzz: install
	OVERDRACHT_FUZZ_EXAMPLES=$(or $(EXAMPLES),100) $(BIN)/pytest -q tests/exchange/api/test_fuzz.py

demo: install
	$(BIN)/overdracht demo $(ARGS)

bench: install
	$(BIN)/overdracht bench $(ARGS)

bench-security: install
	$(BIN)/python -m tests.bench.timing $(ARGS)

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: install
	cd requirements && for each in runtime postgres pkcs11 pdf dev; do \
	  ../$(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-trusted-host \
	    --no-emit-find-links --no-header --strip-extras --output-file $$each.txt $$each.in; done
