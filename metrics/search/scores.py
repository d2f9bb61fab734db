"""What rankings are worth to who asked for them, and how several ways to rank compare."""

from collections.abc import Hashable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from metrics.intervals import Estimate, compare, estimate, mean

TOP = 10
"""Hits that are shown."""

MEASURES = {
    "map": lambda right: (right.cumsum() / np.arange(1, len(right) + 1))[right].mean(),
    "recall_at_10": lambda right: right[:TOP].any(),
    "mrr": lambda right: right[:TOP].any() / (1 + right.argmax()),
}
"""Of one ranking, which says of each item, best first, whether it is right `(items,)`: its average precision, whether
one of the first ten is right, and one over the rank of the first that is, if it is one of those."""


class Scores(NamedTuple):
    """How many queries there were, and the mean over them of each measure."""

    queries: int
    means: dict[str, Estimate]


def score(rankings: Sequence[np.ndarray], groups: Sequence[Hashable], name: str, measures: Sequence[str]) -> Scores:
    """Means over rankings, whose `groups` are drawn whole; scores of one `name` are drawn alike."""
    found = {key: np.array([MEASURES[key](right) for right in rankings], float) for key in measures}
    return Scores(len(groups), {key: estimate(partial(mean, values=one), groups, name) for key, one in found.items()})


def side_by_side(by_arm: dict[str, dict[str, Scores]]) -> dict[str, object]:
    """Scores of each arm by part, as JSON keeps them, and by how much the first arm is above each other.

    That is told of the last part, which has all queries, by its first measure.
    """
    first, *others = by_arm
    *_, (whole, scores) = by_arm[first].items()
    measure, ours = next(iter(scores.means.items()))
    above = {arm: compare(by_arm[arm][whole].means[measure], ours) for arm in others}
    return {
        "scores": {
            arm: {
                part: {"queries": one.queries} | {key: value.plain for key, value in one.means.items()}
                for part, one in parts.items()
            }
            for arm, parts in by_arm.items()
        },
        f"{measure}_of_{first}_above": {arm: by.plain | {"p": p} for arm, (by, p) in above.items()},
    }


def lines(title: str, scores: dict[str, dict]) -> list[list[str]]:
    """Header and rows of what `side_by_side` gives: the first measure of every part, and all of the last part."""
    parts = next(iter(scores.values()))
    *_, whole = parts
    first, *more = (key for key in parts[whole] if key != "queries")
    rows = [[title, "queries", *scores]]
    for part, key in [*((part, first) for part in parts), *((whole, key) for key in more)]:
        cells = [_cell(of_arm[part][key]) for of_arm in scores.values()]
        rows.append([f"{part}, {key}", str(parts[part]["queries"]), *cells])
    return rows


def _cell(score: dict) -> str:
    return "{:.2f} ({:.2f}-{:.2f})".format(score["value"], *score["interval_95"])
