# `make demo` and `make test` need Python 3.11 or newer and nothing else: they set up .venv themselves.
PYTHON ?= python3
BIN := .venv/bin
# A file's tests share what they have trained, so one worker runs them all; tests/conftest.py says in which order.
PYTEST := OMP_NUM_THREADS=1 WANDB_MODE=offline $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-slow test-gpu lint types format extractor clean

demo: .venv/ready  ## train DCGAN on real handwritten digits, score it, draw it: under five minutes on two cores
	$(BIN)/ganzoo train experiments/digits/dcgan.yaml

test: .venv/ready-dev  ## all tests but the slow ones
	$(PYTEST) -n 2 -m "not slow"

test-slow: .venv/ready-dev  ## the slow ones; three at once, for SLURM's and W&B's spend half of their time waiting
	$(PYTEST) -n 3 -m slow tests

test-gpu: .venv/ready-dev  ## those that need a GPU
	GANZOO_TEST_GPU=1 $(PYTEST) -n 4 -m gpu tests

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell ganzoo tests docs benchmarks README.md CHANGELOG.md

types: .venv/ready-dev
	$(BIN)/mypy

format: .venv/ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

extractor: .venv/ready  ## train the embedded digits extractor again
	OMP_NUM_THREADS=1 $(BIN)/ganzoo extractor train data=digits --out ganzoo/evaluation/weights/digits.safetensors

clean:
	rm -rf .venv build dist *.egg-info

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -e .
	touch $@

.venv/ready-dev: .venv/ready
	$(BIN)/pip install --quiet -e ".[dev]"
	touch $@
