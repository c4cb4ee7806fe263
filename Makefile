# kinjo: `make help` lists what there is. Every target makes .venv for itself; nothing has to be installed by hand.

PYTHON ?= python3
BIN := .venv/bin
DATA ?=
OUT ?= demo
ARGS ?=
AXE := 4.14.1
# Benchmarks in the order of `make bench`: the quick ones first.
BENCHES := cli_help mask_speed corpus_windows fewshot_speed fuzz_readers fuzz_motion fuzz_build build_speed build_resume build_corpus sim_physics sim_utd gym_speed stream_mismatches fuzz_serve serve_clients studio_speed studio_live reps_gym recognize_day contract_mismatches runtime_speed runtime_install export_int8 newuser search_gym teach_gym teach_utd sync_clocks losses_error ddp_gradients demo_seconds peak_memory reconstruction utd_oneshot utd_ablation utd_reference mujo_train_speed mujo_motionsense mujo_utd mujo_gym mujo_strategies base_zeroshot base_oneshot base_fewshot base_placement base_utd base_ablation base_speed base_minutes base_people test_minutes

# uv does not read pip's settings. Empty is fine; with local wheels it finds the CPU build of torch in them.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# Spinning OpenMP threads of two processes starve each other (a batch-1 forward pass: 4 ms -> 63 ms).
export OMP_WAIT_POLICY ?= PASSIVE

.DEFAULT_GOAL := help
.PHONY: help install demo base axe test test-ray lint format bench pictures docs labels pins clean

help:  ## list the targets
	@grep -E '^[a-z%-]+:.*##' Makefile | sed -E 's/^([a-z%-]+):.*## */\1\t/' | expand -t 14

.venv/.made:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet uv || echo "uv cannot be installed: going on with pip"
	@touch $@

# One stamp for each extra: `.venv/.with-dev` is `pip install -e ".[dev]"`.
.venv/.with-%: .venv/.made pyproject.toml constraints.txt
	@if [ -x $(BIN)/uv ]; then install="$(BIN)/uv pip install --python $(BIN)/python"; \
	else install="$(BIN)/pip install"; fi; \
	set -x; $$install -e ".[$*]" -c constraints.txt
	@touch $@

install: .venv/.with-dev  ## make .venv with all that the tests need

demo: .venv/.with-demo  ## real recordings in, answers out, in minutes (DATA=folder: with more data sets)
	$(BIN)/kinjo demo -o $(OUT) $(if $(DATA),--data $(DATA))

# Two threads that wait for each other awake train a third faster; PASSIVE is for machines that do other things too.
base: export OMP_WAIT_POLICY = ACTIVE
base: .venv/.with-dev  ## train kinjo-base from start to end, resumable (DATA=folder, SHIP=1: into the package)
	$(BIN)/python -m kinjo.base recipes/kinjo-base.toml $(if $(DATA),--data $(DATA)) -o .bench/base $(if $(SHIP),--ship) $(ARGS)

# One thread for each of two workers. Whole files go to a worker, so that costly fixtures are made once.
test: .venv/.with-dev  ## run the tests (KINJO_DATA=folder: with the real-data tests, ARGS=...)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

test-ray: .venv/.with-dev .venv/.with-ray  ## test builds on a local Ray of two workers
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m ray tests/builder/test_cluster.py $(ARGS)

axe: .bench/axe/package/axe.min.js  ## fetch axe-core, which looks for what shuts people out of the studio (needs npm)

.bench/axe/package/axe.min.js:
	mkdir -p .bench/axe
	cd .bench/axe && npm pack --silent axe-core@$(AXE) && tar -xzf axe-core-$(AXE).tgz

lint: .venv/.with-dev  ## style, types and the floors
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo

format: .venv/.with-dev  ## mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(BENCHES:%=bench-%)  ## rebuild every number in benchmarks/results

bench-%: .venv/.with-dev  ## rebuild the numbers of benchmarks/<name>.py (DATA=folder of the data sets, ARGS=...)
	$(if $(DATA),KINJO_DATA=$(DATA)) $(BIN)/python benchmarks/$(subst -,_,$*).py $(ARGS)

pictures: .venv/.with-dev  ## remake the pictures of the studio in docs/pictures (needs Chromium)
	$(BIN)/python benchmarks/_studio_pictures.py

docs: .venv/.with-docs  ## build the site into site/
	$(BIN)/mkdocs build --strict

labels: .venv/.with-dev  ## remake the table of known labels, after a change of labels or sentences
	$(BIN)/python -c 'from kinjo.encoders.label_table import build; build()'

# The +cpu of a local wheel is cut off: elsewhere the same version has another build.
pins: .venv/.made  ## renew constraints.txt
	$(BIN)/uv pip compile pyproject.toml --extra all --extra dev --extra docs --extra ray --upgrade --quiet --no-annotate --no-header -o .venv/pins
	(grep '^#' constraints.txt; sed 's/+cpu//' .venv/pins) > .venv/constraints && mv .venv/constraints constraints.txt

clean:  ## remove what make and the tools made
	rm -rf .venv site build dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
