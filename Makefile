# The two main commands are `make demo` and `make test`. Both install what they need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
PROCESSES ?= 2
# Waiting OpenMP threads sleep instead of spinning, and each test process uses one core. Otherwise a
# training test can stall for minutes under load. `.ci/run` calls `make test`.
TEST_ENV := OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST = $(TEST_ENV) $(BIN)/python -m pytest -n $(PROCESSES) --dist loadgroup --no-loadscope-reorder
# Python compiles a module at its first import; compiling all packages takes 120 MB and half of the time.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt

.PHONY: help demo test quick lint types contracts check clean

help:
	@echo "make demo [ARGS=--no-serve]      install, run the main job, serve the page"
	@echo "make test [ARGS='-k midi']       install, run the tests"
	@echo "make quick                       tests except those marked slow, browser or torch"
	@echo "make check                       linter, types and import contracts"
	@echo "make lint | types | contracts    one of them"
	@echo "make clean                       remove the virtual environment and build files"
	@echo "PYTHON=python3.12 VENV=folder    interpreter and folder of the installation"

# The empty files made, base and dev mark completed steps of the installation.
$(VENV)/made:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "$(PYTHON) was not found: install Python 3.11 or newer, or set PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Troubadour needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Set PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) lacks its venv module. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making a virtual environment in $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# The base install: no torch, no development tools.
$(VENV)/base: $(VENV)/made pyproject.toml constraints.txt
	@echo "Installing Troubadour and its dependencies (once; about a minute)" >&2
	@$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/dev: $(VENV)/base
	@echo "Installing development and training packages (once; torch is large)" >&2
	@$(PIP_INSTALL) -e '.[dev,train]'
	@touch $@

demo: $(VENV)/base
	$(BIN)/troubadour demo $(ARGS)

test: $(VENV)/dev
	$(PYTEST) $(ARGS)

# Excludes training, killed processes, long imports and browser tests; 20 examples per property.
quick: $(VENV)/dev
	$(PYTEST) --hypothesis-profile=developer -m 'not slow and not browser and not torch' $(ARGS)

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev
	$(BIN)/mypy

contracts: $(VENV)/dev
	$(BIN)/lint-imports --no-logo

check: lint types contracts

clean:
	rm -rf $(VENV) build dist out .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
