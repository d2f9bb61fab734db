"""The same recording under two names: audio fingerprints, robust to codec, level and where a cut begins.

A fingerprint is one 32-bit word a frame, after Haitsma and Kalker, "A Highly Robust Audio
Fingerprinting System" (ISMIR 2002): each bit says whether the difference of energy between two
neighbouring bands rises or falls from the frame before.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import signal

SAMPLING_RATE = 16_000
WINDOW, HOP = 4096, 256
"""Samples; much overlap keeps the words alike when two cuts begin at different samples."""

BANDS = np.geomspace(200, 4000, 34)
"""Edges of 33 bands, Hz."""

QUIET = 1e-3
"""A frame whose energy is below this part of the clip's loudest tells nothing."""

NEIGHBOURS = 16
"""Each frame is paired with this many others of the same word; a word of many frames is no hint."""

HITS, SHORT = 2, 60
"""Two clips are compared where this many of their words agree at one shift; one word is enough if
the shorter clip has fewer than `SHORT` telling frames."""

FRAMES, FEWEST = 24, 12
"""Two stretches are compared if they share this many telling frames (0.4 s) or all of the shorter
clip's, which must have `FEWEST` (0.2 s)."""

BIT_ERRORS = 0.17
"""Two stretches are the same recording if fewer of their bits differ; unrelated ones differ in half."""

_BITS = np.uint64(1) << np.arange(32, dtype=np.uint64)


@dataclass(frozen=True)
class Fingerprint:
    """`words`: `(frames,)` uint32, `telling`: `(frames,)` bool, false where the frame is too quiet."""

    words: np.ndarray
    telling: np.ndarray


def fingerprint(samples: np.ndarray) -> Fingerprint:
    """Return the fingerprint of `(samples,)` mono audio at 16 kHz."""
    samples = np.pad(samples, WINDOW // 2)
    _, _, spectrum = signal.stft(
        samples.astype(np.float32), nperseg=WINDOW, noverlap=WINDOW - HOP, boundary=None, padded=False
    )
    power = np.abs(spectrum).astype(np.float32) ** 2
    edges = np.round(BANDS * WINDOW / SAMPLING_RATE).astype(int)
    bands = np.add.reduceat(power, edges, axis=0)[:-1].T
    slope = np.diff(np.log(bands + 1e-10), axis=1)
    rises = np.diff(slope, axis=0) > 0
    energy = bands.sum(1)[1:]
    words = (rises.astype(np.uint64) * _BITS).sum(1).astype(np.uint32)
    return Fingerprint(words, energy > QUIET * energy.max(initial=0))


@dataclass(frozen=True)
class Match:
    """Clips `one` and `other` share `frames` frames in which this share of `bit_errors` differs."""

    one: int
    other: int
    frames: int
    bit_errors: float

    @property
    def seconds(self) -> float:
        """How long the two sound alike."""
        return self.frames * HOP / SAMPLING_RATE


def matches(fingerprints: list[Fingerprint], sides: Iterable[str]) -> Iterator[Match]:
    """Yield pairs of clips that hold the same recording and lie on different `sides` (splits)."""
    side = np.unique(list(sides), return_inverse=True)[1]
    words, clips, frames = (np.concatenate(column) for column in zip(*_columns(fingerprints)))
    order = np.argsort(words, kind="stable")
    words, clips, frames = words[order], clips[order], frames[order]
    pairs = []
    for lag in range(1, NEIGHBOURS):
        at = np.flatnonzero((words[:-lag] == words[lag:]) & (side[clips[:-lag]] != side[clips[lag:]]))
        pairs.append(np.stack([clips[at], clips[at + lag], frames[at + lag] - frames[at]], axis=1))
    found: set[tuple[int, int]] = set()
    telling = [int(print_.telling.sum()) for print_ in fingerprints]
    for (one, other, shift), hits in zip(*np.unique(np.concatenate(pairs), axis=0, return_counts=True)):
        enough = hits >= HITS or min(telling[one], telling[other]) < SHORT
        if enough and (one, other) not in found:
            count, errors = _compare(fingerprints[one], fingerprints[other], int(shift))
            if errors < BIT_ERRORS:
                found.add((one, other))
                yield Match(int(one), int(other), count, errors)


def _columns(fingerprints: list[Fingerprint]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    for number, print_ in enumerate(fingerprints):
        frames = np.flatnonzero(print_.telling)
        yield print_.words[frames], np.full(len(frames), number, np.int32), frames.astype(np.int32)


def _compare(one: Fingerprint, other: Fingerprint, shift: int) -> tuple[int, float]:
    """Return how many telling frames `one` and the shifted `other` share, and the share of bits that differ."""
    begin, end = max(0, -shift), min(len(one.words), len(other.words) - shift)
    here, there = slice(begin, end), slice(begin + shift, end + shift)
    telling = one.telling[here] & other.telling[there]
    count = int(telling.sum())
    if count < max(FEWEST, min(FRAMES, one.telling.sum(), other.telling.sum())):
        return count, 1.0
    different = np.bitwise_count(one.words[here][telling] ^ other.words[there][telling])
    return count, float(different.mean() / 32)
