# Each command sets itself up: on a machine with only Python (3.10 or newer) and make, `make play` is enough.
# A stamp in .venv stands for what was installed: a second call installs nothing.

VENV ?= .venv
BIN := $(VENV)/bin
PINS := pyproject.toml requirements.txt constraints.txt
PAGE_PINS := tests/web/package-lock.json
# Python compiles what it imports, and keeps it; compiling all that pip brings takes another minute.
unexport PYTHONDONTWRITEBYTECODE # in containers: each of the tests' processes would compile torch anew
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-input --no-compile -c constraints.txt

PAGE_TOOLS := tests/web/node_modules/.bin
STYLE := $(BIN)/ruff check . && $(BIN)/ruff format --check --quiet . && $(BIN)/codespell && \
	$(PAGE_TOOLS)/biome check --error-on-warnings && \
	$(PAGE_TOOLS)/tsc -p tests/web && $(PAGE_TOOLS)/tsc -p tests/web/tsconfig.worker.json
NODE_TESTS := $(BIN)/node --test --test-timeout=60000 --test-reporter=dot "tests/web/*.test.js"
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
# mypy keeps one core busy for a minute when it has no cache yet: it runs beside the tests.
define TYPES_AND_TESTS
$(BIN)/mypy >$(VENV)/mypy.log 2>&1 & types=$$!; \
	$(PYTEST) -m "$(1)" $(ARGS); tests=$$?; \
	wait $$types || { cat $(VENV)/mypy.log; exit 1; }; \
	exit $$tests
endef
define TOOLS
missing() { echo "$$1" >&2; [ "$$CI" != true ] || exit 1; }; \
	for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do \
		command -v $$name >/dev/null && found=yes; \
	done; \
	[ -n "$$found" ] || missing "No Chromium: the browser tests will be skipped. Debian has it: apt-get install chromium"; \
	command -v g++ >/dev/null || missing "No g++: DeepSpeed cannot build its part for the CPU. Debian has it: apt-get install g++"; \
	PATH="$$PATH:/usr/sbin" command -v nginx >/dev/null || missing "No nginx: the tests behind a proxy will be skipped. Debian has it: apt-get install nginx"
endef

# An NVIDIA GPU, or a model that the core does not compute.
define WANTS_PYTORCH
nvidia-smi -L >/dev/null 2>&1 || { [ -n "$(MODEL)" ] && $(BIN)/python -m playground.folder.libraries "$(MODEL)"; }
endef

.DEFAULT_GOAL := help
.PHONY: help play train browser publish check test soak bench clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

play: $(VENV)/.play ## open the playground; PORT=7860 and MODEL=folder choose its port and model
	@if $(WANTS_PYTORCH); then $(MAKE) --no-print-directory $(VENV)/.models; fi
	$(BIN)/python app.py $(if $(MODEL),--model "$(MODEL)") $(if $(PORT),--port $(PORT))

train: $(VENV)/.train ## train a model; ARGS="--preset smoke --corpus.source sample" passes settings on
	$(BIN)/accelerate launch --quiet trainer/train.py $(ARGS)

browser: $(VENV)/.play ## make the page that writes in the visitor's browser, and look at it; MODEL=folder, PORT=8000
	$(BIN)/python -m playground.browser $(if $(MODEL),"$(MODEL)",models/storyteller) build/page
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/page $(if $(PORT),$(PORT),8000)

publish: $(VENV)/.play ## publish on the Hub; ARGS="model runs/storyteller/export you/storyteller --dry-run"
	$(BIN)/python -m playground.publish $(ARGS)

check: $(VENV)/.dev ## style, spelling, types and all logic, without processes, browsers and training runs
	$(STYLE)
	$(NODE_TESTS)
	@$(call TYPES_AND_TESTS,not process and not browser and not slow and not soak)

test: $(VENV)/.dev ## check style and types, then run every test but the soak tests
	@$(TOOLS)
	$(STYLE)
	$(NODE_TESTS)
	@$(call TYPES_AND_TESTS,not soak)

soak: $(VENV)/.dev ## twenty kills, cut cables and other tests that take many minutes
	$(PYTEST) -m soak $(ARGS)

bench: $(VENV)/.bench ## run every benchmark beside its peers
	@set -e; for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file; done

clean: ## remove what make installed
	rm -rf $(VENV) *.egg-info tests/web/node_modules

$(VENV)/.play: $(PINS) | $(BIN)/python
	@echo "Installing the playground into $(VENV); the first time takes a minute."
	$(INSTALL) -e ".[play]"
	@touch $@

$(VENV)/.models: $(PINS) | $(BIN)/python
	@echo "Installing PyTorch and transformers into $(VENV), for an NVIDIA GPU or this model; this takes a few minutes."
	$(INSTALL) -e ".[models]"
	@touch $@

$(VENV)/.train: $(PINS) | $(BIN)/python
	@echo "Installing the trainer into $(VENV); the first time takes a few minutes."
	$(INSTALL) -e ".[train]"
	@touch $(VENV)/.models $@

$(VENV)/.dev: $(PINS) $(PAGE_PINS) | $(BIN)/python
	@echo "Installing everything into $(VENV); the first time takes a few minutes."
	$(INSTALL) -e ".[play,train,dev]"
	PATH="$(abspath $(BIN)):$$PATH" npm ci --prefix tests/web --silent # the linter of the page's JavaScript
	@touch $(VENV)/.play $(VENV)/.models $(VENV)/.train $@

$(VENV)/.bench: $(PINS) | $(BIN)/python
	@echo "Installing the benchmarks and their peers into $(VENV); the first time takes a few minutes."
	$(INSTALL) -e ".[play,train,bench]"
	@touch $(VENV)/.play $(VENV)/.models $(VENV)/.train $@

$(BIN)/python:
	@for name in python3.11 python3.12 python3.13 python3.10 python3 python; do \
		if $$name -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then \
			echo "Making $(VENV) with $$($$name --version)."; \
			$$name -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; \
			exit 0; \
		fi; \
	done; \
	echo "No Python 3.10 or newer was found: install one from python.org or your system's packages." >&2; exit 1
