"""Clips among other sounds: of their task, one after the other, or in the middle of speech or music."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataset_builders.loading import decode
from modeling_uniwhisper.audio_io import SAMPLING_RATE

GAP = 0.5
"""Seconds between clips."""
OTHERS = 6
"""Labels that may be heard beside the one that is asked for."""
LEVEL = 0.05
"""Root mean square of each clip, of full scale 1, so that loudness tells nothing."""
SHORTEST = 1 / 3
"""Of the longest recording."""
ABOVE = (0.0, 12.0)
"""Decibels that a clip may be louder than what it lies in."""


@dataclass(frozen=True)
class Companions:
    """What is heard beside a clip.

    Args:
        places: rows of its task, in the order in which they are heard.
        before: how many of them come before it.
        labels: those that are heard.
    """

    places: Sequence[int]
    before: int
    labels: frozenset[str]


def companions(
    labels: np.ndarray, seconds: np.ndarray, place: int, longest: float, rng: np.random.Generator
) -> Companions:
    """Draw what goes with row `place` of a task, in a recording of up to `longest` seconds.

    Half of the recordings are of its label throughout, the others of a few labels, where it is heard once.

    Args:
        labels: of the task's rows `(rows,)`.
        seconds: their durations `(rows,)`.
    """
    others = np.unique(labels[labels != labels[place]])
    chosen = labels[place : place + 1]
    if rng.random() < 0.5 and len(others) > 1:
        chosen = rng.choice(others, min(OTHERS, len(others) // 2), replace=False)  # so that some are not heard
    pool = np.flatnonzero(np.isin(labels, chosen) & (np.arange(len(labels)) != place))
    drawn = rng.permutation(pool)
    lengths = seconds[place] + np.cumsum(seconds[drawn] + GAP)
    places = drawn[lengths <= rng.uniform(SHORTEST, 1.0) * longest].tolist()
    return Companions(places, int(rng.integers(len(places) + 1)), frozenset(labels[[place, *places]].tolist()))


def joined(clip: bytes, others: Sequence[bytes], before: int) -> np.ndarray:
    """One waveform `(samples,)` at 16 kHz: `before` of the other sound files, the clip, the rest, with gaps."""
    files = [*others[:before], clip, *others[before:]]
    gap = np.zeros(round(GAP * SAMPLING_RATE), np.float32)
    parts = [part for file in files for part in (levelled(decode(file)), gap)]
    return np.concatenate(parts[:-1])


def buried(clip: bytes, bed: bytes, rng: np.random.Generator) -> np.ndarray:
    """One waveform `(samples,)` at 16 kHz: a sound file at a random place of a bed, which is softer."""
    event, around = (levelled(decode(file)) for file in (clip, bed))
    mixed = np.pad(around, (0, max(0, len(event) - len(around))))
    start = rng.integers(len(mixed) - len(event) + 1)
    mixed[start : start + len(event)] += event * 10 ** (rng.uniform(*ABOVE) / 20)
    return mixed


def levelled(samples: np.ndarray) -> np.ndarray:
    """`samples` at `LEVEL`; silence stays."""
    return samples * (LEVEL / max(float(np.sqrt(np.mean(samples**2))), 1e-6))
