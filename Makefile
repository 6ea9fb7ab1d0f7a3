# `make` alone lists the targets. Everything is set up on first use: uv (its own copy in .uv where there is none on
# the path), then the locked dependencies in .venv. Java, Maven, Redis and Chromium come with the targets that use them.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
unexport PYTHONDONTWRITEBYTECODE  # tests start the program many times, and each start would compile it again

is_new_enough := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$each" $(is_new_enough) 2>/dev/null && echo "$$each" && break; done)
need_python = test -n "$(PYTHON)" || { echo \
	'Python 3.11 or newer is needed: install it, or name one: make PYTHON=/path/to/python3' >&2; exit 1; }
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .uv/bin/uv)
STAMP := .venv/.stamp
BIN := .venv/bin

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(STAMP) ## moderate sample events through a real Kafka and Redis on this machine (ARGS=--keep leaves them running)
	@tests/system_packages.sh java mvn redis-server
	@$(BIN)/moderator demo $(ARGS)

# two processes more than there are cores, as many tests wait; the folders with the longest tests come first
SPREAD = -n $$(($$(getconf _NPROCESSORS_ONLN) + 2)) --maxprocesses 6 --dist loadgroup --no-loadscope-reorder

ALL_TESTS := tests --ignore tests/gpu --ignore tests/benchmarks
# the processes of the tests share the cores: each computes on one thread
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest

.PHONY: test
test: $(STAMP) ## run the suite on real parts: all but gpu, benchmarks and what takes long (ARGS go to pytest)
	@tests/system_packages.sh java mvn redis-server chromium
	@$(PYTEST) $(ALL_TESTS) -m 'not long' $(SPREAD) $(ARGS)

.PHONY: test-long
test-long: $(STAMP) ## run what takes long: further forms of what `test` shows in one form, long outages, other ends of the demo
	@tests/system_packages.sh java mvn redis-server chromium prometheus
	@$(PYTEST) $(ALL_TESTS) -m long $(SPREAD) $(ARGS)

.PHONY: soak
soak: $(STAMP) ## an hour of load on three brokers and three replicas, with faults at random (ARGS="--seconds 600")
	@tests/system_packages.sh java mvn redis-server
	@$(BIN)/python -m tests.soak.run $(ARGS)

.PHONY: chaos
chaos: $(STAMP) ## the same for three minutes, with the same faults each time
	@tests/system_packages.sh java mvn redis-server
	@$(BIN)/python -m tests.soak.run --seconds 180 --seed 4388 $(ARGS)

ONE_HALF := policy console http

.PHONY: test-unit
test-unit: $(STAMP) ## run the unit tests: no network, no server, no torch, seconds
	@# two processes of like length
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; failed=0; \
	$(BIN)/pytest $(addprefix tests/unit/,$(ONE_HALF)) -m 'not long' $(ARGS) >"$$log" 2>&1 & other=$$!; \
	$(BIN)/pytest tests/unit $(addprefix --ignore tests/unit/,$(ONE_HALF)) -m 'not long' $(ARGS) || failed=$$?; \
	wait "$$other" || failed=$$?; \
	cat "$$log"; exit "$$failed"

.PHONY: coverage
coverage: $(STAMP) ## measure the branch coverage of all tests but the faults; fails where it has fallen
	@tests/system_packages.sh java mvn redis-server prometheus
	@$(PYTEST) $(addprefix tests/,unit golden contracts integration) $(SPREAD) --cov --cov-report= $(ARGS)
	@$(BIN)/coverage report --include 'moderator/policy/*' --skip-covered --fail-under 98
	@$(BIN)/coverage report --include 'moderator/stream/*' --skip-covered --fail-under 95

.PHONY: mutation
mutation: $(STAMP) ## change single expressions of policy/engine and stream, and list the changes that no unit test finds
	@$(BIN)/mutmut run $(ARGS)
	@$(BIN)/mutmut results

.PHONY: test-gpu
test-gpu: $(STAMP) ## run the tests that need a CUDA device; fails without one
	@$(BIN)/python -c 'import sys, torch; sys.exit(None if torch.cuda.is_available() else "no CUDA device here")'
	@$(BIN)/pytest tests/gpu $(ARGS)

