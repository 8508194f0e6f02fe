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

.PHONY: help demo test test-torch quick slow-tests tour lint docs links bench five-questions benchmark-figures
.PHONY: front-page command-files addresses sizes soak release-check format lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/demo.stamp ## Train three networks and write demo-out/report.html
	$(BIN)/thalweg demo --out $(OUT)

test: .venv/dev.stamp ## Run all tests and every example in the documentation; ARGS=FILE for some
	$(BIN)/pytest -n auto --dist loadfile $(ARGS)

test-torch: .venv-torch/torch.stamp ## Run the tests of thalweg.torch, with PyTorch in an environment of its own
	.venv-torch/bin/python -m pytest -n auto --dist loadfile packages/thalweg/tests/pytorch docs/pytorch.md $(ARGS)

tour: .venv/dev.stamp ## Run docs/tour.ipynb and keep its outputs
	$(BIN)/python scripts/tour.py

quick: .venv/dev.stamp ## Run the tests that take less than a moment, for the loop of a developer
	$(BIN)/pytest -n auto --dist loadfile --quick $(ARGS)

slow-tests: .venv/dev.stamp ## Time the tests, for `make quick` to know which to leave out
	$(BIN)/pytest -n auto --dist loadfile --record-slow $(ARGS)

lint: .venv/dev.stamp ## Check style, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

docs: .venv/docs.stamp ## Build docs/_build/html/index.html; check links, spelling, commands shown
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	$(BIN)/python scripts/check_docs.py
	$(BIN)/codespell --dictionary=- --dictionary=docs/words.txt *.md docs packages/*/*.md

links: .venv/docs.stamp ## Try every link of the documentation to another site; needs the network
	$(BIN)/sphinx-build -q -b linkcheck docs docs/_build/links

bench: .venv/dev.stamp ## Race thalweg against its peers on four problems; ARGS=--help says more
	$(BIN)/thalweg bench --out build/bench $(ARGS)

five-questions: .venv/dev.stamp ## Draw the figures and tables of docs/five-questions.md from the committed record
	$(BIN)/python scripts/five_questions.py draw

benchmark-figures: .venv/dev.stamp ## Draw the benchmark's picture and tables from the committed record
	$(BIN)/python scripts/benchmark.py

front-page: .venv/dev.stamp ## Draw the README's picture of a result from the committed record
	$(BIN)/python scripts/front_page.py draw

command-files: .venv/dev.stamp ## Write manual pages and completions from what the commands say
	$(BIN)/python scripts/command_files.py

addresses: .venv/dev.stamp ## Put the addresses of addresses.toml into what is published
	$(BIN)/python scripts/addresses.py

sizes: .venv/dev.stamp ## Measure what each install weighs, for docs/installing.md
	$(BIN)/python scripts/sizes.py

soak: .venv/dev.stamp ## Two minutes of the front ends in one process each; memory has to stay flat
	$(BIN)/python scripts/soak.py $(ARGS)

release-check: .venv/release.stamp ## Build all packages, and try each wheel alone on every Python here
	$(BIN)/python scripts/release_check.py $(ARGS)

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

.venv/release.stamp: .venv/dev.stamp
	scripts/bootstrap.sh --quiet --inexact --all-packages --all-extras --group release
	@touch $@
