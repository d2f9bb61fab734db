"""The wheel, in a virtual environment that sees the same third-party packages but nothing of this checkout."""

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

pytest.importorskip("setuptools", minversion="77")

ROOT = Path(__file__).parents[1]
ENCODER = ROOT / "model_cards" / "uniwhisper-base"
LION = ROOT / "spaces" / "uniwhisper" / "examples" / "lion.flac"

USE = f"""
import sys
from importlib.util import find_spec
from pathlib import Path

import dataset_builders
import modeling_uniwhisper
import torch
from datasets import load_dataset
from modeling_uniwhisper import load_audio
from transformers import AutoFeatureExtractor, AutoModel

for package in (modeling_uniwhisper, dataset_builders):
    assert Path(package.__file__).is_relative_to(sys.prefix), package.__file__
assert not any(map(find_spec, ("metrics", "training", "tests")))

model = AutoModel.from_pretrained({str(ENCODER)!r})
features = AutoFeatureExtractor.from_pretrained({str(ENCODER)!r})
out = model.embed(**features(load_audio({str(LION)!r}), sampling_rate=16_000), normalize=True)
assert out.embeddings.shape == (1, 512)
torch.testing.assert_close(out.embeddings.norm(dim=-1), torch.ones(1))

from dataset_builders.audiomarathon.tasks import TASKS
from dataset_builders.loading import decode
from dataset_builders.public_mixture import load_mixture

for task in TASKS:
    rows = load_dataset("audiomarathon", task, split="mini")
    assert len(rows) and {{*rows["task"]}} == {{task}}
assert 90 <= len(decode(Path(rows[0]["audio"]["path"]).read_bytes())) / 16_000 <= 300
assert load_mixture()
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """The programs of an environment with the wheel. It is built from a copy, as a build leaves files in its source."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "uniwhisper_cli.py"):
        shutil.copy(ROOT / name, source)
    for name in ("modeling_uniwhisper", "dataset_builders"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, source], check=True)
    (wheel,) = folder.glob("uniwhisper-*.whl")
    home = folder / "environment"
    venv.create(home, symlinks=True)
    paths = sysconfig.get_paths("venv", {"base": str(home)})
    python = Path(paths["scripts"], "python")
    subprocess.run([*pip, "--python", python, "install", "--no-deps", "--ignore-installed", wheel], check=True)
    # The .pth files in a folder that a .pth file names, such as the one that leads to this checkout, are not read.
    Path(paths["purelib"], "third_party.pth").write_text(sysconfig.get_path("purelib"))
    return python.parent


@pytest.fixture
def run(environment, tmp_path, monkeypatch):
    """Runs a program of the environment in an empty folder, with caches of its own."""
    for variable in ("HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    for variable in ("PYTHONPATH", "UNIWHISPER_DATA", "UNIWHISPER_MODEL"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "elsewhere").mkdir()

    def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [environment / program, *arguments]
        return subprocess.run(command, cwd=tmp_path / "elsewhere", capture_output=True, text=True)

    return run


def test_a_model_and_a_dataset_are_used(run):
    done = run("python", "-c", USE)
    assert not done.returncode, done.stderr


def test_the_command_embeds(run, tmp_path):
    done = run("uniwhisper", "--help")
    assert not done.returncode and "transcribe" in done.stdout, done.stderr
    done = run("uniwhisper", "embed", str(LION), "--out", "embeddings.parquet", "--model", str(ENCODER))
    assert not done.returncode, done.stderr
    assert (tmp_path / "elsewhere" / "embeddings.parquet").stat().st_size > 1000
