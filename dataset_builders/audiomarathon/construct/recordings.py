"""What items are made of: open audio's test split, and ambiences of its packages that no task of it hears."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import datasets
import numpy as np
from datasets import load_dataset

from ...open_audio.builder import data_folder
from ...open_audio.clips import SAMPLE_RATE, Clip, decode
from ...open_audio.packages import PackageStore
from ...open_audio.pinned import PACKAGES
from ...open_audio.sound.captions import at_level
from ..items import Item

LEVEL = -26.0
"""Root mean square of each recording, dB of full scale, so that loudness tells nothing."""
GAP = 0.5
"""Seconds of silence between recordings that are joined, where they do not go on into each other."""


class TooLittleAudioError(ValueError):
    """Open audio's test split does not hold as much as an item needs."""


@dataclass(frozen=True)
class Recording:
    """A clip of open audio and its length in seconds."""

    clip: Clip
    seconds: float

    def samples(self) -> np.ndarray:
        """Return `(samples,)` at 16 kHz and at `LEVEL`."""
        return at_level(decode(self.clip.parts[0]), LEVEL)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An item whose sound is not made yet; fields as in `Item`.

    Args:
        used: all recordings that are heard.
        sound: makes `(samples,)` at 16 kHz.
    """

    used: Sequence[Recording]
    sound: Callable[[], np.ndarray]
    answer: str
    question: str = ""
    choices: tuple[str, ...] = ()
    start: float | None = None
    end: float | None = None
    left_out: str | None = None

    def item(self, id: str, audio: str, duration: float) -> Item:
        """The item, whose sound lies at `audio` and is `duration` seconds long."""
        source, license, group = (
            " + ".join(sorted({getattr(recording.clip, name) for recording in self.used}))
            for name in ("source", "license", "group")
        )
        languages = {recording.clip.language for recording in self.used}
        return Item(
            id=id,
            audio=audio,
            answer=self.answer,
            duration=round(duration, 3),
            source=source,
            license=license,
            group=group,
            question=self.question,
            choices=self.choices,
            start=None if self.start is None else round(self.start, 2),
            end=None if self.end is None else round(self.end, 2),
            language=languages.pop() if len(languages) == 1 else None,
            left_out=self.left_out,
        )


@cache
def read(config: str) -> tuple[Recording, ...]:
    """Return the test split of a config of open audio.

    The answer of a clip is its label or transcript, its name the file that it was.
    """
    rows = load_dataset("open_audio", config, split="test")
    files = rows.data.column("audio").combine_chunks().field("path").to_pylist()
    return tuple(
        Recording(_clip(row, partial(_samples, rows, number), file), row["duration"])
        for number, (row, file) in enumerate(zip(rows.remove_columns("audio"), files, strict=True))
    )


def of_one_licence(recordings: Iterable[Recording]) -> list[Recording]:
    """Leave out packages whose licence differs from file to file, so that an item's own says all."""
    return [recording for recording in recordings if "by file" not in recording.clip.license]


def _clip(row: dict[str, Any], samples: Callable[[], np.ndarray], name: str) -> Clip:
    fields = ("group", "source", "license", "domain", "language", "start", "end")
    answer = row["label"] or row["answer"]
    return Clip(parts=(samples,), answer=answer, split="test", name=name, **{field: row[field] for field in fields})


def _samples(rows: datasets.Dataset, number: int) -> np.ndarray:
    return decode(rows[number]["audio"]["bytes"])


def ambience(package: str, path: str) -> Recording:
    """Return a file of a package of open audio, whose packages lie in `debs` beside the built data."""
    file = PackageStore(data_folder().with_name("debs")).folder(package) / path
    clip = Clip(
        parts=(file,),
        answer="",
        split="test",
        group=f"{package}/{file.stem}",
        source=package,
        license=PACKAGES[package].license,
        name=path,
        domain="sound",
    )
    return Recording(clip, len(decode(file)) / SAMPLE_RATE)


def take(pool: Iterator[Recording], seconds: float) -> list[Recording]:
    """Take recordings out of `pool` until they last for `seconds`, with gaps.

    Raises:
        TooLittleAudioError: the pool ends before.
    """
    taken: list[Recording] = []
    while length(taken) < seconds:
        recording = next(pool, None)
        if recording is None:
            raise TooLittleAudioError(f"{length(taken):.0f} s are left for {seconds:.0f} s")
        taken.append(recording)
    return taken


def length(recordings: Sequence[Recording]) -> float:
    """Return the seconds of `recordings` with the gaps between them."""
    return sum(recording.seconds for recording in recordings) + GAP * max(len(recordings) - 1, 0)


def offset(before: Sequence[Recording]) -> float:
    """Return when what follows `before` begins, in seconds."""
    return length(before) + GAP if before else 0.0


def join(recordings: Iterable[Recording], gap: float = GAP) -> np.ndarray:
    """Return `(samples,)`: one recording after another, with `gap` seconds of silence between."""
    silence = np.zeros(int(gap * SAMPLE_RATE), np.float32)
    parts = [part for recording in recordings for part in (recording.samples(), silence)]
    return np.concatenate(parts[:-1])


def prolong(recordings: Sequence[Recording], seconds: float, gap: float = 0.0) -> np.ndarray:
    """Return `seconds` of `recordings`, cut, or from their beginning again once they are over."""
    return np.resize(join(recordings, gap), int(seconds * SAMPLE_RATE))
