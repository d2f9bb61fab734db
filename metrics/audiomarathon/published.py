"""The sixteen published rows and the human one, as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

PATH = Path(__file__).with_name("published.json")


@dataclass(frozen=True)
class Row:
    """One line of the authors' main table.

    Args:
        model: As printed.
        scores: By task abbreviation, in percent; a task that was not measured is left out.
        printed_average: As printed.
    """

    model: str
    scores: dict[str, float]
    printed_average: float

    @property
    def average(self) -> float:
        """Avg, made again."""
        return average(self.scores)


def published() -> list[Row]:
    """All rows in the order of the table; the last is "Human", without ASR."""
    table = json.loads(PATH.read_text())
    return [
        Row(
            row["model"],
            {task: score for task, score in zip(table["columns"], row["scores"]) if score is not None},
            row["average"],
        )
        for row in table["rows"]
    ]


def average(scores: Mapping[str, float]) -> float:
    """Avg as the authors take it: the plain mean over tasks, to one decimal, a half up."""
    # Decimal, as one row's mean is 49.25, which a float takes for a little less.
    mean = sum((Decimal(str(score)) for score in scores.values()), Decimal()) / len(scores)
    return float(mean.quantize(Decimal("0.1"), ROUND_HALF_UP))
