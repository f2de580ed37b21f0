# Needs make and a Python of at least 3.11; everything else goes into .venv, once.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SUITABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3 python,\
	$(shell $(p) -c "$(SUITABLE)" >/dev/null 2>&1 && echo $(p))))

FOR ?= 2m
MINUTES ?= 60

.DEFAULT_GOAL := help
.PHONY: help venv demo demo-live test check lint types contracts rigs soak bench scaling lock format docs clean

help:  ## Say what there is to make.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

venv: $(STAMP)  ## Build .venv, test tools included.

$(STAMP): requirements.lock requirements.uv.lock pyproject.toml install.py
	@test -n "$(PYTHON)" || { echo "No Python of at least 3.11 with venv was found; say make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c "$(SUITABLE)" || { echo "$(PYTHON) is older than 3.11, or lacks venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python install.py
	@touch $@

demo: $(STAMP)  ## Make a tape up (seeded: the same for everybody), run the grid on it, and say where the report lies.
	$(BIN)/bmv data synth runs/demo/lake --seed 1 --rows 200000 --overwrite
	$(BIN)/bmv backtest docs/examples/demo.toml --data runs/demo/lake --out runs/demo/run

demo-live: $(STAMP)  ## Trade the grid for two minutes on a chain of one's own: no keys, no coins, no network.
	@$(BIN)/python -m bmv.live.demo --for $(FOR)

test: $(STAMP)  ## Run the tests.
	$(BIN)/python -m pytest -q -n auto --dist loadfile

check: lint types contracts test  ## Everything that must be green.

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

contracts: $(STAMP)
	$(BIN)/lint-imports

rigs: $(STAMP)  ## Kill what writes, fill its disk (as root), fork chains, run markets, at length.
	$(BIN)/python tests/rigs/wholeness.py
	$(BIN)/python -m tests.rigs.forks 10000
	$(BIN)/python -m tests.rigs.policy 100000
	$(BIN)/python -m tests.rigs.fills 200
	$(BIN)/python -m tests.rigs.trading 500 --venue openbook-v1
	$(BIN)/python -m tests.rigs.trading 500 --venue openbook-v2
	$(BIN)/python -m tests.rigs.kills 100 --venue openbook-v1
	$(BIN)/python -m tests.rigs.kills 100 --venue openbook-v2
	$(BIN)/python -m tests.rigs.sessions 60 --venue openbook-v2
	$(BIN)/python -m tests.rigs.sessions 30 --venue openbook-v1
	$(BIN)/python -m tests.rigs.sessions 20 --store postgres
	$(BIN)/python -m tests.rigs.rotation 50 --venue openbook-v1
	$(BIN)/python -m tests.rigs.rotation 50 --venue openbook-v2
	$(BIN)/python -m tests.rigs.rotation 50 --delegate
	$(BIN)/python -m tests.simulation.live run --seeds 0:1000 --jobs 2 --coverage
	$(BIN)/python -m tests.simulation.live determinism --seeds 0:20
	$(BIN)/python -m tests.simulation.live mutants
	for route in rpc jito relay all; do \
		$(BIN)/python -m tests.rigs.trading 300 --venue openbook-v1 --route $$route --version 0 && \
		$(BIN)/python -m tests.rigs.trading 300 --venue openbook-v2 --route $$route --version 0 || exit 1; done
	$(BIN)/python -m tests.rigs.tipping silent
	$(BIN)/python -m tests.rigs.tipping caps
	$(BIN)/python -m tests.rigs.kills 50 --route jito --tips-max 60000 --version 0
	$(BIN)/python -m tests.rigs.soak 60 --free --venue openbook-v1
	$(BIN)/python -m tests.rigs.soak 60 --free --venue openbook-v2

soak: $(STAMP)  ## Trade on paper for MINUTES (60), live on a sandbox for half of that: does anything grow?
	$(BIN)/python -m tests.rigs.endurance paper --minutes $(MINUTES) --speed 20
	$(BIN)/python -m tests.rigs.endurance live --minutes $$(awk 'BEGIN { print $(MINUTES) / 2 }')

bench: $(STAMP)  ## Measure.
	$(BIN)/python -m pytest -q -o addopts="--import-mode=importlib" --benchmark-only tests/benchmarks

scaling: $(STAMP)  ## Draw time over events, orders and inventory anew.
	$(BIN)/python tests/benchmarks/scaling.py

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)  ## Make docs/configuration.md anew from the schema.
	$(BIN)/python -m bmv.adapters.config.reference > docs/configuration.md

SOLVE := $(BIN)/uv pip compile --no-config --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" --upgrade --quiet

# An edited pyproject.toml is no reason to install what the old lock says first: any uv that is there will do.
lock:  ## Solve the dependencies anew, and the uv that installs them.
	@test -x $(BIN)/uv || $(MAKE) venv
	$(SOLVE) --all-extras pyproject.toml -o requirements.lock
	echo uv | $(SOLVE) --only-binary :all: - -o requirements.uv.lock

clean:
	rm -rf $(VENV) runs dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
