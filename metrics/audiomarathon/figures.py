"""Pictures of a report, each for a light page and for a dark one."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import style
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from dataset_builders.audiomarathon.tasks import TASKS, MarathonTask
from metrics.probe.report import COLOURS, DPI

from .comparison import confusion, labels_of, parted, parts_of, tasks_of
from .outputs import PARTS, Run
from .published import published

THEMES = {"": ("default", "#ffffff"), "-dark": ("dark_background", "#14161a")}
"""By the end of a picture's name: matplotlib's style, and the background of the page."""
LOOK = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
REFERENCES = {"Human": ":", "Qwen2.5-Omni-7B": "--", "Gemini-2.5-Flash": "-."}
"""Published rows in the radar: people, the best open model and the best closed one."""
SLANTED = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
COLUMNS = 4
CELL = 0.42
"""Inches of a cell of a confusion matrix."""


def draw(make: Callable[[], Iterable[tuple[str, Figure]]], folder: Path) -> set[str]:
    """Write each picture of `make` as `NAME.png` and `NAME-dark.png`; return the names."""
    names = set()
    for theme, (base, colour) in THEMES.items():
        with style.context([base, LOOK, {"figure.facecolor": colour, "axes.facecolor": colour}]):
            for name, figure in make():
                figure.savefig(folder / f"{name}{theme}.png", dpi=DPI, bbox_inches="tight")
                names.add(name)
    return names


def figures(runs: Sequence[Run]) -> Iterator[tuple[str, Figure]]:
    """Yield each picture that has something to show, in the style that is set."""
    counted = [task for task in TASKS.values() if any(task.name in run.counted for run in runs)]
    if len(counted) > 2:
        yield "radar", radar(runs, counted)
    for field in PARTS:
        if tasks := parted(runs, field):
            yield field, parts(runs, tasks, field)
    for task in tasks_of(runs):
        if task.labels:
            yield f"confusion_{task.name}", confusions([run for run in runs if task.name in run.results], task)


def radar(runs: Sequence[Run], tasks: Sequence[MarathonTask]) -> Figure:
    """Scores as the paper takes them, ours as full lines, a few published ones as broken ones."""
    figure = Figure(figsize=(7, 7.4), layout="constrained")
    axes: Any = figure.subplots(subplot_kw={"projection": "polar"})
    angles = np.linspace(0, 2 * np.pi, len(tasks), endpoint=False)
    ring = [*range(len(tasks)), 0]

    def line(scores: dict[str, float], label: str, **look) -> None:
        values = np.array([scores.get(task.abbreviation, np.nan) for task in tasks])
        axes.plot(angles[ring], values[ring].clip(0), label=label, **look)

    for row in published():
        if row.model in REFERENCES:
            line(row.scores, f"{row.model} (published, full test set)", color="0.55", ls=REFERENCES[row.model], lw=1.2)
    for run, colour in zip(runs, cycle(COLOURS)):
        scores = {result.task.abbreviation: result.scores["paper"]["score"] for result in run.counted.values()}
        line(scores, f"{run.name} ({run.about['split']})", color=colour, marker="o", markersize=4, lw=2)
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    axes.set_xticks(angles, [task.abbreviation for task in tasks], size=11)
    axes.set_ylim(0, 100)
    axes.set_yticks([25, 50, 75, 100], ["25", "50", "75", "100"], size=8, color="0.55")
    axes.set_rlabel_position(180 / len(tasks))
    axes.grid(color="0.55", alpha=0.4)
    axes.spines["polar"].set_color("0.55")
    figure.legend(loc="outside lower center", frameon=False)
    return figure


def parts(runs: Sequence[Run], tasks: Sequence[MarathonTask], field: str) -> Figure:
    """Strict scores of parts of the items, a panel a task and a bar a run."""
    columns, rows = min(COLUMNS, len(tasks)), -(-len(tasks) // COLUMNS)
    figure = Figure(figsize=(max(2.8 * columns, 4.5), 2.4 * rows + 0.5), layout=ConstrainedLayoutEngine(h_pad=0.06))
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).flat
    width = 0.8 / len(runs)
    coloured = list(zip(runs, cycle(COLOURS)))
    for task, axes in zip(tasks, panels):
        results = [run.results.get(task.name) for run in runs]
        scores = [result.scores["strict"].get(field, {}) if result else {} for result in results]
        shown = parts_of(runs, [task], field)
        for number, (result, one, (_, colour)) in enumerate(zip(results, scores, coloured)):
            places = [shown.index(part) + (number - (len(runs) - 1) / 2) * width for part in one]
            values = [result.good(part[result.measure]) for part in one.values()] if result else []
            # The edge shows a score of 0 as a line.
            axes.bar(places, values, 0.85 * width, color=colour, edgecolor=colour, lw=1.5)
        axes.set_xticks(range(len(shown)), shown, **SLANTED)
        axes.set_xlim(-0.6, len(shown) - 0.4)
        axes.set_ylim(-0.02, 1)
        axes.set_title(f"{task.abbreviation} (made)" if any(one and one.made for one in results) else task.abbreviation)
    for axes in panels:
        axes.axis("off")
    handles = [Patch(color=colour, label=run.name) for run, colour in coloured]
    figure.legend(handles=handles, loc="outside upper left", frameon=False, ncols=min(len(runs), 3))
    return figure


def confusions(runs: Sequence[Run], task: MarathonTask) -> Figure:
    """Counts of what was said where a label was right, a panel a run; the last column is replies without an answer."""
    labels = labels_of([run.results[task.name] for run in runs])
    columns, rows = min(2, len(runs)), -(-len(runs) // 2)
    size = CELL * len(labels)
    figure = Figure(figsize=(columns * (size + 2) + 0.3, rows * (size + 1.5) + 0.3), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    shown = [textwrap.fill(label, 18) for label in labels]
    shade = LinearSegmentedColormap.from_list("shade", [matplotlib.rcParams["axes.facecolor"], COLOURS[1]])
    for run, axes in zip(runs, panels):
        counts = confusion(run.results[task.name], labels)
        axes.imshow(counts, cmap=shade, vmin=0, vmax=max(counts.max(), 1))
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if count > counts.max() / 2 else matplotlib.rcParams["text.color"]
                axes.text(column, row, count, ha="center", va="center", color=colour)
        axes.axvline(len(labels) - 0.5, color="0.55", lw=1)
        axes.set_xticks(range(len(labels) + 1), [*shown, "no answer"], **SLANTED)
        axes.set_yticks(range(len(labels)), shown)
        axes.set_title(run.name, size=10)
    for axes in panels:
        axes.axis("off")
    figure.supxlabel("said", size=9)
    figure.supylabel("right", size=9)
    return figure
