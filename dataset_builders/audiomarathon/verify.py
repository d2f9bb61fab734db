"""Whether a release, a folder of items or a prepared folder is whole: every item is opened and decoded to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import track
from rich.table import Table

from ..loading import SAMPLE_RATE, UndecodableError, decode
from .sources import open_splits
from .tasks import LETTERS, MarathonTask

TOLERANCE = 0.1
"""Seconds that a codec may add or take."""
NOT_HERE = "on the card, but without audio here"


@dataclass
class Verified:
    """What became of a task: items of each split, how many of them are left out for which reason, what is wrong."""

    task: MarathonTask
    splits: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def verify(task: MarathonTask, folder: Path | None) -> Verified:
    """Check every item of `task` in `folder`, or of the mini, and the release's numbers against its card."""
    found = Verified(task)
    try:
        splits = open_splits(folder, task)
    except (ValueError, OSError) as error:
        found.problems.append(f"{task.name}: {error}")
        return found
    reasons: Counter[str] = Counter()
    for split, rows in splits.items():
        ids: Counter[str] = Counter()
        for row in track(rows, f"{task.name}, {split}"):
            ids[row["id"]] += 1
            if split == "test" and "full" in splits:
                continue  # its items are in full, too
            if row["left_out"]:
                reasons[row["left_out"]] += 1
            found.problems += check(task, row)
        found.splits[split] = ids.total()
        found.problems += [f"{split}: {id} is there {times} times" for id, times in ids.items() if times > 1]
    found.left_out = dict(reasons)
    if "full" in splits:
        _hold_against_card(found)
    return found


def check(task: MarathonTask, row: dict[str, Any]) -> list[str]:
    """Return what is wrong with an item, a sentence each."""
    problems = []
    audio = row["audio"]
    try:
        data = audio["bytes"] or Path(audio["path"]).read_bytes()
        seconds = len(decode(data)) / SAMPLE_RATE
        if len(data) < (promised := _promised(data)):
            problems.append(f"{row['id']}: {audio['path']} is cut off: {len(data)} of {promised} bytes are there")
        if abs(seconds - row["duration"]) > TOLERANCE:
            problems.append(
                f"{row['id']}: {audio['path']} lasts {seconds:.2f} s, but should last {row['duration']:.2f} s"
            )
    except (UndecodableError, OSError) as error:
        problems.append(f"{row['id']}: {audio['path']} cannot be decoded: {error}")
    choices, letter = row["choices"], row["letter"]
    if task.answer == "transcript":
        if not row["answer"].strip() or choices:
            problems.append(f"{row['id']}: should have a transcript and no choices")
    elif not choices or row["answer"] not in choices:
        problems.append(f"{row['id']}: the answer {row['answer']!r} is none of {choices}")
    elif letter != LETTERS[choices.index(row["answer"])]:
        problems.append(f"{row['id']}: the letter of {row['answer']!r} is not {letter!r}")
    elif task.answer == "labels" and tuple(choices) != task.labels:
        problems.append(f"{row['id']}: the choices should be {list(task.labels)}, but are {choices}")
    return problems


def _promised(data: bytes) -> int:
    """Return the bytes that the header of a WAV file tells, which decoders do not check; 0 if it is no such file."""
    size = int.from_bytes(data[4:8], "little")
    return size if data[:4] == b"RIFF" and size < 0xFFFF_FFFF else 0  # the most: written to a pipe, not known


def _hold_against_card(found: Verified) -> None:
    """Count as left out what the card has and a release lacks; numbers beyond that which differ are a problem."""
    task, items, runnable = found.task, found.splits["full"], found.splits["test"]
    if items < task.items:
        found.left_out[NOT_HERE] = task.items - items
    if items > task.items or runnable != task.runnable:
        found.problems.append(
            f"{task.name}: {runnable} of {items} items are runnable, but {task.runnable} of {task.items} on the card"
        )


def tabulate(tasks: Iterable[Verified]) -> Table:
    """Return a table for the terminal, a line a task."""
    table = Table("task", "items", "left out", "problems")
    for found in tasks:
        items = ", ".join(f"{split} {count}" for split, count in found.splits.items())
        reasons = "; ".join(f"{count} {why}" for why, count in found.left_out.items())
        table.add_row(found.task.abbreviation, items, reasons or "-", str(len(found.problems)))
    return table
