# `make demo` and `make test` need nothing but Python 3.12 or newer; `make help` lists the rest.

VENV  ?= .venv
OUT   ?= runs/digits
TESTS ?= -n auto --maxprocesses=4 --dist loadfile --no-loadscope-reorder
BIN   := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast lint format

help:
	@echo "make demo       set up, then run models/digits.py; results in $(OUT)"
	@echo "make test       set up, then run every test"
	@echo "make test-fast  the same without the slow tests"
	@echo "make lint       set up, then ruff check and ruff format --check"
	@echo "make format     let ruff put the code in order"
	@echo "Variables: VENV=$(VENV) OUT=$(OUT)"

setup: $(READY)

# A name on the PATH is no proof (pyenv keeps shims of versions that are switched off): run it and look.
$(READY): pyproject.toml constraints.txt
	@set -e; \
	fits='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))'; \
	if $(BIN)/python -c "$$fits" >/dev/null 2>&1; then \
	  echo "Set-up: bringing $(VENV) up to date ($$($(BIN)/python -V))"; \
	else \
	  found=; \
	  for candidate in python3.14 python3.13 python3.12 python3; do \
	    if $$candidate -c "$$fits" >/dev/null 2>&1; then found=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "Error: none of python3.14, python3.13, python3.12, python3 is a working Python >= 3.12 with venv."; \
	    echo "Install one and try again. Debian or Ubuntu: apt install python3.12 python3.12-venv;"; \
	    echo "macOS: brew install python@3.12; pyenv: pyenv install 3.12; or the installer of python.org."; \
	    exit 1; \
	  fi >&2; \
	  echo "Set-up: creating $(VENV) with $$found ($$($$found -V))"; \
	  $$found -m venv --clear $(VENV); \
	fi; \
	echo "Set-up: installing symdsm and what it needs, as pinned in constraints.txt (some minutes the first time)"; \
	$(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
	  -c constraints.txt -e '.[test]'; \
	touch $(READY); \
	echo "Set-up: done"

# A run that was cut short goes on; one that is finished is shown again.
demo: $(READY)
	$(BIN)/symdsm run models/digits.py --out $(OUT) $(if $(wildcard $(OUT)/run.json),--resume)
	@echo "The results are in $(OUT): open $(OUT)/report.html"

test: $(READY)
	@mkdir -p runs
	$(BIN)/python -m pytest $(TESTS) --durations=15 --junitxml=runs/tests.xml
	@echo "The results are above, and in runs/tests.xml"

test-fast: $(READY)
	@mkdir -p runs
	$(BIN)/python -m pytest $(TESTS) -m "not slow" --durations=15 --junitxml=runs/tests-fast.xml
	@echo "The results are above, and in runs/tests-fast.xml"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
