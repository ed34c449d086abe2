# `make demo` and `make test` need nothing but a fresh clone: they make their virtual environment.
PYTHON ?= python3
DATASET ?= pneumoniamnist
SETTING ?= both
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test coverage reliability lint docs

demo: $(VENV)/datasets,plot.stamp
	$(BIN)/sklearn-cae demo --dataset $(DATASET) --setting $(SETTING) --output results/$(DATASET)

test: $(VENV)/test.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist worksteal

# Counting lines doubles the time of the tests.
coverage: $(VENV)/test.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist worksteal --cov --cov-report=term

reliability: $(VENV)/test.stamp
	$(BIN)/python -m pytest -s -m slow --figures benchmarks/results/reliability.json
	$(BIN)/python -m pytest -s tests/_estimator/test_any_input.py --hypothesis-profile=release --figures benchmarks/results/reliability.json

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/docs.stamp
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html
	$(BIN)/python docs/tools/check_links.py docs/_build/html

$(VENV)/%.stamp: pyproject.toml | $(VENV)
	@echo "Installing the packages of '$*' into $(VENV)/; torch is the largest, so this takes minutes."
	$(BIN)/pip install --disable-pip-version-check --editable '.[$*]'
	touch $@

$(VENV):
	@echo "Making a virtual environment in $(VENV)/"
	$(PYTHON) -m venv $(VENV)
