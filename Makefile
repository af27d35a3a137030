# Needs only make and python3 with venv. With another Python: make test PYTHON=python3.12
PYTHON ?= python3

PYTHONS = 3.11 3.12 3.13
version = $(shell '$(PYTHON)' -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
venv = $(shell '$(PYTHON)' -c 'import ensurepip, venv; print("found")' 2>/dev/null)

.PHONY: demo test lint

demo: .venv/installed
	.venv/bin/python demo.py

test: .venv/installed
	.venv/bin/python -m pytest -n 2 --dist=worksteal

lint: .venv/installed
	.venv/bin/python -m ruff check
	.venv/bin/python -m ruff format --check

.venv/installed: requirements.txt requirements-dev.txt requirements-optional.txt
	$(if $(filter $(PYTHONS),$(version)),,$(error Python must be one of $(PYTHONS), but $(PYTHON) is $(or $(version),missing): set PYTHON=))
	$(if $(venv),,$(error $(PYTHON) has no venv module: sudo apt install python3-venv (on Debian and Ubuntu)))
	'$(PYTHON)' -m venv .venv
	.venv/bin/python -m pip install --disable-pip-version-check --prefer-binary -r requirements-dev.txt
	@touch $@
