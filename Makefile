# Words without logic: every target sets up what it needs and can be repeated.
#   make demo    fit Old Faithful, print the table of criteria, write mixtures-faithful.png
#   make test    run the whole test suite
#   make lint    ruff and mypy
#   make bench   time ours against the peers and write docs/benchmarks.md
#   make clean   remove the environment and what the tools left behind

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/ready

.PHONY: demo test lint bench clean

demo: $(READY)
	$(RUN) -m mixtures

test: $(READY)
	MPLBACKEND=Agg $(RUN) -m pytest -n 2 $(PYTEST_ARGS)

lint: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

bench: $(READY)
	$(RUN) -m benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find mixtures tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml setup.cfg requirements/ci.txt tools/set_up.sh
	tools/set_up.sh "$(PYTHON)" "$(VENV)"
