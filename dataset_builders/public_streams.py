"""The public mixture as streams: what a paper-scale run reads, row by row, without storing it.

    streams = open_streams(load_mixture(), ["asr", "sound_event"])
    next(iter(streams["asr"]))  # a row as open_audio has it: audio bytes, instruction, answer, duration

A subsample keeps the rows that their place and the dataset's name draw: the same on every machine.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import datasets
import soundfile

from .instructions import row_rng
from .public_mixture import PublicDataset, cast_row


@dataclass(frozen=True)
class PublicTask:
    """The datasets of one task as one stream, drawn from in proportion to their hours.

    Args:
        entries: what is read.
        excluded: by dataset id, the values of its `leaves_out` column whose rows are dropped.
    """

    entries: tuple[PublicDataset, ...]
    excluded: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def hours(self) -> float:
        """Of audio, as the table says."""
        return sum(entry.hours for entry in self.entries)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        rng = random.Random(0)
        open_streams = [stream(entry, self.excluded.get(entry.id, frozenset())) for entry in self.entries]
        hours = [entry.hours for entry in self.entries]
        while open_streams:
            place = rng.choices(range(len(open_streams)), hours)[0]
            row = next(open_streams[place], None)
            if row is None:
                del open_streams[place], hours[place]
            else:
                yield row


def open_streams(
    mixture: Sequence[PublicDataset], tasks: Sequence[str], excluded: Mapping[str, frozenset[str]] | None = None
) -> dict[str, PublicTask]:
    """One stream a task; says which datasets are left out because nothing tells which of their rows are test data.

    Args:
        mixture: the table.
        tasks: keys of `PHRASINGS`.
        excluded: see [`PublicTask`].

    Raises:
        ValueError: a task has no dataset, or none that may be used.
    """
    excluded, found = excluded or {}, {}
    for task in tasks:
        listed = [entry for entry in mixture if entry.task == task]
        usable = tuple(entry for entry in listed if not entry.leaves_out or entry.id in excluded)
        for entry in listed:
            if entry.leaves_out and entry.id not in excluded:
                print(f"{entry}: left out, {entry.hours:,.0f} h, as no list tells its {entry.leaves_out['rows']}")
        if not usable:
            raise ValueError(f"the public mixture has no dataset for {task!r} that may be used")
        found[task] = PublicTask(usable, excluded)
    return found


def stream(entry: PublicDataset, excluded: frozenset[str] = frozenset()) -> Iterator[dict[str, Any]]:
    """Rows of one dataset in our schema, once through; rows without an answer and excluded ones are passed over."""
    rows = datasets.load_dataset(entry.id, entry.config, split=entry.split, streaming=True)
    audio, features = entry.columns["audio"], rows.features or {}
    if isinstance(features.get(audio), datasets.Audio):
        rows = rows.cast_column(audio, datasets.Audio(decode=False))
    share = entry.hours / (entry.full_hours or entry.hours)
    for place, row in enumerate(rows):
        key = f"{entry}/{place}"
        if random.Random(key).random() >= share:
            continue
        if entry.leaves_out and is_excluded(row[entry.leaves_out["column"]], excluded):
            continue
        if row[entry.columns["answer"]] in (None, "", []):
            continue
        cast = cast_row(entry, row, row_rng(entry.task, key), features.get(entry.columns["answer"]))
        yield heard(cast, key)


def is_excluded(value: Any, excluded: frozenset[str]) -> bool:
    """Whether a value is listed, or, of an audio column, whether its path holds something listed."""
    if isinstance(value, Mapping):
        return any(one in (value["path"] or "") for one in excluded)
    return str(value) in excluded


def heard(row: dict[str, Any], key: str) -> dict[str, Any]:
    """`row` with its `duration`, read from the sound file's header.

    Raises:
        ValueError: the row holds no bytes, or libsndfile cannot read them.
    """
    audio = row["audio"]
    if audio["bytes"] is None:
        raise ValueError(f"{key} names its audio by a path instead of holding it")
    try:
        duration = soundfile.info(io.BytesIO(audio["bytes"])).duration
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{key} cannot be read: {error}") from None
    return row | {"audio": audio | {"path": audio["path"] or key}, "duration": duration}
