"""A clip as a package holds it, and its way to 16 kHz mono FLAC."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

SAMPLE_RATE = 16_000
MIN_SECONDS = 0.2
MAX_SECONDS = 30.0
SILENCE = 1e-3
"""Peak amplitude, of full scale 1, below which a clip counts as silent."""


Part = Path | bytes | np.ndarray | Callable[[], np.ndarray]
"""A path, a whole sound file as bytes, a `(samples,)` float array that is at 16 kHz already, or a
function that makes such an array when the clip's turn comes (it may raise `Unusable`)."""


@dataclass(frozen=True)
class Clip:
    """One labelled recording before decoding.

    `parts` are played one after another. `start` and `end` (seconds) choose a stretch of a
    single part. A clip longer than `piece` seconds is cut into at most `max_pieces` pieces;
    without `piece` it must fit `longest` seconds, because its answer cannot be cut.
    """

    parts: tuple[Part, ...]
    answer: str
    split: str
    group: str
    source: str
    license: str
    name: str
    domain: str
    language: str | None = None
    start: float | None = None
    end: float | None = None
    piece: float | None = None
    max_pieces: int = 6
    longest: float = MAX_SECONDS


class DecoderMissingError(ValueError):
    """A program that a format needs is not installed."""


class Unusable(ValueError):
    """A clip that is left out; the message is the reason it is counted under."""


@dataclass(frozen=True)
class Piece:
    """Encoded audio: FLAC `data`, its `duration`, and where in the recording it lies (seconds)."""

    data: bytes
    duration: float
    start: float | None
    end: float | None


def encode(clip: Clip) -> Iterator[Piece | Unusable]:
    """Decode `clip` once and yield its pieces, or the reasons why there are none."""
    try:
        samples = np.concatenate([decode(part, clip.start, clip.end) for part in clip.parts])
    except Unusable as error:
        yield error
        return
    offset = clip.start or 0.0
    if len(samples) > SAMPLE_RATE * (clip.piece or clip.longest):
        if clip.piece is None:
            yield Unusable(f"longer than {clip.longest:g} s")
            return
        size = int(SAMPLE_RATE * clip.piece)
        for begin in range(0, min(len(samples), size * clip.max_pieces), size):
            stretch = samples[begin : begin + size]
            seconds = offset + begin / SAMPLE_RATE
            yield _piece(stretch, seconds, seconds + len(stretch) / SAMPLE_RATE)
    else:
        yield _piece(samples, clip.start, clip.end)


def _piece(samples: np.ndarray, start: float | None, end: float | None) -> Piece | Unusable:
    if len(samples) < SAMPLE_RATE * MIN_SECONDS:
        return Unusable(f"shorter than {MIN_SECONDS:g} s")
    if np.abs(samples).max() < SILENCE:
        return Unusable("silent")
    buffer = io.BytesIO()
    soundfile.write(buffer, samples.clip(-1, 1), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return Piece(buffer.getvalue(), len(samples) / SAMPLE_RATE, start, end)


def decode(part: Part, start: float | None = None, end: float | None = None) -> np.ndarray:
    """Return `(samples,)` float32 at 16 kHz: the mean of the channels, resampled by soxr.

    `start` and `end` (seconds) read a stretch of a file only.

    Raises:
        Unusable: the file cannot be decoded or holds samples that are not finite.
    """
    if callable(part):
        part = part()
    if isinstance(part, np.ndarray):
        return part.astype(np.float32)
    if isinstance(part, Path) and part.suffix == ".g722":
        stretch = slice(int((start or 0.0) * SAMPLE_RATE), None if end is None else int(end * SAMPLE_RATE))
        return _decode_g722(part)[stretch]
    try:
        with soundfile.SoundFile(io.BytesIO(part) if isinstance(part, bytes) else part) as file:
            rate = file.samplerate
            begin = int((start or 0.0) * rate)
            file.seek(begin)
            frames = -1 if end is None else int(end * rate) - begin
            samples = file.read(frames, dtype="float32", always_2d=True).mean(axis=1)
    except soundfile.LibsndfileError as error:
        raise Unusable("undecodable") from error
    if not np.isfinite(samples).all():
        raise Unusable("not finite")
    return soxr.resample(samples, rate, SAMPLE_RATE) if rate != SAMPLE_RATE else samples


def _decode_g722(path: Path) -> np.ndarray:
    if shutil.which("ffmpeg") is None:
        raise DecoderMissingError(f"ffmpeg is not installed, and {path.name} is G.722, which needs it")
    command = ["ffmpeg", "-v", "error", "-f", "g722", "-i", str(path), "-f", "s16le", "-"]
    done = subprocess.run(command, capture_output=True)
    if done.returncode or not done.stdout:
        raise Unusable("undecodable")
    return np.frombuffer(done.stdout, "<i2").astype(np.float32) / 32768
