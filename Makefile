# Everything runs in .venv, which the first target that needs it makes; nothing outside the repository is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# graphacct alone, as a user has it; and with what its tests need.
INSTALLED := $(VENV)/.installed
INSTALLED_FOR_TESTS := $(VENV)/.installed-for-tests

.PHONY: docs dist listings demo test fuzz lint bench verify verify-quick goldens certify coverage estimates clean

demo: $(INSTALLED)
	$(BIN)/graphacct report gpt2-xl --depth 3
	$(BIN)/graphacct draw gpt2-xl -o gpt2-xl.svg

# Compiled first, once: else both workers and every process that a test starts would. A worker that has none left takes
# half of the other's tests.
test: $(INSTALLED_FOR_TESTS)
	$(BIN)/python -m compileall -q graphacct plugins
	$(BIN)/python -m pytest -n auto --dist worksteal

# 20,000 random cases of each surface that reads or runs what others wrote (FUZZ_CASES=1000 for fewer); formulas as
# JavaScript at 1,000 points of each model; and the tests on random examples, others each time and fifty times as many as
# in the usual run, which has a few, the same ones every time (tests/draws.py).
fuzz: $(INSTALLED_FOR_TESTS)
	EXAMPLES=random FUZZ_CASES=$${FUZZ_CASES:-20000} $(BIN)/python -m pytest tests/fuzz
	JAVASCRIPT_POINTS=1000 $(BIN)/python -m pytest tests/formulas/test_javascript.py
	EXAMPLES=random $(BIN)/python -m pytest -m hypothesis --ignore tests/fuzz
	EXAMPLES=random $(BIN)/python -m pytest -m "not hypothesis" tests/reports/test_properties.py \
		tests/footprint/test_saved_of_types.py tests/transforms/test_folding_any.py

lint: $(INSTALLED_FOR_TESTS)
	$(BIN)/lint-imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tests/testing/type_new_plugins.py

bench: $(INSTALLED_FOR_TESTS)
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only

# The site, in build/docs; a link that leads nowhere is an error.
docs: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs
	@echo build/docs/index.html

# The source archive and the wheel of each distribution, in dist/.
dist: $(INSTALLED_FOR_TESTS)
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m build --outdir dist plugins/graphacct-torch

verify: .venv-verify/.installed
	.venv-verify/bin/python -m pytest tests/verify plugins/graphacct-torch/tests

# What of it continuous integration runs: graphacct-torch alone.
verify-quick: .venv-verify/.installed
	.venv-verify/bin/python -m pytest plugins/graphacct-torch/tests

# What torch and transformers measure of the model in a folder with a config.json: make goldens CONFIG=path/to/folder
goldens: .venv-verify/.installed
	.venv-verify/bin/python tests/verify/truth.py $(CONFIG)

# docs/certification.md anew: every preset against the transformers library, and what other counters say of five models;
# docs/torchvision.md: every classifier against its published figures; docs/model-types.md: each model type of the
# transformers library (an hour; it goes on where it stopped).
certify: .venv-verify/.installed .venv-certify/.installed .venv-certify/beside
	.venv-verify/bin/python tests/certify/measure_presets.py .venv-certify/presets.json
	.venv-certify/bin/python tests/certify/counters.py tests/certify/configs/* > .venv-certify/counters.json
	.venv-verify/bin/python tests/certify/page.py .venv-certify/presets.json .venv-certify/counters.json docs/certification.md
	TORCHVISION=.venv-verify/torchvision .venv-verify/bin/python tests/certify/classifiers.py docs/torchvision.md
	BESIDE=.venv-certify/beside .venv-verify/bin/python tests/certify/model_types.py .venv-certify/types.json
	.venv-verify/bin/python tests/certify/types_page.py .venv-certify/types.json tests/certify/model_types.json docs/model-types.md

# docs/estimates.md anew: how far off 2 N, 4 N and 6 N are for each preset.
estimates: $(INSTALLED_FOR_TESTS)
	$(BIN)/python tests/estimates/write_page.py

# The listing.json of each plugin anew: what `graphacct list` shows of its families and operators.
listings: $(INSTALLED_FOR_TESTS)
	$(BIN)/python tests/listings/write_listings.py

# docs/coverage.md anew: which of the models that other programs list are read.
coverage: $(INSTALLED_FOR_TESTS)
	$(BIN)/python tests/coverage/read_lists.py

# What a failed or stopped command leaves is made again.
.DELETE_ON_ERROR:

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "graphacct needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

# Nothing is compiled ahead: a short command imports a tenth of what is installed.
$(INSTALLED): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -e .
	touch $@

# uv installs the same in a tenth of the time. Where it cannot be had, or cannot reach what pip can, pip does it.
$(INSTALLED_FOR_TESTS): pyproject.toml | $(BIN)/python
	($(BIN)/python -m pip install --quiet --only-binary :all: --disable-pip-version-check uv \
		&& $(BIN)/uv pip install --quiet --no-cache --python $(BIN)/python -e '.[dev]') \
		|| $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -e '.[dev]'
	$(BIN)/python -m compileall -q -j 0 -x '/(tests?|pip|mypyc?)/' $(VENV)/lib graphacct plugins
	touch $(INSTALLED) $@

# torch is asked for first and alone: a plain request for it would fetch several GB of CUDA libraries. torchvision lies
# in a folder of its own, as the transformers library takes another path where it finds it.
.venv-verify/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-verify
	.venv-verify/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	.venv-verify/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev,verify]' -e plugins/graphacct-torch
	.venv-verify/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target .venv-verify/torchvision torchvision==0.28.0
	touch $@

.venv-certify/.installed:
	$(PYTHON) -m venv .venv-certify
	.venv-certify/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	.venv-certify/bin/python -m pip install --quiet --disable-pip-version-check transformers fvcore ptflops calflops thop torchinfo
	touch $@

# What some classes of the transformers library need beside it.
.venv-certify/beside: .venv-certify/.installed
	.venv-certify/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target $@ torchvision==0.28.0 torchaudio timm scipy

clean:
	rm -rf build dist docs/reference $(VENV) .venv-verify .venv-certify .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
