"""A checkpoint's encoder at work on recordings: unit vectors of their windows, and what names a moment."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .audio_io import MIN_SAMPLES, SAMPLING_RATE, AudioError, load_audio

if TYPE_CHECKING:
    from .modeling_uniwhisper import UniWhisperModel

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


class Embedder:
    """A checkpoint's encoder, on the GPU where there is one; `model` where it is loaded already."""

    def __init__(self, checkpoint: Path, dtype: str = "float32", model: "UniWhisperModel | None" = None):
        import torch

        from . import UniWhisperFeatureExtractor, UniWhisperModel

        self.features = UniWhisperFeatureExtractor.from_pretrained(checkpoint)
        if model is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
            model = UniWhisperModel.from_pretrained(checkpoint, dtype=getattr(torch, dtype)).to(device).eval()
        self.model = model

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


def load_span(
    source: str | Path, start: float = 0.0, end: float | None = None, max_seconds: float = math.inf
) -> np.ndarray:
    """A file from `start` to `end` in seconds, or to its own end, 16 kHz mono `(samples,)`.

    Raises [`AudioError`] where the file cannot be read or is longer than `max_seconds`, or the span is not in it.
    """
    audio = load_audio(source, max_seconds=max_seconds)
    seconds = len(audio) / SAMPLING_RATE
    last = seconds if end is None else end
    first, stop = round(start * SAMPLING_RATE), round(last * SAMPLING_RATE)
    if not (first >= 0 and first + MIN_SAMPLES <= stop <= len(audio)):
        raise AudioError(
            f"{source} lasts {seconds:.2f} s, which does not hold the span from {start:g} to {last:g} s; "
            f"a span lasts at least {1000 * MIN_SAMPLES // SAMPLING_RATE} ms."
        )
    return audio[first:stop]


def file_version(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in ns; zeros for a file that is not there."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def clock(seconds: float) -> str:
    """Seconds as `m:ss.s`, or `h:mm:ss.s` from an hour on."""
    tenths = round(10 * seconds)
    hours, minutes = tenths // 36_000, tenths // 600 % 60
    head = f"{hours}:{minutes:02}" if hours else str(minutes)
    return f"{head}:{tenths // 10 % 60:02}.{tenths % 10}"
