"""Search by example: embed recordings window by window and rank their moments by cosine similarity."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .audio_io import SAMPLING_RATE, load_audio
from .checkpoints import cache_home, encoder_sha256

MOMENT_SECONDS = 5.0  # length of the moments that search returns


class Embedded(NamedTuple):
    """One recording as unit vectors.

    Args:
        starts: seconds `(windows,)`.
        ends: seconds `(windows,)`.
        windows: one vector a window `(windows, dim)`.
        recording: one vector for all of it `(dim,)`.
    """

    starts: np.ndarray
    ends: np.ndarray
    windows: np.ndarray
    recording: np.ndarray


class Moment(NamedTuple):
    """A stretch of a recording and its cosine similarity to the query."""

    path: str
    start: float
    end: float
    score: float


class Embedder:
    """A checkpoint's encoder, on the GPU where there is one."""

    def __init__(self, checkpoint: Path, dtype: str = "float32"):
        import torch

        from . import UniWhisperFeatureExtractor, UniWhisperModel

        self.checkpoint, self.dtype = checkpoint, dtype
        self.sha256 = encoder_sha256(checkpoint)
        self.features = UniWhisperFeatureExtractor.from_pretrained(checkpoint)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = UniWhisperModel.from_pretrained(checkpoint, dtype=getattr(torch, dtype)).to(device).eval()

    def __call__(self, audio: np.ndarray, window_seconds: float | None = None) -> Embedded:
        """Embeds 16 kHz mono `audio` of shape `(samples,)`; windows are the checkpoint's by default."""
        features = self.features(audio, sampling_rate=SAMPLING_RATE, window_seconds=window_seconds)
        out = self.model.embed(**features, normalize=True)
        seconds = len(audio) / SAMPLING_RATE
        return Embedded(
            out.window_starts.numpy().astype(np.float64),
            np.minimum(out.window_ends.numpy().astype(np.float64), seconds),
            out.window_embeddings.float().numpy(),
            out.embeddings[0].float().numpy(),
        )

    def moments(self, path: Path) -> Embedded:
        """The moments of a file, read from the cache while the file, the weights and the dtype are the same.

        Raises [`AudioError`] where the file cannot be read.
        """
        key = f"{self.sha256} {self.dtype} {MOMENT_SECONDS} {path.resolve()}"
        cached = cache_home() / "index" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
        version = file_version(path)
        if cached.exists():
            with np.load(cached, allow_pickle=False) as arrays:
                if tuple(arrays["version"]) == version:
                    return Embedded(*(arrays[name] for name in Embedded._fields))
        embedded = self(load_audio(path), MOMENT_SECONDS)
        cached.parent.mkdir(parents=True, exist_ok=True)
        partial = cached.with_suffix(f".{os.getpid()}")
        with partial.open("wb") as file:
            np.savez(file, version=np.array(version), **embedded._asdict())
        partial.replace(cached)
        return embedded


def file_version(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in ns; zeros for a file that is not there."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def rank_moments(query: np.ndarray, recordings: Mapping[str, Embedded], top: int | None = None) -> list[Moment]:
    """The `top` windows, or all, by their similarity to the unit vector `query` of shape `(dim,)`, best first."""
    moments = [
        Moment(path, float(start), float(end), float(score))
        for path, embedded in recordings.items()
        for start, end, score in zip(embedded.starts, embedded.ends, embedded.windows @ query)
    ]
    return sorted(moments, key=lambda moment: -moment.score)[:top]


def clock(seconds: float) -> str:
    """Seconds as `m:ss.s`, or `h:mm:ss.s` from an hour on."""
    tenths = round(10 * seconds)
    hours, minutes = tenths // 36_000, tenths // 600 % 60
    head = f"{hours}:{minutes:02}" if hours else str(minutes)
    return f"{head}:{tenths // 10 % 60:02}.{tenths % 10}"
