# The few commands of this project; `make` lists them.
# The first Python that is new enough and can make an environment.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2
MINUTES ?= 3

.DEFAULT_GOAL := help
.PHONY: help image test test-long fuzz lint types unit readers bench clean

help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

image: $(VENV)/installed ## Build specs/images/quickstart.yaml to build/quickstart.img and print its tree.
	mkdir -p build
	$(BIN)/ntfsbuild build specs/images/quickstart.yaml -o build/quickstart.img
	$(BIN)/ntfsbuild tree build/quickstart.img

test: lint types readers ## Lint, types and all tests, with the foreign readers.
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

test-long: lint types readers ## The same with every example and every point of interruption.
	NTFSBUILD_TEST_LONG=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

fuzz: $(VENV)/tested ## Feed the readers with changed inputs; MINUTES=60 and FUZZ="plan" for more, or for one.
	$(BIN)/python -m pip install -q -e .[fuzz] || echo "atheris is not to be had: without coverage"
	$(BIN)/python -m tests.fuzz $(MINUTES) $(FUZZ)

lint: $(VENV)/tested ## Lint, and check the formatting.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/tested ## Check the types.
	$(BIN)/mypy

unit: $(VENV)/tested ## Only the quick tests, without the foreign readers.
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --ignore tests/foreign

readers: ## Install the foreign readers through apt, where that is possible.
	tests/tools/install_foreign_readers

bench: $(VENV)/tested ## Measure against the peers and write bench/RESULTS.md; BENCH="--only start" for less.
	$(BIN)/python bench/bench.py $(BENCH)

clean: ## Remove what was built; the environment stays.
	rm -rf build dist

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e .
	touch $@

$(VENV)/tested: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e .[test]
	touch $@ $(VENV)/installed
