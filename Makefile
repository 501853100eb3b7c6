# Two commands do all the set-up: `make serve` and `make test`.
PYTHON ?= python3
SERVE_VENV := .venv
TEST_VENV := .venv-test
CORPORA ?= ../shared/corpora

.PHONY: reference bench-retraining serve test browser lint train quality bench bench-delivery soak clean bench-relabel soak-relabel bench-themes bench-pages lock audit sbom

$(SERVE_VENV)/.done: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(SERVE_VENV)
	$(SERVE_VENV)/bin/pip install --quiet --editable .
	touch $@

$(TEST_VENV)/.done: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(TEST_VENV)
	$(TEST_VENV)/bin/pip install --quiet --editable '.[train,test]'
	touch $@

serve: $(SERVE_VENV)/.done  ## install what serving needs and serve on 127.0.0.1:8080
	$(SERVE_VENV)/bin/nlp-service serve

lint: $(TEST_VENV)/.done
	$(TEST_VENV)/bin/ruff check .
	$(TEST_VENV)/bin/ruff format --check .
	$(TEST_VENV)/bin/mypy
	$(TEST_VENV)/bin/lint-imports

browser:  ## a Chromium for the tests of the web page, where it can be installed; else they are skipped
	@command -v chromium >/dev/null || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq \
	  && apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null; } || echo "no Chromium: the tests of the web page will be skipped"

test: lint browser  ## install what the tests need and run them all
	$(TEST_VENV)/bin/python -m pytest -n 2

train: $(TEST_VENV)/.done  ## from corpora to a bundle
	$(TEST_VENV)/bin/python -m training run --corpora $(CORPORA) --recipe training/recipes/full.yaml --out runs/full

quality: $(TEST_VENV)/.done  ## every quality figure of the accepted bundle
	$(TEST_VENV)/bin/python -m training.evaluate --corpora $(CORPORA)

bench: $(TEST_VENV)/.done  ## every speed figure, printed and written to benchmarks/results
	$(TEST_VENV)/bin/python -m benchmarks.engine --corpora $(CORPORA)
	$(TEST_VENV)/bin/python -m benchmarks.serving --corpora $(CORPORA)
	$(TEST_VENV)/bin/python -m benchmarks.curves

soak: $(TEST_VENV)/.done  ## the long tests: kills, faults, load
	$(TEST_VENV)/bin/python -m pytest -m soak tests/soak

bench-delivery: $(TEST_VENV)/.done  ## theme events a second, and the time until they arrive
	$(TEST_VENV)/bin/python -m benchmarks.delivery

bench-relabel: $(TEST_VENV)/.done  ## relabelling 1,000,000 rows beside the engine alone and the peers
	$(TEST_VENV)/bin/pip install --quiet datasets pandas '.[ray]'
	$(TEST_VENV)/bin/python -m benchmarks.relabel --corpora $(CORPORA)

soak-relabel: $(TEST_VENV)/.done  ## 20 kills in a job of 200,000 rows, in one process and on Ray, reconciled
	$(TEST_VENV)/bin/pip install --quiet '.[ray]'
	$(TEST_VENV)/bin/python -m pytest -q -m soak tests/soak/test_relabel_kills.py

bench-themes: $(TEST_VENV)/.done  ## themes: known topics, planted complaints, stability, speed, scale; goes on where it was cut off
	$(TEST_VENV)/bin/python -m benchmarks.themes all --corpora $(CORPORA) $(if $(PEER),--peer $(PEER)) $(if $(OTHER),--other $(OTHER))

bench-retraining: $(TEST_VENV)/.done  ## BANKING77 and CLINC150 with the same train command
	$(TEST_VENV)/bin/python -m benchmarks.retraining --corpora $(CORPORA)

bench-pages: $(TEST_VENV)/.done  ## every page with 1,000,000 stored labellings, on SQLite and PostgreSQL
	$(TEST_VENV)/bin/python -m benchmarks.pages

reference: $(TEST_VENV)/.done  ## the pages of docs/reference that the code itself knows; a test says when they are stale
	$(TEST_VENV)/bin/python docs/reference/make.py

UV ?= uv
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock:  ## pin every dependency by its hash, newest versions that pyproject.toml allows
	$(LOCK) --upgrade pyproject.toml --output-file requirements/serve.lock
	$(LOCK) --upgrade pyproject.toml --extra train --extra test --constraint requirements/serve.lock --output-file requirements/test.lock
	echo hatchling | $(LOCK) --upgrade - --output-file requirements/build.lock
	printf 'cyclonedx-bom\npip-audit\n' | $(LOCK) --upgrade - --output-file requirements/supply.lock

.venv-supply/.done: requirements/supply.lock
	$(PYTHON) -m venv .venv-supply
	.venv-supply/bin/pip install --quiet --require-hashes -r requirements/supply.lock
	touch $@

audit: .venv-supply/.done  ## known weaknesses of what is locked; what cannot be looked up fails
	.venv-supply/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off -r requirements/serve.lock \
	  || { echo "audit: a weakness is listed above, or the index of weaknesses was not reached: then nothing was audited"; exit 1; }

sbom: .venv-supply/.done  ## a CycloneDX list of what the image installs
	.venv-supply/bin/cyclonedx-py requirements --output-reproducible --pyproject pyproject.toml --mc-type application \
	  --sv 1.6 --output-file requirements/sbom.cdx.json requirements/serve.lock
	$(PYTHON) requirements/trim_sbom.py requirements/sbom.cdx.json

clean:
	rm -rf $(SERVE_VENV) $(TEST_VENV) .venv-supply .mypy_cache .ruff_cache .pytest_cache
