# Two commands on a bare machine: `make demo` opens the page, `make test` passes the tests.
# Both make a virtual environment with the versions of constraints.txt and assemble the checkpoint.

PYTHON ?= python3
BIN := .venv/bin
CHECKPOINT := $(BIN)/python -m training.assemble

.PHONY: demo test lint ffmpeg

demo: .venv/.demo ffmpeg
	$(CHECKPOINT)
	$(BIN)/python spaces/uniwhisper/app.py

test: .venv/.dev ffmpeg
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(CHECKPOINT)
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --durations=10

lint: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/mypy

.venv/.demo: EXTRAS := demo,train
.venv/.dev: EXTRAS := dev
.venv/.demo .venv/.dev: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[$(EXTRAS)]"
	touch $@

# wav, flac, ogg, opus and mp3 need nothing more; m4a and video need FFmpeg's libraries.
ffmpeg:
	@command -v ffmpeg >/dev/null \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	     && apt-get update -qq && apt-get install -qq -y --no-install-recommends ffmpeg >/dev/null 2>&1; } \
	|| echo "FFmpeg is not installed and could not be: m4a and video files will not decode, all other audio will."
