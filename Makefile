# Every target starts from a fresh clone, Python >= 3.11 and a package index; nothing else is needed.
# `make PYTHON=/path/to/python3` chooses another interpreter for a new `.venv`.

BIN := .venv/bin
OUT ?= demo-out
INPUTS := uv.lock pyproject.toml scripts/bootstrap.sh $(wildcard packages/*/pyproject.toml)

# Where Python may not keep what it compiled, each of the many commands that tests start compiles
# everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test lint docs bench five-questions benchmark-figures format lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/demo.stamp ## Train three networks and write demo-out/report.html
	$(BIN)/thalweg demo --out $(OUT)

test: .venv/dev.stamp ## Run all tests and every example in the documentation
	$(BIN)/pytest -n auto --dist loadfile $(ARGS)

lint: .venv/dev.stamp ## Check style, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

docs: .venv/docs.stamp ## Build docs/_build/html/index.html; every warning is an error
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

bench: .venv/dev.stamp ## Race thalweg against its peers on four problems; ARGS=--help says more
	$(BIN)/thalweg bench --out build/bench $(ARGS)

five-questions: .venv/dev.stamp ## Draw the figures and tables of docs/five-questions.md from the committed record
	$(BIN)/python scripts/five_questions.py draw

benchmark-figures: .venv/dev.stamp ## Draw the README's picture and table of the benchmark from the committed record
	$(BIN)/python scripts/benchmark.py

format: .venv/dev.stamp ## Mend style and formatting where that can be done safely
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

lock: .venv/dev.stamp ## Resolve again after a dependency changed
	UV_PYTHON=$(BIN)/python UV_PYTHON_DOWNLOADS=never $(BIN)/uv lock

clean: ## Remove the environment and everything built
	rm -rf .venv build docs/_build $(OUT) .pytest_cache .ruff_cache .hypothesis

# What the demo needs, without the workshop; where that is there already, nothing is to do.
.venv/demo.stamp: $(INPUTS)
	scripts/bootstrap.sh --quiet --inexact --package thalweg-lab --no-default-groups
	@touch $@

.venv/dev.stamp: $(INPUTS)
	scripts/bootstrap.sh --quiet --all-packages --all-extras
	@touch .venv/demo.stamp $@

.venv/docs.stamp: .venv/dev.stamp
	scripts/bootstrap.sh --quiet --all-packages --all-extras --group docs
	@touch $@
