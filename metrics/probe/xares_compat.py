"""X-ARES as its code works, so that its table can be met. Not used for any score of ours.

Two habits of version 0.1.3 differ from what is meant: the bank of its nearest neighbours is normalised
along the wrong axis (`normalize(train_features.T, dim=1)`), and padding is encoded and pooled like audio.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .labels import classes_of, targets
from .neighbours import NEIGHBOURS, TEMPERATURE, softmax, unit

BATCH = 16
"""Clips padded to their longest."""

CHUNK_SECONDS = 10
WINDOW_SECONDS = 30


def xares_knn(
    bank: np.ndarray,
    labels: Sequence[str],
    queries: np.ndarray,
    k: int = NEIGHBOURS,
    temperature: float = TEMPERATURE,
) -> list[str]:
    """Vote of the nearest clips, each *feature* of the bank being scaled to length 1 over the clips.

    Queries are scaled by clip, as is right, so the similarity is no cosine and large clips are near to all.
    """
    classes = classes_of(labels)
    similarity = unit(queries) @ unit(bank.T)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    weights = softmax(np.take_along_axis(similarity, nearest, 1) / temperature)
    return [classes[index] for index in np.einsum("qk,qkc->qc", weights, targets(labels, classes)[nearest]).argmax(1)]


def pad_batches(waveforms: Sequence[np.ndarray], batch: int = BATCH) -> list[np.ndarray]:
    """Waveforms `(samples,)` with zeros up to the longest of their batch; the mean over all frames then is X-ARES's."""
    padded = []
    for start in range(0, len(waveforms), batch):
        together = waveforms[start : start + batch]
        longest = max(len(one) for one in together)
        padded += [np.pad(one, (0, longest - len(one))) for one in together]
    return padded


def pad_whisper(waveform: np.ndarray, rate: int = 16_000) -> np.ndarray:
    """Each 10 s of `(samples,)`, the last part too, followed by zeros up to 30 s, as its Whisper wrapper has it."""
    chunks = np.split(waveform, range(CHUNK_SECONDS * rate, len(waveform), CHUNK_SECONDS * rate))
    return np.concatenate([np.pad(chunk, (0, WINDOW_SECONDS * rate - len(chunk))) for chunk in chunks])
