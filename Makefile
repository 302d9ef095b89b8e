# Works with Python 3.11 or newer and make; everything else goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LOCK := requirements/test.txt

# how `make test` may be narrowed: make test TESTS=tests/test_cli.py
TESTS ?=
WORKERS ?= auto
# on two cores the workers' threads of linear algebra would only get in each other's way
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest \
	-n $(WORKERS) --maxprocesses 4 --dist loadscope --no-loadscope-reorder \
	--nbval --nbval-current-env --nbval-cell-timeout=60 --nbval-sanitize-with=notebooks/sanitize.cfg

# hashes, no address of an index, and every Python from 3.11 on
COMPILE := build/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help demo test faults check lint notebooks notebooks-check bench lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## the tutorials in JupyterLab, no account needed (HEADLESS=1: here in the terminal)
	@$(BIN)/alcf-jupyter demo $(if $(HEADLESS),--headless)

test: $(INSTALLED) ## run every test and notebook (TESTS=path narrows it); no Chromium, no browser tests
	@$(PYTEST) $(TESTS)

faults: $(INSTALLED) ## the faults of a column at the size of a release: hours; the figures go into docs/guarantees.md
	@ALCF_JUPYTER_FAULTS=release $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadscope tests/faults
	@$(BIN)/python -m tools.guarantees

check: lint test notebooks-check ## everything a change must pass

lint: $(INSTALLED) ## ruff and mypy
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

notebooks: $(INSTALLED) ## run the tutorials again and store their outputs
	@$(BIN)/python -m tools.notebooks

notebooks-check: $(INSTALLED) ## compare the stored outputs with a fresh run
	@$(BIN)/python -m tools.notebooks --check

bench: $(INSTALLED) ## measure, each figure beside its peer and its limit
	@set -e; for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script; done

lock: ## resolve the dependencies again, for every supported Python
	@$(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	@$(COMPILE) --extra test --no-emit-package alcf-jupyter --output-file $(LOCK) pyproject.toml
	@$(COMPILE) --no-emit-package alcf-jupyter --output-file requirements/openai2.txt \
		pyproject.toml requirements/openai2.in
	@echo pip-audit | $(COMPILE) --output-file requirements/audit.txt -

clean: ## remove the environment and everything built
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installed again only when the lock or the package's own settings change.
$(INSTALLED): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "alcf-jupyter needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) -V 2>/dev/null || echo missing`."; \
		echo "Name a newer one: make $(or $(MAKECMDGOALS),test) PYTHON=python3.12"; exit 2; }
	@echo "Installing into $(VENV): a minute or two, once."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
