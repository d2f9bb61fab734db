"""Two to four sounds at known times: which are there, and when."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from functools import partial

import numpy as np

from ..open_audio.clips import SAMPLE_RATE, Clip, Unusable
from ..open_audio.packages import PackageStore
from ..open_audio.sound.captions import background, event, mixture
from ..open_audio.sound.names import BROADER
from ..open_audio.sound.recordings import recordings
from ..open_audio.splits import SPLITS
from .clips import Event, ProbeClip

CLASSES = (
    "airplane", "applause or cheering", "bird", "bubbles or drops", "car or truck", "cow", "crash or collapse",
    "door", "electric spark", "explosion", "fire", "footsteps", "gunshot", "hammer", "human cry", "machine",
    "monster", "running water", "saw", "sheep", "thunder",
)  # fmt: skip
"""Those of `sound_event` that have recordings enough: two of validation, four of test, seven of training."""

BACKGROUNDS = ("rain", "wind")
"""One of them goes on softly behind half of the mixes and is no label, so that not all that sounds is an event."""

MIXES = {"train": 1000, "validation": 160, "test": 240}
SECONDS = (5.0, 10.0)
LOUDER = (-6.0, 3.0)
"""Decibels that an event's level may differ by."""

Sound = tuple[Clip, np.ndarray]


def sound_mix(store: PackageStore) -> Iterator[ProbeClip]:
    """Events of different classes, each at a random time, so that many overlap; each split has its own recordings."""
    sounds: dict[str, dict[str, list[Sound]]] = {split: defaultdict(list) for split in SPLITS}
    behind: dict[str, list[Clip]] = {split: [] for split in SPLITS}
    for clip in recordings(store):
        label = BROADER.get(clip.answer, clip.answer)
        if label in BACKGROUNDS:
            behind[clip.split].append(clip)
        elif label in CLASSES:
            try:
                sounds[clip.split][label].append((clip, event(clip)))
            except Unusable:
                continue
    for split in SPLITS:
        for number in range(MIXES[split] if sounds[split] else 0):
            yield _mix(sounds[split], behind[split], f"{split}-{number:04d}")


def _mix(sounds: dict[str, list[Sound]], backgrounds: list[Clip], name: str) -> ProbeClip:
    rng = random.Random(f"sound_mix/{name}")
    labels = rng.sample(sorted(sounds), min(len(sounds), rng.randint(2, 4)))
    bed = rng.choice(backgrounds) if backgrounds and rng.random() < 0.5 else None
    length = int(rng.uniform(*SECONDS) * SAMPLE_RATE)
    used, placed, events = [bed] if bed else [], [], []
    for label in labels:
        clip, samples = rng.choice(sounds[label])
        start, gain = rng.randrange(length - len(samples)), 10 ** (rng.uniform(*LOUDER) / 20)
        used.append(clip)
        placed.append((start, gain, samples))
        events.append(Event(label, start / SAMPLE_RATE, (start + len(samples)) / SAMPLE_RATE))
    mixed = mixture(used, partial(_add, placed, bed, length), answer=", ".join(sorted(labels)), name=name)
    return ProbeClip.of(mixed, events=tuple(sorted(events, key=lambda event: event.start)))


def _add(placed: list[tuple[int, float, np.ndarray]], bed: Clip | None, length: int) -> np.ndarray:
    mixed = background(bed, length) if bed else np.zeros(length, np.float32)
    for start, gain, samples in placed:
        mixed[start : start + len(samples)] += gain * samples
    return mixed / max(1.0, float(np.abs(mixed).max()))
