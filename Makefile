# `make run` and `make test` do all the set-up they need on a bare Debian or Ubuntu, and say what they do.

VENV := .venv
BIN := $(VENV)/bin
LOCK := packaging/requirements.lock

.PHONY: help run setup test lint check unit e2e test-kernel bench lock docs clean

help:
	@echo "make run          set up, then open the window (without a display: write greenroom-out.mp4)"
	@echo "make setup        leave $(BIN)/greenroom ready"
	@echo "make test         all checks: lint, types, unit, window and end-to-end tests"
	@echo "make test-kernel  the real V4L2 path in an emulated guest (slow)"
	@echo "make bench        measure this machine"

run: setup
	$(BIN)/greenroom

setup: $(VENV)/.ready
	@echo "Greenroom is ready: $(BIN)/greenroom --help"

$(VENV)/.ready: pyproject.toml $(LOCK) packaging/setup.sh
	bash packaging/setup.sh $(VENV) $(LOCK)
	touch $@

# What the browsers and the desktop of `tests/e2e`, or the emulated machine of `tests/kernel`, need from the system.
$(VENV)/.ready-%: $(VENV)/.ready tests/%/apt-packages.txt
	bash packaging/system.sh $$(grep -v '^#' tests/$*/apt-packages.txt)
	touch $@

test: lint check unit e2e

lint: $(VENV)/.ready
	$(BIN)/ruff check app backends models assets docs tests
	$(BIN)/ruff format --check app backends models assets docs tests

check: $(VENV)/.ready
	$(BIN)/mypy

unit: $(VENV)/.ready
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m "not e2e and not kernel"

e2e: $(VENV)/.ready-e2e
	$(BIN)/python -m pytest tests/e2e

test-kernel: $(VENV)/.ready-kernel
	$(BIN)/python -m pytest tests/kernel

bench: setup
	$(BIN)/greenroom bench

# The lock holds for every platform and Python; it is what `make setup` installs.
lock:
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra test --extra editable --no-emit-index-url \
	    --no-header --output-file $(LOCK) pyproject.toml

docs: setup
	$(BIN)/python -m app.settings_doc > docs/settings.md
	$(BIN)/python docs/make_figures.py

clean:
	rm -rf $(VENV) build dist greenroom-out.mp4
