"""Encodes the clips of a dataset once, for every probe that follows.

    embedded = embed(open_encoder("whisper-base"), rows, cache)
    embedded.pooled[:, 3]  # a vector a clip, from layer 3

A cache folder belongs to one encoder and one dataset, by their fingerprints. It fills a shard of like
lengths at a time, and a run that was killed goes on after the last whole one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import datasets
import numpy as np
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text
from safetensors.numpy import load_file, save_file

from modeling_uniwhisper import AudioError, load_audio
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.feature_extraction_uniwhisper import cut_windows
from training.files import flush

from .encoders import Encoder

VERSION = 1
"""Raised whenever windows, pooling or files come out otherwise: older caches are left alone."""

SHARD_SECONDS = 600.0
BATCH_SECONDS = 60.0  # of padded audio


class Embedded(NamedTuple):
    """A dataset's clips in its order.

    Args:
        pooled: mean over the real frames of every layer, float32 `(clips, layers, dim)`.
        frames: float16 `(frames, dim)` of each clip from the layer that was asked for, else `None`.
    """

    pooled: np.ndarray
    frames: list[np.ndarray] | None = None


def embed(
    encoder: Encoder, rows: datasets.Dataset, cache: Path, layer: int | None = None, description: str = "Embedding"
) -> Embedded:
    """Embeds every clip of `rows`, or reads from the folder `cache` what was embedded before.

    A clip longer than the encoder's window is cut, and its windows count by their duration.

    Args:
        rows: with columns `audio`, of `bytes` and `path`, and `duration` in seconds.
        layer: also give the frames of this layer.

    Raises:
        AudioError: a clip cannot be decoded or is shorter than 25 ms; the message names its row.
        ValueError: there is no such layer, or an embedding is not finite or too large for its dtype.
    """
    if layer is not None and not 0 <= layer < encoder.layers:
        raise ValueError(f"layer is {layer}, but {encoder.name} has layers 0 to {encoder.layers - 1}")
    folder = open_folder(encoder, rows, cache)
    kinds = {"pooled"} if layer is None else {"pooled", f"frames-{layer}"}
    done = {kind: read_shards(folder / kind) for kind in kinds}
    durations = np.asarray(rows["duration"])
    by_length = np.argsort(durations, kind="stable").tolist()
    missing = [row for row in by_length if any(row not in vectors for vectors in done.values())]
    with progress_bar(disable=not missing) as progress:
        task = progress.add_task(f"{description}, {encoder.name}", total=durations[missing].sum())
        for shard in shards(missing, durations):
            found = encode_shard(encoder, rows, shard, layer)
            for kind, vectors in done.items():
                new = {row: vector for row, vector in found[kind].items() if row not in vectors}
                write_shard(folder / kind, new)
                vectors |= new
            progress.advance(task, durations[shard].sum())
    clips = range(len(rows))
    frames = None if layer is None else [done[f"frames-{layer}"][row] for row in clips]
    return Embedded(np.stack([done["pooled"][row] for row in clips]), frames)


def encode_shard(
    encoder: Encoder, rows: datasets.Dataset, shard: list[int], layer: int | None
) -> dict[str, dict[int, np.ndarray]]:
    """By what is stored, a vector or, given a `layer`, frames of each row in `shard`."""
    windows = {row: cut(read_clip(rows, row), encoder.window_seconds) for row in shard}
    encoded = iter(encode_windows(encoder, [window for pieces in windows.values() for window in pieces], layer))
    pooled, frames = {}, {}
    for row, pieces in windows.items():
        sums, counts, of_layer = zip(*islice(encoded, len(pieces)))
        pooled[row] = (np.sum(sums, axis=0) / sum(counts)).astype(np.float32)
        with np.errstate(over="ignore"):  # refused below
            frames[row] = np.concatenate(of_layer).astype(np.float16)
        if not (np.isfinite(pooled[row]).all() and np.isfinite(frames[row]).all()):
            raise ValueError(f"{encoder.name} gives row {row} values that float32 or, for frames, float16 cannot hold")
    return {"pooled": pooled} if layer is None else {"pooled": pooled, f"frames-{layer}": frames}


def encode_windows(
    encoder: Encoder, windows: list[np.ndarray], layer: int | None
) -> list[tuple[np.ndarray, int, np.ndarray]]:
    """Of each window the sum over its frames `(layers, dim)`, how many they are, and those of `layer`, if any."""
    encoded: list = [None] * len(windows)
    for batch in batches([len(window) for window in windows]):
        for place, states in zip(batch, encoder.encode([windows[place] for place in batch])):
            frames = states[0, :0] if layer is None else states[layer].copy()
            encoded[place] = states.sum(1, dtype=np.float64), states.shape[1], frames
    return encoded


def read_clip(rows: datasets.Dataset, row: int) -> np.ndarray:
    """Row number `row` as 16 kHz mono `(samples,)`; raises [`AudioError`] that names it."""
    audio = rows[row]["audio"]
    try:
        return load_audio(audio["bytes"])
    except AudioError as error:
        raise AudioError(f"row {row} ({audio['path']}): {error}") from None


def cut(waveform: np.ndarray, window_seconds: float) -> list[np.ndarray]:
    """The windows of a waveform, which are those of our own feature extractor."""
    return [waveform[start:stop] for start, stop in cut_windows(waveform, round(window_seconds * SAMPLING_RATE))]


def batches(lengths: list[int]) -> Iterator[list[int]]:
    """Places of `lengths`, like ones together, at most `BATCH_SECONDS` of padded audio at a time."""
    batch: list[int] = []
    for place in np.argsort(lengths, kind="stable").tolist():
        if (len(batch) + 1) * lengths[place] > BATCH_SECONDS * SAMPLING_RATE and batch:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def shards(order: list[int], durations: np.ndarray) -> list[list[int]]:
    """Cuts `order` after every `SHARD_SECONDS` or so."""
    number = np.cumsum(durations[order]) // SHARD_SECONDS
    return [part.tolist() for part in np.split(np.array(order, int), np.flatnonzero(np.diff(number)) + 1) if len(part)]


def open_folder(encoder: Encoder, rows: datasets.Dataset, cache: Path) -> Path:
    """The folder in `cache` of this encoder and these clips, with a manifest that says so."""
    made_by = {
        "version": VERSION,
        "encoder": encoder.fingerprint,
        "dataset": dataset_sha256(rows),
        "clips": len(rows),
    }
    folder = Path(cache) / hashlib.sha256(json.dumps(made_by).encode()).hexdigest()[:32]
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"name": encoder.name, "layers": encoder.layers, "frame_seconds": encoder.frame_seconds, **made_by}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return folder


def dataset_sha256(rows: datasets.Dataset) -> str:
    """Hexadecimal SHA-256 over the sound files of all rows, in order; labels and paths may change."""
    digest = hashlib.sha256()
    for audio in rows.select_columns("audio"):
        digest.update(hashlib.sha256(audio["audio"]["bytes"]).digest())
    return digest.hexdigest()


def read_shards(folder: Path) -> dict[int, np.ndarray]:
    """What was written of each row."""
    vectors: dict[int, np.ndarray] = {}
    for path in sorted(folder.glob("*.safetensors")):
        vectors |= {int(row): vector for row, vector in load_file(path).items()}
    return vectors


def write_shard(folder: Path, vectors: dict[int, np.ndarray]) -> None:
    """Writes rows that no other shard holds to a file named by the first, whole or not at all."""
    if not vectors:
        return
    folder.mkdir(exist_ok=True)
    partial = folder / f".{os.getpid()}.partial"
    try:
        save_file({str(row): vector for row, vector in vectors.items()}, partial)
        flush(partial)
        partial.replace(folder / f"{next(iter(vectors)):08}.safetensors")
    finally:
        partial.unlink(missing_ok=True)


class Speed(ProgressColumn):
    """Audio hours a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed / 3600:.4f} audio h/s")


def progress_bar(disable: bool) -> Progress:
    """A bar over seconds of audio."""
    return Progress(TextColumn("{task.description}"), BarColumn(), Speed(), TimeRemainingColumn(), disable=disable)
