# make demo, make test: the two commands of the README. Each makes the environment first, once.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then echo $$p; break; fi; done)
LOCKED := .venv/locked-$(shell cksum < requirements.lock | tr ' ' '-')
STAMP := .venv/installed-$(shell cat requirements.lock pyproject.toml | cksum | tr ' ' '-')
BIN := .venv/bin

help:
	@echo 'make demo    a node and a stand-in PACS: films go in, results come back as objects and pictures'
	@echo 'make test    the tests: no peers, no training, under 5 minutes'
	@echo 'make check   formatting, lint, types, import contracts, spelling, licences'
	@echo 'make bench   the benchmarks (CXR_TEST_DATA=DIR adds those on real films)'
	@echo 'make soak    the long tests'
	@echo 'make screenshots  the pictures of the reading station in docs/pictures, taken again'
	@echo 'make lock    compile requirements.lock again (needs uv)'

demo: $(STAMP)
	@$(BIN)/cxr-node demo

test: $(STAMP)
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile

check: $(STAMP)
	@sh .ci/check

bench: $(STAMP)
	@$(BIN)/python -m benchmarks

soak: $(STAMP)
	@$(BIN)/python -m pytest -m soak

screenshots: $(STAMP)
	@$(BIN)/python -m tests.desktop.screenshots

venv: $(STAMP)

$(LOCKED):
	@if [ -z "$(PYTHON)" ]; then \
		echo 'Python 3.11, 3.12 or 3.13 was not found. Install it: apt-get install -y python3 python3-venv'; exit 1; fi
	@if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$(PYTHON) cannot make virtual environments. Install what it lacks: apt-get install -y python3-venv"; exit 1; fi
	@echo 'Installing into .venv, once; this takes a few minutes and 2.7 GB.'
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(STAMP): | $(LOCKED)
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock:
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --all-extras \
		-c constraints.in pyproject.toml -o requirements.lock

.PHONY: help demo test check bench soak screenshots venv lock
