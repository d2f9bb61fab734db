"""Minutes of speech: lines of one dialogue, level or story, one after another."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import groupby

import numpy as np

from ..clips import SAMPLE_RATE, Clip, Part
from ..packages import PackageStore
from ..pinned import PACKAGES
from .joining import seconds_of
from .sources import Line, fish_lines, queen_lines, reader_lines, split_lines

SECONDS = (60.0, 300.0)
"""Shortest and longest clip; a dialogue that is longer is cut between two lines."""

PAUSE = (0.25, 0.9)
"""Seconds of silence between two lines, drawn for each."""


def asr_long(store: PackageStore) -> Iterator[Clip]:
    """Long speech in four languages, constructed: lines in the order of their script, with pauses."""
    for lines in (queen_lines(store), fish_lines(store), reader_lines(store)):
        spoken = sorted(split_lines(lines), key=lambda pair: (*_scene(pair[0]), pair[0].order))
        for (language, group), pairs in groupby(spoken, key=lambda pair: _scene(pair[0])):
            kept = list(pairs)
            for number, part in enumerate(_parts([line for line, _ in kept])):
                yield Clip(
                    parts=tuple(_with_pauses(part, random.Random(f"{group}/{number}"))),
                    answer=" ".join(line.text for line in part),
                    split=kept[0][1],
                    group=group,
                    source=part[0].source,
                    license=PACKAGES[part[0].source].license,
                    name=f"{language}/{group}/{number}",
                    domain="speech",
                    language=language,
                    longest=SECONDS[1],
                )


def _scene(line: Line) -> tuple[str, str]:
    return line.language, line.group


def _parts(lines: list[Line]) -> Iterator[list[Line]]:
    """Cut `lines` between two of them, so that no part can be longer than allowed; drop short ends."""
    part: list[Line] = []
    length = 0.0
    for line in lines:
        seconds = seconds_of(line.audio) + PAUSE[1]
        if length + seconds > SECONDS[1]:
            yield part
            part, length = [], 0.0
        part.append(line)
        length += seconds
    if length - len(part) * (PAUSE[1] - PAUSE[0]) >= SECONDS[0]:
        yield part


def _with_pauses(lines: list[Line], rng: random.Random) -> Iterator[Part]:
    for line in lines:
        yield line.audio
        yield np.zeros(int(rng.uniform(*PAUSE) * SAMPLE_RATE), np.float32)
