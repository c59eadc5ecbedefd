# Everything a person runs. The same commands run in CI (.ci/run).
SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?= python3
# Torch without CUDA; used if it answers within 5 s, else pip's own configuration. Set it empty to skip.
TORCH_INDEX_URL ?= https://download.pytorch.org/whl/cpu
BIN := .venv/bin
GENERATORS := alerts alertmanager dashboards inference.readme compose.readme

BENCHMARKS := tests/bench/gpu_exporter.py tests/bench/inference_batching.py tests/bench/inference_telemetry.py \
	tests/bench/rules_at_scale.py tests/bench/dashboards.py

.PHONY: help up down status drill test test-compose test-long bench lint generate install install-dev install-bench

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name about; do \
		printf '  make %-12s %s\n' $$name "$$about"; done

up: install ## install if needed, start everything, wait until it is healthy, print URLs
	@$(BIN)/inferwatch up

down: ## stop everything; data and logs stay in .inferwatch
	@[ ! -x $(BIN)/inferwatch ] || $(BIN)/inferwatch down

status: install ## show every part of the running stack
	@$(BIN)/inferwatch status

drill: install ## break the running stack on purpose and judge the page: make drill NAME=engine_dies
	@$(BIN)/inferwatch drill $(if $(NAME),$(NAME),--list)

test: install-dev ## the whole test suite that needs no Docker and no GPU
	@bin=$$($(BIN)/python -m compose.binaries) && INFERWATCH_BIN=$$bin $(BIN)/python -m tests.run $(ARGS)

test-compose: install-dev ## the stack in real containers; stand-ins take the place of images that cannot be pulled
	@$(BIN)/python tests/compose/containers/prepare.py $(BIN)/python -m pytest tests/compose/containers $(ARGS)

test-long: install-dev ## tests that take minutes
	@bin=$$($(BIN)/python -m compose.binaries) && INFERWATCH_BIN=$$bin $(BIN)/python -m pytest -m long $(ARGS)

bench: install-bench ## measure against the budgets; one alone: make bench BENCHMARKS=tests/bench/gpu_exporter.py
	@status=0; for script in $(BENCHMARKS); do \
		echo "== $$script"; $(BIN)/python $$script || status=1; done; exit $$status

lint: install-dev ## style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

generate: install-dev ## rewrite the committed files that are made from code
	@for package in $(GENERATORS); do $(BIN)/python -m $$package || exit 1; done

install:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or newer, with venv" >&2; exit 1; }
	@$(PYTHON) compose/install.py --extras probe inference stack --torch-index '$(TORCH_INDEX_URL)'

install-dev:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or newer, with venv" >&2; exit 1; }
	@$(PYTHON) compose/install.py --extras probe inference stack dev --torch-index '$(TORCH_INDEX_URL)'

install-bench:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or newer, with venv" >&2; exit 1; }
	@$(PYTHON) compose/install.py --extras probe inference stack dev bench --torch-index '$(TORCH_INDEX_URL)'
