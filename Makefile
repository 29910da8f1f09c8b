# Every target sets itself up from python3, make and git alone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
STATE := .kleinbild
# Processes that run the tests: 0 is one after the other, `make test PROCESSES=auto` one process more than there are cores.
PROCESSES ?= 0

# Keeps our Prefect away from the user's own: its home, and its database.
export PREFECT_HOME := $(CURDIR)/$(STATE)/prefect
unexport PREFECT_SERVER_DATABASE_CONNECTION_URL PREFECT_API_DATABASE_CONNECTION_URL

.PHONY: help home demo serve deploy worker test check bench chaos power format lock clean

help: ## show this
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(READY): requirements.lock
	@echo "Setting up $(VENV) (once; about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv --clear $(VENV)
	@# The lock is complete: nothing is left to be resolved.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@touch $@

home: ## make the folder where Prefect keeps its state
	@mkdir -p "$(PREFECT_HOME)"

demo: $(READY) home ## make the demo campaign on the sandbox: no account, no network service
	@$(BIN)/python -m deployments.demo

serve: $(READY) home ## Prefect server with UI, blocks registered, deployments served
	@$(BIN)/python -m deployments.serve

deploy: $(READY) home ## put deployments, schedules and automations onto the Prefect server that PREFECT_API_URL names
	@$(BIN)/python -m deployments.deploy

worker: $(READY) home ## run what is deployed there, on this machine
	@$(BIN)/python -m deployments.worker

test: $(READY) home ## all tests; says what it skips
	@$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile

check: $(READY) ## lint, types, import direction
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY) home ## benchmarks, as ratios to named peers
	@$(BIN)/python -m tests.benchmarks

chaos: $(READY) home ## kill campaigns 200 times, and hold what was paid against what was kept
	@$(BIN)/python -m tests.chaos --kills 200

power: $(READY) ## cut the power of a writing archive 50 times (needs root), and count what is lost
	@$(BIN)/python -m tests.power --cuts 50

format: $(READY) ## format the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

lock: ## renew requirements.lock (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --all-extras --group dev --quiet \
		--custom-compile-command "make lock" pyproject.toml -o requirements.lock

clean: ## remove the environment and everything that the demo made
	rm -rf $(VENV) $(STATE)
