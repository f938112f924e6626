# The front door: `make help`.

BIN := .local/venvs/airflow/bin
NOTHING := echo "Nothing is installed, so nothing runs: 'make up' installs and starts all."
LOCK := .local/bootstrap/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url $(if $(UPGRADE),--upgrade)

# Tests that run side by side; each worker starts servers of its own, up to 3 GB of memory.
WORKERS ?= 2

MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help install tools up down status logs demo demo-faiss demo-images test lint unit dags integration docs bench clean lock

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

install: ## install what the command line and Airflow need (up to 1.5 GB, once)
	@PYTHON="$(PYTHON)" sh requirements/bootstrap.sh
	@.local/bootstrap/bin/python -m include.local_stack.environments airflow

up: install ## start Triton, Elasticsearch, MariaDB, Redis and Airflow, and wait until all are ready
	@$(BIN)/embsearch stack up

down: ## stop them all; no process is left, all data stay
	@if [ -x $(BIN)/embsearch ]; then $(BIN)/embsearch stack down; else $(NOTHING); fi

status: ## show each service, where it is, and how to log in; fails unless all are ready
	@[ -x $(BIN)/embsearch ] || { $(NOTHING); exit 1; }
	@$(BIN)/embsearch stack status

logs: ## follow the logs until Ctrl-C; of one service: make logs SERVICE=triton
	@[ -x $(BIN)/embsearch ] || { $(NOTHING); exit 1; }
	@$(BIN)/embsearch stack logs $(SERVICE)

demo: install ## from nothing to linked products: install, start, export, deploy, index, link, show
	@$(BIN)/embsearch demo

demo-faiss: install ## seven FAISS indexes over MySQL: train, build, three days, a deletion, a roll back, playlists
	@$(BIN)/embsearch demo-faiss

demo-images: install ## find images that look alike: draw some, index them, show a query and its five neighbours
	@$(BIN)/embsearch demo-images

test: lint unit dags integration ## check everything, on the real servers

tools: install ## install what tests and linters need besides
	@.local/bootstrap/bin/python -m include.local_stack.environments airflow --dev

lint: tools ## check style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy include plugins
	@PYTHONPATH=.:plugins $(BIN)/lint-imports

unit: tools ## run the tests that need no server
	@$(BIN)/python -m pytest tests/unit

dags: tools ## check the DAGs
	@$(BIN)/python -m pytest tests/dags

integration: tools ## run the tests on real servers, which they start on free ports
	@$(BIN)/python -m pytest tests/integration -n $(WORKERS) --dist loadfile --durations=30

docs: tools ## write docs/dags.md anew from the DAGs
	@AIRFLOW_HOME=$(CURDIR)/.local/airflow-docs PYTHONPATH=.:plugins $(BIN)/python -m search_ops.dag_docs

bench: install ## measure each stage beside its baseline
	@$(BIN)/embsearch bench all

clean: ## stop all, remove .local with all data of the stack (asks first; FORCE=1 does not)
	@if [ "$(FORCE)" != 1 ]; then \
	    printf 'Remove .local: environments, indexes, generations, Airflow? [y/N] '; \
	    read answer && [ "$$answer" = y ] || { echo 'Nothing removed.'; exit 1; }; \
	fi
	@$(MAKE) down
	@[ ! -x $(BIN)/embsearch ] || $(BIN)/embsearch stack clean
	@rm -rf .local

lock: ## lock requirements/*.in anew; UPGRADE=1 takes the newest versions
	@PYTHON="$(PYTHON)" sh requirements/bootstrap.sh
	@$(LOCK) requirements/bootstrap.in -o requirements/bootstrap.txt
	@$(LOCK) requirements/airflow.in -o requirements.txt
	@$(LOCK) requirements/dev.in -o requirements/dev.txt
	@$(LOCK) requirements/triton.in -o requirements/triton.txt
	@$(LOCK) requirements/export.in -o requirements/export.txt
	@for name in containers containers-triton containers-triton-gpu; do $(LOCK) requirements/$$name.in -o requirements/$$name.txt; done
