"""The benchmark of runtimes on a tiny model; nothing is timed for its speed here."""

from pathlib import Path

import pytest

from metrics.efficiency.encoders import make_arms, measure, real_windows
from metrics.efficiency.timing import in_new_process

BFLOAT16 = {"torch_bfloat16", "openvino_bfloat16"}
INT8 = {"torch_int8", "onnxruntime_int8"}


@pytest.fixture(scope="module")
def result(tiny_checkpoint, tmp_path_factory):
    """In a process of its own: three runtimes beside what other tests have loaded end it with a crash, later."""
    return in_new_process(measure_most, tiny_checkpoint, tmp_path_factory.mktemp("arms"))


def measure_most(checkpoint: Path, folder: Path) -> dict:
    """All arms but the compiled, which take a C++ compiler and a minute."""
    arms = {name: arm for name, arm in make_arms(checkpoint, folder).items() if "compile" not in name}
    return measure(arms, real_windows(checkpoint, seconds=1, batch=2), repeats=2)


def test_every_arm_is_timed_beside_the_shipped_one(result):
    assert all(arm["seconds"]["median"] > 0 for arm in result.values())
    assert result["torch_bfloat16"]["over_torch_bfloat16"] == {"median": 1.0, "quartiles": [1.0, 1.0]}


def test_every_arm_runs_the_same_encoder_in_its_precision(result):
    difference = {name: arm["largest_difference"] for name, arm in result.items()}
    assert difference["torch_float32"] == 0
    assert all(1e-4 < difference[name] < 1 for name in BFLOAT16 | INT8)
    assert all(difference[name] < 1e-4 for name in result.keys() - BFLOAT16 - INT8)
    assert all(arm["least_cosine"] > 0.99 for arm in result.values())


def test_windows_are_full(tiny_checkpoint):
    inputs = real_windows(tiny_checkpoint, seconds=30, batch=2)
    assert inputs["input_features"].shape == (2, 80, 3000)
    assert inputs["input_features_mask"].all()
