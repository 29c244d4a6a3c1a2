# `make lab` opens the lessons, `make test` checks everything. Each sets up its own .venv first, once.
#   PYTHON=python3.12   the Python to make .venv with; the first one found that is new enough if not given
#   PORT=9000           the port of JupyterLab; the first free one from 8888 on if not given
#   CHROMIUM=/path      the browser of the tests; an installed one if not given
#   LESSONS='01 02'     the lessons to run; all if not given
.DEFAULT_GOAL := help
.PHONY: help lab lessons test check bench prepare FORCE

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check

help:
	@echo 'make lab       open the lessons in JupyterLab          (PORT=9000 chooses the port)'
	@echo 'make lessons   run every lesson from top to bottom     (LESSONS="01 02" chooses)'
	@echo 'make test      check everything, in a browser too'
	@echo 'make bench     measure against other libraries'
	@echo 'make prepare   after a change to a notebook: export, clean, write the clean copies and the README'
	@echo 'The first run of each installs what it needs into .venv: PYTHON=python3.12 chooses the Python.'

lab: $(VENV)/.ready
	@exec $(VENV)/bin/course-lessons lab $(if $(PORT),--port '$(PORT)')

lessons: $(VENV)/.ready
	@$(VENV)/bin/course-lessons run $(LESSONS)

# `test` and `bench` also bring a browser; `check` is for whoever has run it once: make check NAMES='ruff pytest'
test: $(VENV)/.ready-dev
	@$(PY) tests/lab.py || true
	@$(PY) tests/check.py

check: $(VENV)/.ready-dev
	@$(PY) tests/check.py $(NAMES)

bench: $(VENV)/.ready-bench
	@$(PY) tests/lab.py || true
	@$(PY) benchmarks/run.py

prepare: $(VENV)/.ready-dev
	@$(VENV)/bin/nbdev-export
	@$(VENV)/bin/nbdev-clean
	@$(VENV)/bin/course-lessons clean
	@$(VENV)/bin/course-lessons readme

# A stamp is written when all is done, and holds the folder it was done in: an install that was interrupted, or a project that was
# moved, is set up again.
stale = $(shell test "$$(cat $(VENV)/$(1) 2>/dev/null)" = "$$(pwd -P)" && $(PY) -c pass 2>/dev/null || echo FORCE)

$(VENV)/.ready: pyproject.toml $(call stale,.ready)
	$(make_venv)
	$(call install,.,JupyterLab$(comma) PyTorch and what else the lessons need,the first time 2 to 6 minutes and about 6 GB on Linux,.ready)

$(VENV)/.ready-dev: pyproject.toml $(VENV)/.ready $(call stale,.ready-dev)
	$(call install,.[dev],what the checks need,under a minute,.ready-dev)

$(VENV)/.ready-bench: pyproject.toml $(VENV)/.ready $(call stale,.ready-bench)
	$(call install,.[bench],the libraries to measure against,about a minute,.ready-bench)

comma := ,
CANDIDATES := $(if $(PYTHON),'$(PYTHON)',python3 python3.13 python3.12 python3.11 python3.10 python)

# The first Python that is new enough and able to make a virtual environment; else what stands in the way.
define make_venv
@if test "$$(cat $(VENV)/.home 2>/dev/null)" = "$$(pwd -P)" && $(PY) -c pass 2>/dev/null; then exit 0; fi; \
seen=; half=; \
for p in $(CANDIDATES); do \
  v=$$("$$p" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
  "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { seen="$$seen $$p ($$v)"; continue; }; \
  "$$p" -c 'import ensurepip, venv' 2>/dev/null || { half="$$half $$p"; mend="python$$v-venv"; continue; }; \
  echo "Making $(VENV) with $$p, Python $$v."; \
  "$$p" -m venv --clear $(VENV) && pwd -P > $(VENV)/.home && exit 0; \
  echo "$(VENV) could not be made with $$p."; exit 1; \
done; \
if test -n "$$half"; then \
  echo "Found$$half, but without venv and ensurepip. On Debian and Ubuntu: sudo apt install $$mend"; \
else \
  echo "Python 3.10 or newer is needed. Looked for: $(subst ',,$(CANDIDATES)). Found:$${seen:- none}."; \
  echo "Get one from https://www.python.org/downloads, or name yours: make PYTHON=/path/to/python3.12 ..."; \
fi; exit 1
endef

# $(1) what to install, $(2) what that is, $(3) how long it takes, $(4) the stamp
define install
@echo 'Installing $(2) into $(VENV): $(3).'
@$(PIP) install -qq --upgrade pip && $(PIP) install -qq -e '$(1)' || { \
  echo 'The install did not finish. It needs the network and free disk space this once; the same command goes on.'; exit 1; }
@pwd -P > $(VENV)/$(4)
endef
