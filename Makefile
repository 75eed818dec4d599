# setup, demo, test, lint, docs, bench: each works by itself in a fresh clone. Nothing is needed but Python >= 3.11 and pip.
PYTHON ?= python3
VENV ?= .venv
DEMO ?= demo
# Passed on: make test ARGS="-k writers", make bench ARGS=--quick, make demo ARGS=--no-wait
ARGS ?=

BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test lint style types imports format docs bench lock
.DEFAULT_GOAL := help

help:
	@echo "make setup   virtual environment in $(VENV), pinned versions"
	@echo "make demo    simulate a cloudy sequence and have a server of your own make it cloud-free; swipe the result"
	@echo "make test    the test suite"
	@echo "make lint    ruff, mypy, import contracts, links of the docs"
	@echo "make docs    the documentation as a site, in site/"
	@echo "make bench   measure quality, speed and memory; writes benchmarks/RESULTS.md"

setup: $(READY)

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "decloud needs Python >= 3.11; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try make PYTHON=python3.12" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint requirements.lock torch==2.13.0 --editable '.[dev]'
	@touch $@

demo: setup
	$(BIN)/decloud demo $(DEMO) --dates 20 --size 96 --bands L2A_10 --cloud 0.5 --max-minutes 2 $(ARGS)

test: setup
	$(BIN)/pytest -n auto --dist worksteal $(ARGS)

lint: style types imports docs

style: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: setup
	$(BIN)/python benchmarks/run.py $(ARGS)

# Without torch's local tag (+cpu, +cu130), so that one file serves every build of it.
lock: setup
	{ sed -n '/^#/p' requirements.lock; \
	  $(BIN)/pip freeze --all --exclude pip --exclude-editable | sed '/^torch==/s/+.*//'; } > requirements.lock.new
	mv requirements.lock.new requirements.lock
