"""What is refused before anything is sent."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import typer
from safetensors.numpy import save_file
from typer.testing import CliRunner

import model_cards.publish as module
from model_cards.metric_space import write_metric
from model_cards.repos import REPOS, PublishError, write_audiomarathon, write_model, write_open_audio
from model_cards.validate import MAX_BYTES, validate

CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: audio-text-to-text
base_model: openai/whisper-base
language: en
tags: [audio]
---

# A model
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    """A small model that may go to the Hub."""
    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    (tmp_path / "README.md").write_text(CARD)
    assert validate(tmp_path, "model") == []
    return tmp_path


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("weights.bin", b"\x80", "weights.bin is not safetensors"),
        ("model.safetensors", b"\0" * 20, "model.safetensors is damaged"),
        ("model.safetensors.index.json", b'{"weight_map": {"a": "b.safetensors"}}', "b.safetensors, which is missing"),
        ("notes.txt", b"hf_" + b"a" * 34, "notes.txt holds a secret"),
        ("run.json", f"{Path.home()}/x".encode(), "run.json holds a path of this machine"),
        ("run.json", b'"/home/her/x"', "run.json holds a path of this machine, /home/her/"),
        ("README.md", CARD.replace("license: apache-2.0\n", "").encode(), "the card lacks license"),
        ("README.md", b"---\nlicense: [\n---\n", "metadata cannot be read"),
        ("README.md", f"{CARD}[more](more.md)".encode(), "the card links to more.md, which is missing"),
        ("README.md", f"{CARD}USER/name".encode(), "the card does not name the organisation"),
        (".eval_results/x.yaml", b"- value: 3\n", "metadata cannot be read"),
    ],
)
def test_what_may_not_go_to_the_hub(folder, name, content, problem):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    [found] = validate(folder, "model")
    assert problem in found and "a" * 34 not in found


def test_a_secret_in_the_header_of_a_tensor_file(folder):
    save_file({"weight": np.zeros(3, np.float32)}, folder / "more.safetensors", {"note": "hf_" + "a" * 34})
    assert validate(folder, "model") == ["more.safetensors holds a secret"]


def test_a_config_without_files_and_a_space_without_a_start(tmp_path):
    fields = "license: mit\npretty_name: x\nlanguage: en\ntask_categories: [x]\nsize_categories: n<1K\n"
    config = "configs:\n- config_name: asr\n  data_files:\n  - split: test\n    path: asr/*.parquet\n"
    (tmp_path / "README.md").write_text(f"---\n{fields}{config}---\n")
    assert validate(tmp_path, "dataset") == ["config asr has no files asr/*.parquet"]
    (tmp_path / "README.md").write_text("---\nlicense: mit\ntitle: x\nsdk: gradio\napp_file: app.py\n---\n")
    assert validate(tmp_path, "space") == ["app.py, where the Space starts, is missing"]


def test_a_model_too_large(folder, monkeypatch):
    monkeypatch.setitem(MAX_BYTES, "model", 100)
    assert validate(folder, "model") == ["0.0 GB are more than the 1e-07 GB of a model"]


def test_code_of_another_checkout_is_refused(tiny_checkpoint, tmp_path, monkeypatch):
    old = shutil.copytree(tiny_checkpoint, tmp_path / "old")
    (old / "audio_io.py").write_text("# of last week\n")
    monkeypatch.setenv("UNIWHISPER_MODEL", str(old))
    with pytest.raises(PublishError, match=r"audio_io.py is not that of modeling_uniwhisper: run `python -m training"):
        write_model(tmp_path / "out", "someone")


def test_the_release_of_others_is_not_passed_on(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOMARATHON", "hub")
    with pytest.raises(PublishError, match=r"\$AUDIOMARATHON is set, but only the mini may be published"):
        write_audiomarathon(tmp_path, "someone")


def test_open_audio_that_is_not_built(tmp_path, monkeypatch):
    monkeypatch.setenv("UNIWHISPER_DATA", str(tmp_path))
    with pytest.raises(PublishError, match="build --only spoken_topic"):
        write_open_audio(tmp_path / "out", "someone")


def test_two_modules_of_one_name_do_not_lie_flat(tmp_path):
    (tmp_path / "score.py").write_text("from .paper import score\nfrom metrics.audiomarathon.paper import score\n")
    (tmp_path / "paper.py").write_text("score = 1\n")
    with pytest.raises(ValueError, match="two of the modules that score needs have one name"):
        write_metric(tmp_path / "score.py", "score", tmp_path)


def test_a_dry_run_shows_what_would_go_to_the_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(module, "REPOS", [repo for repo in REPOS if repo.name == "frozen_probe"])
    monkeypatch.setattr(module, "publish", lambda *_: pytest.fail("sent"))
    app = typer.Typer()
    app.command()(module.main)
    result = CliRunner().invoke(app, ["--target", "someone", "--dry-run"])
    assert result.exit_code == 0, result.output
    folder = tmp_path / "uniwhisper/hub/someone/frozen_probe"
    assert str(folder) in result.output and f"│ {len(list(folder.iterdir()))} " in result.output