.PHONY: lint
lint: $(STAMP) ## check format, style, types, layers, example policies, generated files, workflows, alerts and manifests
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/moderator policy check policies
	@$(BIN)/moderator policy check policies/armorm
	@$(BIN)/moderator policy check policies/spam --model moderator/demo/builtin-with-spam
	@$(BIN)/python -m tests.generate --check
	@$(BIN)/zizmor --offline --quiet --pedantic .github
	@tests/lint_deployment.sh

ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

.PHONY: lint-workflows
lint-workflows: ## check the syntax of the workflows and the shell in them; needs Go
	@go run $(ACTIONLINT)

.PHONY: format
format: $(STAMP) ## format the code and fix what can be fixed
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

.PHONY: generate
generate: $(STAMP) ## write the generated files: parts of the docs, JSON Schemas, AsyncAPI, the example policies' schema
	@$(BIN)/python -m tests.generate

.PHONY: bench-stream
bench-stream: $(STAMP) ## compare the transactional path to the bare client's loop, on a real Kafka
	@tests/system_packages.sh java mvn
	@$(BIN)/python -m tests.benchmarks.bench_stream $(ARGS)

.PHONY: bench-job
bench-job: $(STAMP) ## compare the whole job with plain programs that do it, with a small classifier on a real Kafka
	@tests/system_packages.sh java mvn
	@$(BIN)/python -m tests.benchmarks.whole_job $(ARGS)

.PHONY: bench-latency
bench-latency: $(STAMP) ## time events from sending to a visible decision (ARGS="--against PYTHON" for another version)
	@tests/system_packages.sh java mvn
	@$(BIN)/python -m tests.benchmarks.bench_latency $(ARGS)

.PHONY: bench-http
bench-http: $(STAMP) ## time requests beside a saturated stream, and what the stream loses by them
	@tests/system_packages.sh java mvn
	@$(BIN)/python -m tests.benchmarks.bench_http $(ARGS)

.PHONY: bench-policy
bench-policy: $(STAMP) ## see that twenty rules take less than 20 microseconds an event, and text signals less than 60
	@$(BIN)/python -m tests.benchmarks.bench_policy $(ARGS)

.PHONY: bench-scoring
bench-scoring: $(STAMP) ## compare packed scoring to padded batches and one by one, on one CPU core
	@$(BIN)/python -m tests.benchmarks.bench_scoring $(ARGS)

.PHONY: bench-classifier
bench-classifier: $(STAMP) ## compare a small packed classifier to one by one and to sorted batches, on one CPU core
	@$(BIN)/python -m tests.benchmarks.bench_classifier $(ARGS)

.PHONY: bench-gpu
bench-gpu: $(STAMP) ## hold packed scoring at full size against a CUDA device's own ceiling (ARGS=--tiny tries it on a CPU)
	@$(BIN)/python -m tests.benchmarks.bench_gpu $(ARGS)

.PHONY: bench-backtest
bench-backtest: $(STAMP) ## time a backtest of a million recorded decisions
	@$(BIN)/python -m tests.benchmarks.bench_backtest $(ARGS)

.PHONY: bench-console
bench-console: $(STAMP) ## hold the console's start, memory, pages and reading against their budgets (ARGS="--decisions 1000000")
	@tests/system_packages.sh java mvn
	@$(BIN)/python -m tests.benchmarks.bench_console $(ARGS)

.PHONY: clean
clean: ## remove everything that can be made again
	@rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache dist build mutants .coverage
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml uv.lock | $(UV)
	@$(need_python)
	@$(UV) sync --frozen --compile-bytecode --python "$(PYTHON)"
	@touch $@

.uv/bin/uv:
	@$(need_python)
	@echo 'setting up uv in .uv'
	@rm -rf .uv
	@$(PYTHON) -m venv .uv || { echo 'python3 cannot make virtual environments: install its venv module' \
		'(Debian, Ubuntu: apt-get install python3-venv), or install uv' >&2; exit 1; }
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv
