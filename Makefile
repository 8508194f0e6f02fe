# Every target starts from a fresh clone, Python >= 3.11 and a package index; nothing else is needed.
# `make PYTHON=/path/to/python3` chooses another interpreter for a new `.venv`.

BIN := .venv/bin
OUT ?= demo-out
# A build for the CPU only, which plain `torch` is not on Linux. Where the index does not serve it, let
# PIP_EXTRA_INDEX_URL name PyTorch's own; on macOS, `make test-torch TORCH=torch`.
TORCH ?= torch==2.13.0+cpu
INPUTS := uv.lock pyproject.toml scripts/bootstrap.sh $(wildcard packages/*/pyproject.toml)

# Where Python may not keep what it compiled, each of the many commands that tests start compiles
# everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-torch tour lint docs bench five-questions benchmark-figures format lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/demo.stamp ## Train three networks and write demo-out/report.html
	$(BIN)/thalweg demo --out $(OUT)

test: .venv/dev.stamp ## Run all tests and every example in the documentation
	$(BIN)/pytest -n auto --dist loadfile $(ARGS)

test-torch: .venv-torch/torch.stamp ## Run the tests of thalweg.torch, with PyTorch in an environment of its own
	.venv-torch/bin/python -m pytest -n auto packages/thalweg/tests/pytorch docs/pytorch.md $(ARGS)

tour: .venv/dev.stamp ## Run docs/tour.ipynb and keep its outputs
	$(BIN)/python scripts/tour.py

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
	rm -rf .venv .venv-torch build docs/_build $(OUT) .pytest_cache .ruff_cache .hypothesis

# What the demo needs, without the workshop; where that is there already, nothing is to do.
.venv/demo.stamp: $(INPUTS)
	scripts/bootstrap.sh --quiet --inexact --package thalweg-lab --no-default-groups
	@touch $@

.venv/dev.stamp: $(INPUTS)
	scripts/bootstrap.sh --quiet --all-packages --all-extras
	@touch .venv/demo.stamp $@

# PyTorch over what `.venv` has, which does not get it.
.venv-torch/torch.stamp: .venv/dev.stamp
	rm -rf .venv-torch
	$(BIN)/python -m venv --without-pip .venv-torch
	$(BIN)/python -c "import sysconfig; print(f'import site; site.addsitedir({sysconfig.get_path(\"purelib\")!r})')" \
	    > "$$(.venv-torch/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/dev.pth"
	$(BIN)/python -m pip --python .venv-torch/bin/python install --quiet --disable-pip-version-check "$(TORCH)"
	@touch $@

.venv/docs.stamp: .venv/dev.stamp
	scripts/bootstrap.sh --quiet --all-packages --all-extras --group docs
	@touch $@
