# Two commands matter: `make demo` and `make test`. Both set up everything they need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
PROCESSES ?= 2
# Waiting OpenMP threads sleep instead of spinning, and each test process keeps to one core: on a busy
# machine a training test can otherwise stand still for minutes. `.ci/run` calls `make test`.
TEST_ENV := OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST = $(TEST_ENV) $(BIN)/python -m pytest -n $(PROCESSES) --dist loadgroup --no-loadscope-reorder
# Byte code is written when a module is first imported; compiling all of it ahead costs 120 MB and half the time.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt

.PHONY: help demo test quick lint types contracts check clean

help:
	@echo "make demo [ARGS=--no-serve]      set up and run the main job, then serve the page"
	@echo "make test [ARGS='-k midi']       set up and run the tests"
	@echo "make quick                       the tests without those marked slow, browser or torch"
	@echo "make check                       linter, types and import contracts"
	@echo "make lint | types | contracts    one of them"
	@echo "make clean                       remove the virtual environment and what was built"
	@echo "PYTHON=python3.12 VENV=folder    choose the interpreter, and where to install"

# The empty files made, base and dev say which step of the set-up is done.
$(VENV)/made:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "$(PYTHON) is not found: install Python 3.11 or newer, or set PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Troubadour needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Set PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) lacks its venv module. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making a virtual environment in $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# The base install: no torch, no development tools.
$(VENV)/base: $(VENV)/made pyproject.toml constraints.txt
	@echo "Installing Troubadour and what it needs (once; about a minute)" >&2
	@$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/dev: $(VENV)/base
	@echo "Installing what development and training need (once; torch is large)" >&2
	@$(PIP_INSTALL) -e '.[dev,train]'
	@touch $@

demo: $(VENV)/base
	$(BIN)/troubadour demo $(ARGS)

test: $(VENV)/dev
	$(PYTEST) $(ARGS)

# Leaves out training, kills of processes, long imports and the page in a browser; 20 examples a property.
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
