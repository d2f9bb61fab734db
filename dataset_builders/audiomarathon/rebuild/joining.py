"""Recordings played one after another, as one FLAC file: 16 kHz, mono, 16 bit, no gap and no fade between them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile

from ...open_audio.clips import SAMPLE_RATE, Unusable, decode
from .drafts import Recording, SourceError

TOLERANCE = 0.01
"""Seconds a recording by which resampling may change the length."""


def join(parts: Sequence[Recording], path: Path) -> float:
    """Write `parts` to `path`, unless they are there already, and return the seconds of the file.

    Raises:
        SourceError: a recording cannot be decoded to its end.
    """
    expected = sum(part.seconds for part in parts)
    with suppress(soundfile.LibsndfileError):  # it is not there, or no sound file
        seconds = soundfile.info(path).duration
        if abs(seconds - expected) <= TOLERANCE * len(parts):
            return seconds
    samples = np.concatenate([_decode(part) for part in parts]).clip(-1, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    soundfile.write(partial, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    partial.rename(path)
    return len(samples) / SAMPLE_RATE


def _decode(part: Recording) -> np.ndarray:
    try:
        samples = decode(part.path)
    except Unusable as error:
        raise SourceError(f"{part.path} cannot be decoded: {error}") from None
    seconds = len(samples) / SAMPLE_RATE
    if seconds < part.seconds - TOLERANCE:
        raise SourceError(f"{part.path} ends after {seconds:.2f} s, but its header tells {part.seconds:.2f} s")
    return samples
