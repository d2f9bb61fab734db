"""Two processes on one CPU learn what one does; a killed run goes on as if nothing had been."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from datasets import Dataset

from dataset_builders.instructions import cast

from .test_training import DRUMS, flac

REPOSITORY = Path(__file__).parents[2]
SPLITS = {"train": 12, "validation": 4}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, make_audio) -> Path:
    """A dataset on disk that `load_dataset` opens in any process."""
    folder = tmp_path_factory.mktemp("corpus")
    for split, clips in SPLITS.items():
        rows = []
        for clip in range(clips):
            label = DRUMS[clip % 3]
            instruction, answer, choices = cast("drum_class", label, DRUMS, random.Random(clip), canonical=True)
            seconds = 0.3 + 0.1 * (clip % 4)
            rows.append(
                {
                    "audio": flac(make_audio(seconds, seed=clip)),
                    "task": "drum_class",
                    "domain": "music",
                    "source": "made",
                    "instruction": instruction,
                    "answer": answer,
                    "choices": choices,
                    "label": label,
                    "duration": seconds,
                }
            )
        Dataset.from_list(rows).to_parquet(folder / "drum_class" / f"{split}.parquet")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: drum_class\n  data_files:\n"
        + "".join(f"  - split: {split}\n    path: drum_class/{split}.parquet\n" for split in SPLITS)
        + "---\n"
    )
    return folder


@pytest.fixture
def recipe(corpus, tiny_checkpoint, tmp_path):
    """`recipe(output, examples, **trainer)`: a recipe file; 48 examples are twelve steps or so."""

    def write(output: str, examples: int = 48, **trainer) -> Path:
        entries = {
            "mixture": {
                "tasks": {"drum_class": 1},
                "dataset": str(corpus),
                "examples": examples,
                "batch_seconds": 2.4,
                "max_seconds": 1.0,
            },
            "base": str(tiny_checkpoint),
            "output": str(tmp_path / output),
            "encoder": {"starts": 0.3, "lr": 1.0e-3},
            "language_model": {"lora": {"r": 2}},
            "validation_clips": 2,
            "trainer": {
                "logging_steps": 1,
                "save_strategy": "steps",
                "save_steps": 3,
                "disable_tqdm": True,
                "report_to": "none",
                **trainer,
            },
        }
        path = tmp_path / f"{output}.yaml"
        path.write_text(yaml.safe_dump(entries))
        return path

    return write


def start(path: Path, *launcher: str) -> subprocess.Popen:
    """`python -m training.train`, with one thread a process, in a session of its own."""
    command = [sys.executable, *launcher, "-m", "training.train", str(path)]
    env = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def losses(folder: Path) -> dict[int, float]:
    """Loss by step, of the last checkpoint."""
    newest = max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    log = json.loads((newest / "trainer_state.json").read_text())["log_history"]
    return {entry["step"]: entry["loss"] for entry in log if "loss" in entry}


def finish(process: subprocess.Popen) -> None:
    output, _ = process.communicate(timeout=300)
    # The tiny checkpoint was never assembled, so only the export at the very end refuses.
    assert "so nothing tells what the tensors were trained on" in output, output[-3000:]


def test_two_processes_give_the_loss_of_one(recipe, tmp_path):
    both = [
        start(recipe("one")),
        start(recipe("two"), "-m", "torch.distributed.run", "--nproc_per_node", "2"),
    ]
    for process in both:
        finish(process)
    assert list((tmp_path / "two").glob("checkpoint-*/rng_state_1.pth")), "there were two"
    alone, together = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(alone) >= 6 and alone.keys() == together.keys()
    # The frozen language model computes in bfloat16, which rounds other paddings otherwise.
    assert list(together.values()) == pytest.approx(list(alone.values()), rel=0.01)


def test_a_killed_run_goes_on_with_the_same_losses(recipe, tmp_path):
    whole = start(recipe("whole"))
    path, folder = recipe("killed"), tmp_path / "killed"
    killed = start(path)
    while not list(folder.glob("checkpoint-*/trainer_state.json")):
        assert killed.poll() is None, killed.stdout.read()[-3000:]
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    finish(start(path))
    finish(whole)
    assert losses(folder) == pytest.approx(losses(tmp_path / "whole"), rel=1e-5)


def test_a_stream_is_trained_on(recipe, tmp_path):
    path = recipe("streamed", max_steps=4)
    entries = yaml.safe_load(path.read_text())
    entries["mixture"]["streaming"] = True
    path.write_text(yaml.safe_dump(entries))
    finish(start(path))
    assert list(losses(tmp_path / "streamed")) == [1, 2, 3, 4]


def test_a_polite_kill_saves(recipe, tmp_path):
    process = start(recipe("long", examples=100_000, save_steps=1_000_000))
    lines = iter(process.stdout.readline, "")
    assert any("'loss'" in line for line in lines), "it trains"
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert "run it again to go on" in output and not (tmp_path / "long" / "final").exists()
    assert len(losses(tmp_path / "long")) >= 1
