"""What the constructors share: recordings to be joined, runs of them that fit a length, choices drawn evenly."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import soundfile

SEED = 42
OPTIONS = 4

Thing = TypeVar("Thing")


class SourceError(ValueError):
    """A source corpus that is not laid out as its constructor expects, or lacks a file or a field."""


@dataclass(frozen=True)
class Limits:
    """Seconds of an item, both included."""

    shortest: float
    longest: float

    def __post_init__(self):
        if not 0 < self.shortest <= self.longest:
            raise ValueError(f"limits should be 0 < shortest <= longest, but are {self.shortest} and {self.longest} s")


@dataclass(frozen=True)
class Recording:
    """A sound file and the seconds that its header tells."""

    path: Path
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An item whose audio is not joined yet.

    Args:
        id: unique in its task.
        parts: the recordings that are played one after another.
        audio: name of the joined file, which items may share; the id if not given.
        choices: the options in their order, where they are given.
        wrong: where they are not: what three of them are drawn from.
    """

    id: str
    parts: tuple[Recording, ...]
    answer: str
    group: str
    question: str = ""
    choices: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    audio: str | None = None


def shuffled(things: Iterable[Thing], name: str) -> list[Thing]:
    """Return `things` in an order that depends on `name` and on nothing else; give them sorted."""
    things = list(things)
    random.Random(f"{SEED}/{name}").shuffle(things)
    return things


def measure(path: Path) -> Recording:
    """Return the recording at `path`.

    Raises:
        SourceError: there is no such file, or it cannot be read.
    """
    if not path.is_file():
        raise SourceError(f"{path} is missing")
    try:
        return Recording(path, soundfile.info(path).duration)
    except soundfile.LibsndfileError as error:
        raise SourceError(f"{path} cannot be read: {error.error_string}") from None


def pack(recordings: Iterable[Recording], limits: Limits) -> Iterator[tuple[Recording, ...]]:
    """Yield runs of `recordings`, in order, each as long as `limits` let it be.

    A run that stays too short is left out, and so is a recording that is too long by itself.
    """
    taken: list[Recording] = []
    seconds = 0.0
    for recording in recordings:
        if recording.seconds > limits.longest:
            continue
        if seconds + recording.seconds > limits.longest:
            if seconds >= limits.shortest:
                yield tuple(taken)
            taken, seconds = [], 0.0
        taken.append(recording)
        seconds += recording.seconds
    if seconds >= limits.shortest:
        yield tuple(taken)


def take_in_turn(streams: Iterable[Iterable[Draft]]) -> Iterator[Draft]:
    """Yield one of each stream in turn, of those that have any left."""
    waiting = [iter(stream) for stream in streams]
    while waiting:
        still = []
        for stream in waiting:
            for draft in islice(stream, 1):
                still.append(stream)
                yield draft
        waiting = still


def draw_choices(drafts: Iterable[Draft]) -> Iterator[tuple[Draft, tuple[str, ...]]]:
    """Yield each draft with its choices.

    Where they are drawn, each label is wrong about as often as any other, and each answer has each letter as often.
    """
    rng = random.Random(SEED)
    drawn: Counter[str] = Counter()
    placed: Counter[tuple[str, int]] = Counter()
    for draft in drafts:
        if not draft.wrong:
            yield draft, draft.choices
            continue
        wrong = sorted(rng.sample(draft.wrong, len(draft.wrong)), key=drawn.__getitem__)[: OPTIONS - 1]
        drawn.update(wrong)
        rng.shuffle(wrong)
        place = min(rng.sample(range(OPTIONS), OPTIONS), key=lambda place: placed[draft.answer, place])
        placed[draft.answer, place] += 1
        yield draft, (*wrong[:place], draft.answer, *wrong[place:])


def read_table(file: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield where a line of a table is, for errors, and its fields without space around them.

    The table has a head, and tabs between its columns, or else commas.

    Raises:
        SourceError: there is no such file, or one of `columns` is not in its head.
    """
    if not file.is_file():
        raise SourceError(f"{file} is missing")
    with file.open(encoding="utf-8-sig", newline="") as lines:
        head = lines.readline()
        delimiter = "\t" if "\t" in head else ","
        names = [name.strip() for name in next(csv.reader([head], delimiter=delimiter), [])]
        if missing := [column for column in columns if column not in names]:
            raise SourceError(f"{file} has no column {', '.join(map(repr, missing))}; it has {names}")
        reader = csv.reader(lines, delimiter=delimiter)
        for row in reader:
            fields = dict(zip(names, map(str.strip, row)))
            yield f"{file}, line {reader.line_num + 1}", {column: fields.get(column, "") for column in columns}


def labelled(where: str, field: str, names: dict[str, str]) -> str:
    """Return the label that a source calls `field`.

    Raises:
        SourceError: it is none of `names`.
    """
    if field not in names:
        raise SourceError(f"{where}: {field!r} is none of {', '.join(names)}")
    return names[field]
