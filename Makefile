# Everything a newcomer needs: `make demo`, `make test`. Both build the virtual environment first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

.PHONY: demo test test-quiet lint unit bench-latency bench-csms bench-planner bench-study chaos soak compose-config example-env clean help

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 18

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("optivgi needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev,speed]'
	@touch $(STAMP)

demo: $(STAMP)   ## CSMS, chargers, optimizer and verifier in one process, at 60 times real time
	$(BIN)/optivgi demo

test: $(STAMP) lint unit   ## style, types, walls and every test

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(STAMP)
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-quiet: $(STAMP)      ## sites of real processes, judged to the second: wants the machine to itself
	$(BIN)/pytest -m quiet

bench-latency: $(STAMP)   ## StartTransaction answered -> SetChargingProfile at the charger, services as processes
	$(BIN)/python -m bench.latency

bench-csms: $(STAMP)      ## messages per second through the bundled CSMS
	$(BIN)/python -m bench.csms_throughput

bench-planner: $(STAMP)   ## milliseconds per planning decision, beside the peer's; what the plans are worth
	$(BIN)/python -m bench.planner
	$(BIN)/python -m bench.planner_quality

bench-study: $(STAMP)     ## days of charging replayed per second, by algorithm
	$(BIN)/python -m bench.study

chaos: $(STAMP)           ## break a real site part by part, then every faulty station (50 minutes)
	status=0; $(BIN)/python -m bench.chaos $(CHAOS) || status=1; $(BIN)/python -m bench.chaos --zoo || status=1; exit $$status

soak: $(STAMP)            ## two hours of random faults
	$(BIN)/python -m bench.chaos --only random --minutes 120 $(CHAOS)

compose-config:           ## check docker-compose.yml without an engine
	folder=$$(mktemp -d) && cp docker-compose.yml $$folder && cp example.env $$folder/.env && cd $$folder && \
	POSTGRES_PASSWORD=checked HASURA_ADMIN_SECRET=checked docker-compose config --quiet; status=$$?; rm -r $$folder; exit $$status

example-env: $(STAMP)     ## write example.env from the settings classes
	$(BIN)/optivgi settings --example > example.env

clean:           ## remove what the targets above made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache out curtailment_plot.png
