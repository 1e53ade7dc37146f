# Everything here runs on Python 3.11 or 3.12 and make alone; what is needed beyond them comes from the lock files.
SHELL = /bin/sh
VENV = .venv
BIN = $(VENV)/bin
# pip installs what the lock files say and looks for nothing else.
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --no-input --no-deps
LOCKED = $(PIP_INSTALL) --quiet --require-hashes
UV = build/lock/bin/uv
COMPILE = $(UV) pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --no-emit-index-url \
	--no-header --no-annotate
DEMO_ARGS =
PYTEST_ARGS =

# Whether the environment still stands where it was made and its Python still runs: if not, it is made anew.
STANDS := $(shell test "`cat $(VENV)/.place 2>/dev/null`" = "`pwd`" && $(BIN)/python -c pass 2>/dev/null \
	|| rm -f $(VENV)/.runtime)

.NOTPARALLEL:
.PHONY: help demo test check docs setup lock clean
.DEFAULT_GOAL = help

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile

demo: $(VENV)/.parts ## a small factory on a real Kafka and Redis, live, in about 90 s
	@exec $(BIN)/tocsin demo $(DEMO_ARGS)

test: $(VENV)/.tests $(VENV)/.parts ## all tests (fetches torch first, which is about 3 GB on Linux)
	@exec $(BIN)/python -m pytest -rs $(PYTEST_ARGS)

check: $(VENV)/.tests ## ruff, mypy and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.docs ## the documentation site, into build/site
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=. $(BIN)/python -m mkdocs build --quiet

setup: $(VENV)/.parts ## what `make demo` needs, without running it

lock: ## make the lock files anew, with the newest versions that pyproject.toml allows
	@test -x $(UV) || { rm -rf build/lock && $${PYTHON:-python3} -m venv build/lock && build/lock/bin/pip install --quiet uv; }
	@rm -f build/lock/*.txt
	@# One resolution for all, so that the files never disagree; then each file is cut out of it.
	@$(COMPILE) --all-extras pyproject.toml --output-file build/lock/all.txt
	@echo 'setuptools>=77' | $(COMPILE) --generate-hashes --constraint build/lock/all.txt pyproject.toml - \
		--output-file build/lock/runtime.txt
	@for extra in train s3 bench dev; do \
		$(COMPILE) --generate-hashes --constraint build/lock/all.txt --extra $$extra pyproject.toml \
			`sed -n 's/^\([a-z0-9][a-z0-9-]*\)==.*/--no-emit-package \1/p' build/lock/runtime.txt` \
			--output-file build/lock/$$extra.txt || exit; \
	done
	@for file in runtime train s3 bench dev; do \
		{ \
			echo "# Made by \`make lock\` (uv pip compile) from pyproject.toml; never by hand. For Python 3.11 and 3.12,"; \
			echo "# Linux and macOS. Install it with: pip install --require-hashes --requirement requirements/$$file.txt"; \
			test $$file = runtime || echo "--requirement runtime.txt"; \
			cat build/lock/$$file.txt; \
		} > requirements/$$file.txt || exit; \
	done

clean: ## remove the environment and what tools left; data of `tocsin up` stay
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# A stamp is written when its step is done. An interrupted step leaves none, and since pip takes a half-installed
# package for an installed one, the environment is then made from nothing.
$(VENV)/.runtime: requirements/runtime.txt
	@python=; without=; \
	if test -n "$$PYTHON"; then set -- "$$PYTHON"; else set -- python3.12 python3.11 python3 python; fi; \
	for candidate in "$$@"; do \
		"$$candidate" -c 'import sys; sys.exit((3, 11) > sys.version_info[:2] or sys.version_info[:2] > (3, 12))' \
			2>/dev/null || continue; \
		if "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then python=$$candidate; break; fi; \
		test -n "$$without" || without=$$candidate; \
	done; \
	if test -z "$$python"; then \
		if test -n "$$without"; then \
			version=`"$$without" -c 'import sys; print("%d.%d" % sys.version_info[:2])'`; \
			echo "tocsin: $$without cannot make virtual environments:" \
				"install its venv module (Debian, Ubuntu: apt-get install python$$version-venv)" >&2; \
		elif test -n "$$PYTHON"; then \
			echo "tocsin: PYTHON=$$PYTHON is not a Python 3.11 or 3.12: name one, or leave PYTHON out" >&2; \
		else \
			echo "tocsin: no Python 3.11 or 3.12 was found:" \
				"install one, or name yours with make PYTHON=/path/to/python3.12" >&2; \
		fi; \
		exit 2; \
	fi; \
	echo "making $(VENV) with `"$$python" -c 'import platform; print("Python", platform.python_version())'`" \
		"(120 MB to fetch, and 44 MB of Kafka)"; \
	rm -rf $(VENV) && "$$python" -m venv $(VENV)
	@$(LOCKED) -r requirements/runtime.txt
	@pwd > $(VENV)/.place
	@touch $@

# The setuptools of the lock file makes this link; the network is not asked.
$(VENV)/.project: $(VENV)/.runtime pyproject.toml
	@$(PIP_INSTALL) --quiet --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.parts: $(VENV)/.project $(wildcard tocsin/stack/*.sha256)
	@$(BIN)/tocsin parts
	@touch $@

$(VENV)/.docs: $(VENV)/.project requirements/docs.txt
	@rm -f $(VENV)/.runtime
	@$(LOCKED) -r requirements/docs.txt
	@touch -r $(VENV)/.place $(VENV)/.runtime
	@touch $@

$(VENV)/.tests: $(VENV)/.project requirements/dev.txt requirements/train.txt
	@echo "installing what the tests need; torch is part of it, because the trainers are tested too (3 GB on Linux)"
	@rm -f $(VENV)/.runtime
	@$(LOCKED) -r requirements/dev.txt -r requirements/train.txt
	@touch -r $(VENV)/.place $(VENV)/.runtime
	@touch $@
