# `make demo` and `make test` do all the set-up themselves, into .venv.
#   BASE_PYTHON=...  the Python that .venv is made from   (else the newest tested one that is found, 3.10 to 3.13)
#   PYTHON=...       an existing MMPose environment's Python, used as it is instead of .venv: nothing is installed
#   MMTRANSPOSE_SHARED_VENV=1   install into .venv even if it belongs to another checkout, which then follows this one
#   DEMO_ARGS=...    options of tools/demo.py;  TEST_ARGS=...  options of pytest: -n 4, -n 0, a test's file
#   LINKS=external   with docs: check the links to other hosts, too

.DEFAULT_GOAL := help
.PHONY: help setup setup-docs check demo demo-detector test lint docs docs-serve clean distclean venv-key

BASE_PYTHON ?=
DEMO_ARGS ?=
TEST_ARGS ?=
LINKS ?= internal

ifdef PYTHON
READY := check
DOCS_READY := check
RUN = PYTHONPATH="$(CURDIR)$${PYTHONPATH:+:$$PYTHONPATH}" "$(PYTHON)"
# Libraries of other versions may warn of what the tests do not know of; that is no failure there.
WARNINGS = -W default
else
READY := setup
DOCS_READY := setup-docs
RUN = PYTHONPATH="$(CURDIR)" .venv/bin/python
endif
# Two processes, where pytest-xdist is there; one that has run out of tests takes over half of the other's.
WORKERS = $$($(RUN) -c 'import xdist' 2>/dev/null && printf %s '-n 2 --dist worksteal')

# Any Python from 3.8 on can run install.py, which then looks for a fit one.
define install
for python in "$(BASE_PYTHON)" .venv/bin/python python3 python3.13 python3.12 python3.11 python3.10 python; do \
  if [ -n "$$python" ] && "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1; then \
    exec "$$python" requirements/install.py $(1) --base "$(BASE_PYTHON)"; \
  fi; \
done; \
echo 'No Python found: install one from 3.10 to 3.14, or name it with BASE_PYTHON=/path/to/python.' >&2; exit 1
endef

help:
	@echo 'make demo       poses and what they depend on, into demo_output/  (DEMO_ARGS=...)'
	@echo 'make demo-detector   then: a person detector trained on the same people'
	@echo 'make test       the tests, in two processes                     (TEST_ARGS=...)'
	@echo 'make lint       ruff check, ruff format --check and mypy'
	@echo 'make docs       the documentation, into build/site; docs-serve: on 127.0.0.1, for writing'
	@echo 'make setup      only the environment .venv                      (BASE_PYTHON=python3.10)'
	@echo 'make release-check   whether the last commit can be released    (RELEASE_ARGS=--allow-placeholders)'
	@echo 'make clean      remove caches and results; distclean: .venv too'
	@echo 'PYTHON=/path/to/python with demo, test, lint or docs: use that MMPose environment as it is, install nothing.'

setup:
	@$(call install,setup)

setup-docs:
	@$(call install,docs)

venv-key:
	@$(call install,key)

check:
	@if ! "$(PYTHON)" -c '' >/dev/null 2>&1; then \
	  echo 'PYTHON=$(PYTHON) does not run: give the path of an environment'"'"'s python.' >&2; exit 1; fi
	@$(RUN) -m mmtranspose_cli.doctor --quiet $(if $(filter test,$(MAKECMDGOALS)),--also pytest) \
	  $(if $(filter lint,$(MAKECMDGOALS)),--also ruff --also mypy) \
	  $(if $(filter docs docs-serve,$(MAKECMDGOALS)),--also zensical --also mkdocstrings --also nbconvert --also ipykernel) >&2

demo: $(READY)
	$(RUN) tools/demo.py $(DEMO_ARGS)

demo-detector: $(READY)
	$(RUN) tools/demo_detector.py $(DEMO_ARGS)

test: $(READY)
	$(RUN) -m pytest -q --durations=5 $(WARNINGS) $(WORKERS) $(TEST_ARGS)

.PHONY: release-check
release-check: $(READY)
	$(RUN) requirements/release_check.py $(RELEASE_ARGS)

lint: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m mypy docs/scripts

docs: $(DOCS_READY)
	$(RUN) docs/scripts/build_site.py --links $(LINKS)

docs-serve: $(DOCS_READY)
	$(RUN) docs/scripts/build_site.py --serve

clean:
	rm -rf demo_output work_dirs build dist mmtranspose.egg-info .pytest_cache .ruff_cache .mypy_cache
	find . \( -path ./.venv -o -path ./.git \) -prune -o -type d -name __pycache__ -exec rm -rf {} +

distclean: clean
	rm -rf .venv .venv.lock .venv-install.log
