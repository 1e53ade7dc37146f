# Everything here needs only make and a Python of 3.11 to 3.14; the rest comes from the lock files.
SHELL = /bin/sh
VENV = .venv
# Names tried in this order; the last two may be any version, and are asked which.
PYTHONS = python3.13 python3.12 python3.11 python3.14 python3 python
BIN = $(VENV)/bin
# pip installs what the lock files say and looks for nothing else.
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --no-input --no-deps
LOCKED = $(PIP_INSTALL) --quiet --require-hashes
UV = build/lock/bin/uv
COMPILE = $(UV) pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --no-emit-index-url \
	--no-header --no-annotate
# The extras with a lock file each; a file begins with the one it builds on and lists only what comes on top.
EXTRAS = producer worker train stack s3 bench docs dev
STEM = `test $(1) = train && echo worker || echo base`
# What the demo installs, and what the tests install beyond it.
DEMO_LOCKS = requirements/base.txt requirements/producer.txt requirements/worker.txt requirements/stack.txt
TEST_LOCKS = requirements/train.txt requirements/docs.txt
DEMO_ARGS =
PYTEST_ARGS =
# Processes that run tests side by side, each with a Kafka and a Redis of its own; tests often wait, so one more than
# two cores. As many as there are cores where tests only compute.
JOBS = 3
PYTEST = exec $(BIN)/python -m pytest -rs --dist worksteal

# Whether the environment still stands where it was made and its Python still runs: if not, it is made anew.
STANDS := $(shell test "`cat $(VENV)/.place 2>/dev/null`" = "`pwd`" && $(BIN)/python -c pass 2>/dev/null \
	|| rm -f $(VENV)/.runtime)

.NOTPARALLEL:
.PHONY: help demo test test-fast check docs setup lock clean
.DEFAULT_GOAL = help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile

demo: $(VENV)/.parts ## a small factory on a real Kafka and Redis, live, in about 90 s
	@exec $(BIN)/tocsin demo $(DEMO_ARGS)

test: $(VENV)/.tests $(VENV)/.parts ## all tests and checks (fetches torch first, which is about 3 GB on Linux)
	@$(PYTEST) --numprocesses $(JOBS) $(PYTEST_ARGS)

test-fast: $(VENV)/.dev ## the tests that need no torch, no Kafka and no other program, in about a minute
	@$(PYTEST) --numprocesses logical --fast $(PYTEST_ARGS)

check: $(VENV)/.tests ## ruff, mypy and the direction of imports; `make test` runs them too
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
		--output-file build/lock/base.txt
	@for extra in $(EXTRAS); do \
		stem=$(call STEM,$$extra); \
		$(COMPILE) --generate-hashes --constraint build/lock/all.txt --extra $$extra pyproject.toml \
			`sed -n 's/^\([a-z0-9][a-z0-9-]*\)==.*/--no-emit-package \1/p' build/lock/base.txt build/lock/$$stem.txt` \
			--no-emit-package tocsin --output-file build/lock/$$extra.txt || exit; \
	done
	@for file in base $(EXTRAS); do \
		{ \
			echo "# Made by \`make lock\` (uv pip compile) from pyproject.toml; never by hand. For Python 3.11 to 3.14,"; \
			echo "# Linux and macOS. Install it with: pip install --require-hashes --requirement requirements/$$file.txt"; \
			test $$file = base || echo "--requirement $(call STEM,$$file).txt"; \
			cat build/lock/$$file.txt; \
		} > requirements/$$file.txt || exit; \
	done

clean: ## remove the environment and what tools left; data of `tocsin up` stay
	rm -rf $(VENV) .venv-3.* build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# A stamp is written when its step is done. An interrupted step leaves none, and since pip takes a half-installed
# package for an installed one, the environment is then made from nothing.
$(VENV)/.runtime: $(DEMO_LOCKS)
	@python=; without=; \
	if test -n "$$PYTHON"; then set -- "$$PYTHON"; else set -- $(PYTHONS); fi; \
	for candidate in "$$@"; do \
		"$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
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
			echo "tocsin: PYTHON=$$PYTHON is not a Python of 3.11 to 3.14: name one, or leave PYTHON out" >&2; \
		else \
			echo "tocsin: no Python of 3.11 to 3.14 was found:" \
				"install one, or name yours with make PYTHON=/path/to/python3.13" >&2; \
		fi; \
		exit 2; \
	fi; \
	echo "making $(VENV) with `"$$python" -c 'import platform; print("Python", platform.python_version())'`" \
		"(135 MB to fetch, and 50 MB of Kafka and Redis)"; \
	rm -rf $(VENV) && "$$python" -m venv $(VENV)
	@$(LOCKED) $(addprefix -r ,$(DEMO_LOCKS))
	@pwd > $(VENV)/.place
	@touch $@

# The setuptools of the lock file makes this link; the network is not asked.
$(VENV)/.project: $(VENV)/.runtime pyproject.toml
	@$(PIP_INSTALL) --quiet --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.parts: $(VENV)/.project $(wildcard tocsin/stack/*.sha256)
	@$(BIN)/tocsin fetch
	@touch $@

$(VENV)/.docs: $(VENV)/.project requirements/docs.txt
	@rm -f $(VENV)/.runtime
	@$(LOCKED) -r requirements/docs.txt
	@touch -r $(VENV)/.place $(VENV)/.runtime
	@touch $@

# The tools of the tests, without torch.
$(VENV)/.dev: $(VENV)/.project requirements/dev.txt
	@rm -f $(VENV)/.runtime
	@$(LOCKED) -r requirements/dev.txt
	@touch -r $(VENV)/.place $(VENV)/.runtime
	@touch $@

$(VENV)/.tests: $(VENV)/.dev $(TEST_LOCKS)
	@echo "installing what the tests need; torch is part of it, because the trainers are tested too (3 GB on Linux)"
	@rm -f $(VENV)/.runtime
	@$(LOCKED) $(addprefix -r ,$(TEST_LOCKS))
	@touch -r $(VENV)/.place $(VENV)/.runtime
	@touch $@
