"""Quality against cost as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter

from metrics.probe.report import COLOURS

if TYPE_CHECKING:
    from .report import Point

COLUMNS = 2
LOOKS: dict[str, dict[str, Any]] = {
    "rate": {"marker": "^"},
    "prune": {"marker": "o"},
    "evict": {"marker": "s", "ls": "--"},
}
"""By the first word of a method."""
APART = 0.025
"""Octaves between the methods' intervals at the same cost."""


def figures(points: Sequence[Point], axis: str) -> Iterator[tuple[str, Figure]]:
    """Yield the picture: a panel a group of tasks, a line a method, and the settings that no other beats."""
    groups = list(points[0].scores)
    columns, rows = min(COLUMNS, len(groups)), -(-len(groups) // COLUMNS)
    figure = Figure(figsize=(4.6 * columns, 3.4 * rows + 0.9), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for group, axes in zip(groups, panels):
        panel(axes, points, group)
        axes.set_title(group)
    for axes in panels[len(groups) :]:
        axes.axis("off")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", frameon=False, ncols=3)
    figure.supxlabel(axis, size=9)
    figure.supylabel("strict score", size=9)
    yield "pareto", figure


def panel(axes: Axes, points: Sequence[Point], group: str) -> None:
    """One group of tasks: scores with their 95 % intervals against cost."""
    first, *others = points
    for kind, look in LOOKS.items():
        of_kind = (point.setting.method for point in others if point.setting.method.split()[0] == kind)
        methods = list(dict.fromkeys(of_kind))
        for number, (method, colour) in enumerate(zip(methods, cycle(COLOURS))):
            some = sorted((one for one in others if one.setting.method == method), key=lambda one: one.cost)
            aside = 2 ** (APART * (number - (len(methods) - 1) / 2))
            errorbars(axes, some, group, aside, label=method, color=colour, ms=4, lw=1, **look)
    star: dict[str, Any] = {"color": matplotlib.rcParams["text.color"], "marker": "*", "ms": 9, "ls": "none"}
    errorbars(axes, [first], group, label=str(first.setting), **star)
    axes.step(*zip(*best(points, group)), "0.55", where="post", lw=5, alpha=0.35, zorder=0, label="no other is better")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))


def errorbars(axes: Axes, points: Sequence[Point], group: str, aside: float = 1.0, **look) -> None:
    """Points of one method with their intervals, at `aside` times their cost."""
    scores = [point.scores[group] for point in points]
    values = np.array([score.value for score in scores])
    ends = np.array([score.interval for score in scores]).T
    axes.errorbar([aside * point.cost for point in points], values, np.abs(ends - values), elinewidth=0.6, **look)


def best(points: Sequence[Point], group: str) -> list[tuple[float, float]]:
    """The Pareto front: cost and score of each point that no cheaper one reaches, the cheapest first."""
    front: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda point: (point.cost, -point.scores[group].value)):
        if not front or point.scores[group].value > front[-1][1]:
            front.append((point.cost, point.scores[group].value))
    return front
