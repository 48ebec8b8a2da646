# Every target makes the virtual environment that it needs. Needed beforehand: Python 3.11 or
# later, and any GNU make since 3.81.

# Another Python: `make test PYTHON=python3.13` makes the environment anew with that one.
PYTHON ?= python3
# Passed on to pytest by `make test`, to `payfulfill demo` by `make demo`, and to
# `uv pip compile` by `make lock`.
ARGS :=

# The tests share the cores, up to four; each process takes from those that have many left.
# ARGS="-n 0" runs them one after the other.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist worksteal

# Python keeps what it has compiled: every process that the tests start would compile it anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
PIP := -m pip --disable-pip-version-check --quiet
# mypy fails on a folder that isn't there.
TYPED := $(wildcard src tests examples benchmarks)

# Stamps. The packages depend on the Python too, hence its name in theirs.
PACKAGES := .venv/packages-for-$(subst /,_,$(PYTHON))
READY := .venv/ready

# A shell loop that leaves the Python to use in $python. Where `python3` is an old one, a newer
# one often stands beside it; a Python that was asked for by name is never swapped for another.
define find-python
for python in $(PYTHON) $(if $(filter python3,$(PYTHON)),python3.13 python3.12 python3.11) ""; do \
	test -n "$$python" || { \
		echo "payfulfill needs Python 3.11 or later, which '$(PYTHON)' is not:" \
			"name one with 'make PYTHON=/path/to/python3'." >&2; exit 1; }; \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
done
endef

.PHONY: help test lint format demo lock clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(firstword $(MAKEFILE_LIST))

test: lint ## run every check, then the tests (ARGS="-k money" passes arguments to pytest)
	$(BIN)/pytest $(PARALLEL) $(ARGS)

lint: $(READY) ## check style, types and who imports whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports

format: $(READY) ## format the code, and mend what can be mended without a person
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

demo: $(READY) ## open the example shop, with a local stand-in for Stripe (ARGS="--port 9000")
	@# Ctrl-C is how it is meant to end.
	@$(BIN)/payfulfill demo $(ARGS) || test $$? -eq 130

lock: ## pin what pyproject.toml asks for (ARGS=--upgrade: to the newest versions)
	@$(find-python); "$$python" -m venv --clear .venv-lock
	@.venv-lock/bin/python $(PIP) install uv
	@# --universal: one file for every platform, and for every Python from 3.11 on
	@.venv-lock/bin/uv pip compile pyproject.toml --all-extras --group dev \
		--universal --python-version 3.11 --no-python-downloads --generate-hashes \
		--custom-compile-command 'make lock' --quiet --output-file constraints.txt $(ARGS)
	@rm -rf .venv-lock

clean: ## remove whatever these targets made
	rm -rf .venv .venv-lock build dist .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache
	find $(TYPED) -name __pycache__ -prune -exec rm -rf {} +

# Made from nothing, so that no package outlives its line in constraints.txt.
$(PACKAGES): constraints.txt
	@$(find-python); echo "Setting up .venv with $$("$$python" --version) ..."; \
		"$$python" -m venv --clear .venv
	@$(BIN)/python $(PIP) install --require-hashes -r constraints.txt
	@touch $@

$(READY): $(PACKAGES) pyproject.toml
	@$(BIN)/python $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
