"""One thing, named in two languages by two people."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator

from ..open_audio.clips import Piece, encode
from ..open_audio.packages import PackageStore
from ..open_audio.speech.sources import Line, split_lines, stamp_lines
from ..open_audio.speech.transcription import transcribed
from .clips import ProbeClip

SIDES = {"a": ("fr", "ru"), "b": ("ca", "es", "ro")}
"""Languages of either side. Each has one speaker, so no voice and no language is on both."""


def spoken_word_retrieval(store: PackageStore) -> Iterator[ProbeClip]:
    """Each stamp once on either side, in a language drawn for it; names that two stamps share are left out."""
    stamps: dict[tuple[str, str], dict[str, Line]] = defaultdict(dict)
    named: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for line, split in split_lines(stamp_lines(store)):
        stamps[split, line.group].setdefault(line.language, line)
        named[split, line.language, _name(line)].add(line.group)
    heard: set[bytes] = set()
    for (split, stamp), lines in stamps.items():
        rng = random.Random(stamp)
        own = [language for language, line in lines.items() if len(named[split, language, _name(line)]) == 1]
        sides = {side: [language for language in languages if language in own] for side, languages in SIDES.items()}
        if all(sides.values()):
            pair = [
                ProbeClip.of(transcribed(lines[rng.choice(languages)], split), key=stamp, side=side)
                for side, languages in sides.items()
            ]
            recordings = {piece.data for clip in pair for piece in encode(clip) if isinstance(piece, Piece)}
            if len(recordings) == len(pair) and not recordings & heard:  # what is left out takes its other side along
                heard |= recordings
                yield from pair


def _name(line: Line) -> str:
    return line.text.casefold().strip(" .!?")
