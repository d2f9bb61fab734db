"""A checkpoint's encoder at work: unit vectors of recordings and of their windows."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .audio_io import SAMPLING_RATE

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
