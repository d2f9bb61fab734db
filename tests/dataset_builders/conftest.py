"""A tiny corpus of tones, built where a test may write."""

import numpy as np
import pytest

from dataset_builders.open_audio import build as building
from dataset_builders.open_audio.clips import SAMPLE_RATE, Clip
from dataset_builders.open_audio.configs import TaskConfig
from dataset_builders.open_audio.packages import PackageStore

LABELS = ("bell", "kick", "snare")


def tone(hertz: float, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE) / 2


def clip(number: int, **changes) -> Clip:
    split = ("train", "validation", "test")[number % 3]
    values = {
        "parts": (tone(200 + 10 * number),),
        "answer": LABELS[number // 3 % len(LABELS)],
        "split": split,
        "group": f"{split}-{number}",
        "source": "tones",
        "license": "CC0",
        "name": f"tone-{number}",
        "domain": "music",
    }
    return Clip(**(values | changes))


@pytest.fixture
def corpus(monkeypatch):
    """Replace `drum_class` by the clips that the test appends to the list it gets."""
    clips = [clip(number) for number in range(18)]
    config = TaskConfig(lambda store: iter(clips), "tones", LABELS)
    monkeypatch.setitem(building.CONFIGS, "drum_class", config)
    return clips


@pytest.fixture
def build(tmp_path, corpus):
    """Build the tiny corpus and return its manifest."""
    return lambda: building.build("drum_class", PackageStore(tmp_path), tmp_path / "out")
