"""X-ARES as its code works, so that its table can be met. Not used for any score of ours.

Two habits of version 0.1.3 differ from what is meant: the bank of its nearest neighbours is normalised
along the wrong axis (`normalize(train_features.T, dim=1)`), and padding is encoded and pooled like audio.
What it does by crop or by fold is done by clip and on one split here.
"""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import numpy as np
from rich.progress import track

from .embed import cut, encode_windows, read_clip
from .encoders import Encoder, pads_to_window
from .heads import XARES, train_heads
from .labels import classes_of, targets
from .neighbours import NEIGHBOURS, TEMPERATURE, softmax, unit

BATCH = 16
"""Clips padded to their longest."""

CHUNK_SECONDS = 10
WINDOW_SECONDS = 30
SEED = 42


def xares_outputs(
    encoder: Encoder, rows: dict[str, datasets.Dataset], labels: dict[str, list[str]]
) -> dict[str, np.ndarray]:
    """Outputs on test `(1, clips, classes)` of both its probes, "xares_knn" and "xares_mlp"."""
    pooled = {split: pool(encoder, rows[split], f"X-ARES's way, {split}") for split in rows}
    classes = classes_of(labels["train"])
    train, validation = ((pooled[split], targets(labels[split], classes)) for split in ("train", "validation"))
    voted = xares_knn(pooled["train"], labels["train"], pooled["test"])
    heads = train_heads(train, validation, XARES, seeds=(SEED,))
    return {"xares_knn": targets(voted, classes)[None], "xares_mlp": heads.outputs(pooled["test"])}


def pool(encoder: Encoder, rows: datasets.Dataset, description: str) -> np.ndarray:
    """Mean over all frames of the last layer `(clips, dim)`, padding too; nothing is kept on disk."""
    pooled = []
    for start in track(range(0, len(rows), BATCH), description):
        clips = pad_batches([read_clip(rows, row) for row in range(start, min(start + BATCH, len(rows)))])
        if pads_to_window(encoder):
            clips = [pad_whisper(clip) for clip in clips]
        for clip in clips:
            sums, counts, _ = zip(*encode_windows(encoder, cut(clip, encoder.window_seconds), None))
            pooled.append(np.sum(sums, axis=0)[-1] / sum(counts))
    return np.stack(pooled).astype(np.float32)


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
