# Each target does all of its own set-up: a fresh machine needs only Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow fuzz chaos chaos-full lint clean

# One stamp per state of pyproject.toml: installing again only when the dependencies may have changed.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[offline-weights,dev]'
	touch $@

demo: $(VENV)/.installed
	PATH="$(CURDIR)/$(BIN):$$PATH" bash examples/quickstart.sh demo

# One worker a core, one thread a worker: threads of several workers would wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

test: $(VENV)/.installed
	$(PYTEST) -n auto -m 'not slow and not chaos'

test-slow: $(VENV)/.installed
	$(PYTEST) -n auto -m slow

# A target for each reader; `make test-slow` tries 60 contents each.
FUZZ_EXAMPLES ?= 2000
fuzz: $(VENV)/.installed
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(PYTEST) -m slow tests/chaos/test_fuzz.py

# What tries to break it, long or short: the table at the end has all of these promises.
CHAOS := $(PYTEST) -m 'chaos or not slow' tests/chaos tests/security

chaos: $(VENV)/.installed
	$(CHAOS)

# Hours: ten times the damaged inputs, the tiles and the predictions, five times the kills.
chaos-full: $(VENV)/.installed
	CHAOS_CASES=20000 CHAOS_KILLS=200 CHAOS_TILES=1000000 CHAOS_PREDICTIONS=10000000 \
		$(CHAOS)

lint: $(VENV)/.installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

clean:
	rm -rf $(VENV) demo
