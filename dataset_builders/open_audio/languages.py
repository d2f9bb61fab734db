"""Spoken language, each split with speakers that the other splits never hear."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import soundfile

from .clips import Clip
from .packages import PackageStore
from .pinned import PACKAGES
from .speech import (
    Line,
    asterisk_lines,
    fish_lines,
    queen_lines,
    reserved,
    split_lines,
    stamp_lines,
)

LANGUAGES = {
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "ru": "Russian",
    "cs": "Czech",
    "nl": "Dutch",
}

CLIPS = {"train": 300, "validation": 30, "test": 40}
"""At most this many clips of a language in a split."""

SECONDS = (1.5, 5.0)
"""Each clip joins lines of one speaker until it is as long as a draw from this range, so that
length tells no language; it may pass the draw by one line."""

LONGEST_LINE = 8.0


@dataclass(frozen=True)
class _Heard:
    """A sound file of one speaker, whatever is said."""

    audio: Path | bytes
    language: str
    speaker: str
    source: str
    name: str


def language_id(store: PackageStore) -> Iterator[Clip]:
    """Six languages; where a line is also transcribed, both tasks give it the same split.

    Training hears game characters, the small fish and stamp names; validation hears minor fish
    characters, letters and object names; the test hears telephone prompts and the big fish.
    """
    for split, lines in _lines_of_splits(store).items():
        heard = sorted(lines, key=lambda line: (line.language, line.speaker, line.name))
        for language, of_language in groupby(heard, key=lambda line: line.language):
            clips = [
                clip
                for _, of_speaker in groupby(of_language, key=lambda line: line.speaker)
                for clip in _join(list(of_speaker), split)
            ]
            random.Random(f"{split}/{language}").shuffle(clips)
            yield from clips[: CLIPS[split]]


def _lines_of_splits(store: PackageStore) -> dict[str, list[_Heard]]:
    fish = split_lines(fish_lines(store))
    queen = split_lines(queen_lines(store))
    stamps = split_lines(stamp_lines(store))
    train = [line for line, split in (*queen, *stamps) if split == "train"]
    train = [line for line in train if line.language in LANGUAGES]
    train += [line for line, split in fish if split == "train" and line.speaker.endswith("small")]
    main = ("small", "big")
    minor = [line for line, split in fish if line.speaker.rpartition("/")[2] not in main]
    test = [line for line, split in fish if split != "train" and line.speaker.endswith("big")]
    for language in ("en", "es", "fr", "ru"):
        test += filter(reserved, asterisk_lines(store, language))
    return {
        "train": [_heard(line) for line in train],
        "validation": [_heard(line) for line in minor] + list(_toy_words(store)),
        "test": [_heard(line) for line in test],
    }


def _heard(line: Line) -> _Heard:
    return _Heard(line.audio, line.language, line.speaker, line.source, line.name)


def _toy_words(store: PackageStore) -> Iterator[_Heard]:
    """Object names of ktuberling and letters and syllables of klettres, by language folder."""
    roots = {
        "ktuberling-data": "usr/share/ktuberling/sounds",
        "klettres-data": "usr/share/klettres",
    }
    for package, folder in roots.items():
        root = store.folder(package) / folder
        for language in LANGUAGES:
            for path in sorted((root / language).rglob("*.*")):
                if path.suffix not in (".ogg", ".opus", ".wav"):
                    continue
                yield _Heard(
                    audio=path,
                    language=language,
                    speaker=f"{package.removesuffix('-data')}/{language}",
                    source=package,
                    name=str(path.relative_to(root)),
                )


def _join(lines: list[_Heard], split: str) -> Iterator[Clip]:
    """Yield clips of consecutive lines of one speaker; a last clip that stays short is dropped."""
    rng = random.Random(f"{split}/{lines[0].speaker}")
    taken: list[_Heard] = []
    length, wanted = 0.0, rng.uniform(*SECONDS)
    for line in lines:
        seconds = _seconds(line.audio)
        if seconds > LONGEST_LINE:
            continue
        taken.append(line)
        length += seconds
        if length >= wanted:
            yield _clip(taken, split)
            taken, length, wanted = [], 0.0, rng.uniform(*SECONDS)
    if length >= SECONDS[0]:
        yield _clip(taken, split)


def _clip(lines: Iterable[_Heard], split: str) -> Clip:
    first = next(iter(lines))
    return Clip(
        parts=tuple(line.audio for line in lines),
        answer=LANGUAGES[first.language],
        split=split,
        group=first.speaker,
        source=first.source,
        license=PACKAGES[first.source].license,
        name="+".join(line.name for line in lines),
        domain="speech",
        language=first.language,
    )


def _seconds(audio: Path | bytes) -> float:
    """Return the length of a sound file; raw G.722 is 8000 bytes a second."""
    if isinstance(audio, Path) and audio.suffix == ".g722":
        return audio.stat().st_size / 8000
    return soundfile.info(io.BytesIO(audio) if isinstance(audio, bytes) else str(audio)).duration
