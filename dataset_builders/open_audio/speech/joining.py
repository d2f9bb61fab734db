"""Short lines of one speaker joined into clips of alike lengths, whatever is said."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import soundfile

from ..clips import Clip
from ..pinned import PACKAGES
from .sources import Line

SECONDS = (1.5, 5.0)
"""Each clip joins lines of one speaker until it is as long as a draw from this range, so that
length tells nothing of the speaker; it may pass the draw by one line."""

LONGEST_LINE = 8.0


@dataclass(frozen=True)
class Heard:
    """A sound file of one speaker, whatever is said."""

    audio: Path | bytes
    language: str
    speaker: str
    source: str
    name: str


def heard(line: Line) -> Heard:
    """Return `line` without its text."""
    return Heard(line.audio, line.language, line.speaker, line.source, line.name)


def recordings(root: Path, pattern: str, language: str, speaker: str, source: str) -> Iterator[Heard]:
    """Yield the sound files below `root` whose path matches `pattern`, as recordings of one speaker."""
    for path in sorted(root.glob(pattern)):
        if path.suffix in (".ogg", ".opus", ".wav") and not path.is_symlink():
            yield Heard(path, language, speaker, source, str(path.relative_to(root)))


def join(lines: Iterable[Heard], split: str) -> Iterator[list[Heard]]:
    """Yield groups of consecutive lines of one speaker; a last group that stays short is dropped."""
    ordered = sorted(lines, key=lambda line: (line.speaker, line.name))
    for speaker, of_speaker in groupby(ordered, key=lambda line: line.speaker):
        rng = random.Random(f"{split}/{speaker}")
        taken: list[Heard] = []
        length, wanted = 0.0, rng.uniform(*SECONDS)
        for line in of_speaker:
            seconds = seconds_of(line.audio)
            if seconds > LONGEST_LINE:
                continue
            taken.append(line)
            length += seconds
            if length >= wanted:
                yield taken
                taken, length, wanted = [], 0.0, rng.uniform(*SECONDS)
        if length >= SECONDS[0]:
            yield taken


def joined(lines: list[Heard], answer: str, split: str) -> Clip:
    """Return `lines`, spoken one after another, as a clip whose group is their speaker."""
    first = lines[0]
    return Clip(
        parts=tuple(line.audio for line in lines),
        answer=answer,
        split=split,
        group=first.speaker,
        source=first.source,
        license=PACKAGES[first.source].license,
        name="+".join(line.name for line in lines),
        domain="speech",
        language=first.language,
    )


def seconds_of(audio: Path | bytes) -> float:
    """Return the length of a sound file; raw G.722 is 8000 bytes a second."""
    if isinstance(audio, Path) and audio.suffix == ".g722":
        return audio.stat().st_size / 8000
    return soundfile.info(io.BytesIO(audio) if isinstance(audio, bytes) else str(audio)).duration
