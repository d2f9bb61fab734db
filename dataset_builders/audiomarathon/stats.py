"""What the items are, in numbers: how many, how long, how evenly answered, where their evidence lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from .sources import open_splits
from .tasks import MarathonTask, find_task

Statistics = dict[str, dict[str, dict[str, Any]]]
"""Of each task and split."""
COLUMNS = ("answer", "choices", "letter", "start", "end", "duration", "left_out", "source", "license", "language")
QUANTILES = (0, 0.05, 0.5, 0.95, 1)


def count(tasks: Iterable[MarathonTask], folder: Path | None) -> Statistics:
    """Return the statistics of each split of `tasks`, as `sources.open_splits` opens them."""
    return {
        task.name: {split: summarize(rows) for split, rows in open_splits(folder, task, COLUMNS).items()}
        for task in tasks
    }


def summarize(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return what the rows of a split hold.

    Answers are counted where they are few enough to be labels, and letters where there are any. Evidence is the
    middle of what answers the question, as a share of the item.
    """
    rows = list(rows)
    seconds = [row["duration"] for row in rows]
    answers = Counter(row["answer"] for row in rows)
    return {
        "items": len(rows),
        "hours": round(sum(seconds) / 3600, 3),
        "seconds": [round(float(value), 1) for value in np.quantile(seconds, QUANTILES)] if rows else [],
        "durations": [round(value, 1) for value in seconds],
        "answers": dict(answers.most_common()) if 2 * len(answers) <= len(rows) else None,
        "letters": dict(sorted(Counter(filter(None, (row["letter"] for row in rows))).items())),
        "evidence": [
            round((row["start"] + row["end"]) / 2 / row["duration"], 3) for row in rows if row["start"] is not None
        ],
        "left_out": dict(Counter(filter(None, (row["left_out"] for row in rows))).most_common()),
        "sources": sorted({(row["source"], row["license"]) for row in rows}),
        "languages": sorted({row["language"] for row in rows if row["language"]}),
    }


def tabulate(statistics: Statistics) -> Table:
    """Return a table for the terminal, a line a split."""
    table = Table("task", "split", "items", "hours", "seconds", "largest answer", "letters", "evidence at", "left out")
    for task, splits in statistics.items():
        for split, held in splits.items():
            shortest, *_, longest = held["seconds"] or ("-", "-")
            table.add_row(
                find_task(task).abbreviation,
                split,
                str(held["items"]),
                f"{held['hours']:.2f}",
                f"{shortest}-{longest}",
                f"{max(held['answers'].values()) / held['items']:.0%}" if held["answers"] else "-",
                " ".join(f"{letter} {number}" for letter, number in held["letters"].items()) or "-",
                f"{np.median(held['evidence']):.0%}" if held["evidence"] else "-",
                str(sum(held["left_out"].values())),
            )
        table.add_section()
    return table
