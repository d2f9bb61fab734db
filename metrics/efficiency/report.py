"""Answers against cost: `python -m metrics.efficiency report DIR --out DIR`.

Of the runs that `quality` left: a table, `report.md`; a picture, `pareto.png` and `pareto-dark.png`; and all numbers,
`report.json`, which has `score_6hz` and `needle_quarter` too where the runs tell them. Cost is the share of audio
tokens that replies are made from or, with `--cost`, the seconds of prefill that `cost` measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from dataset_builders.audiomarathon.tasks import NEEDLE, MarathonTask
from metrics.audiomarathon.comparison import average, common
from metrics.audiomarathon.figures import draw
from metrics.audiomarathon.outputs import Run, RunError, read_json, read_run
from metrics.audiomarathon.tables import share, sure
from metrics.intervals import Estimate, compare
from metrics.probe.report import markdown
from metrics.reports import write_report
from metrics.settings import Setting

from .figures import figures
from .quality import RECIPE, folder_of, read_recipe

OVERALL, FULL_RATE, SLOW_RATE = "all tasks", "rate=25", "rate=6.25"
QUARTER = 0.25
TOKENS = "share of the audio tokens"


@dataclass(frozen=True)
class Point:
    """One setting.

    Args:
        setting: what is dropped.
        cost: as the axis says.
        scores: the strict score by group of tasks, `OVERALL` among them.
    """

    setting: Setting
    cost: float
    scores: dict[str, Estimate]


def main(
    runs: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder that `quality` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder of the report.")],
    cost: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="JSON of `cost`; its longest recordings are taken.")
    ] = None,
) -> None:
    """Set quality beside cost, of every setting."""
    grid = read_recipe(runs / RECIPE).grid
    points, axis = measured(read_points(runs, grid), cost)
    out.mkdir(parents=True, exist_ok=True)
    draw(partial(figures, points, axis), out)
    text = [f"Cost: {axis}. Strict scores; differences are from `{points[0].setting}` on the same items.\n"]
    text += [f"## {group}\n\n{markdown(table(points, group))}" for group in points[0].scores]
    (out / "report.md").write_text("\n".join([*text, "![Strict score against cost](pareto.png)\n"]), "utf-8")
    write_report({"runs": str(runs), "cost": axis, "settings": told(points), **ratios(points)}, out / "report.json")


def read_points(folder: Path, grid: Sequence[Setting]) -> list[Point]:
    """A point a setting, in their order; cost is the share of the first's audio tokens.

    Raises:
        RunError: a run is missing or broken, or no task that counts is in all of them.
    """
    runs = [read_run(folder_of(folder, setting), str(setting)) for setting in grid]
    groups = groups_of(runs)
    if not groups:
        raise RunError(f"{folder}: the runs have no task that counts in common")
    return [
        Point(
            setting,
            setting.kept / grid[0].kept,
            {group: average(run, tasks) for group, tasks in groups.items()},
        )
        for setting, run in zip(grid, runs)
    ]


def groups_of(runs: Sequence[Run]) -> dict[str, list[MarathonTask]]:
    """Tasks that all runs have and count, together and by the paper's groups; the needle, which has none, apart."""
    groups: dict[str, list[MarathonTask]] = {}
    for task in common(runs):
        groups.setdefault(OVERALL, []).append(task)
        groups.setdefault(task.group, []).append(task)
    if all(NEEDLE.name in run.results for run in runs):
        groups[NEEDLE.name] = [NEEDLE]
    return groups


def measured(points: Sequence[Point], file: Path | None) -> tuple[list[Point], str]:
    """`points` with seconds of prefill in place of tokens if `file` is given, and what their cost is.

    Raises:
        RunError: `file` has no time of a setting.
    """
    if file is None:
        return list(points), f"{TOKENS} of {points[0].setting}"
    rows = [row for row in read_json(file.read_text("utf-8"), file).get("rows", ()) if "seconds" in row]
    timed: dict[str, dict[float, float]] = {str(point.setting): {} for point in points}
    for row in rows:
        timed.get(row["setting"], {})[row["audio_seconds"]] = row["seconds"]["prefill"]["median"]
    lengths = set.intersection(*(set(times) for times in timed.values()))
    if not lengths:
        without = [name for name, times in timed.items() if not times]
        raise RunError(f"{file} has no length at which all settings are timed; not timed at all: {', '.join(without)}")
    longest = max(lengths)
    points = [Point(point.setting, timed[str(point.setting)][longest], point.scores) for point in points]
    return points, f"seconds of prefill at {longest:g} s"


def table(points: Sequence[Point], group: str) -> list[list[str]]:
    """Header, and a row a setting: cost and score of one group of tasks."""
    rows = [["setting", "cost", "score", "95 %", "difference", "95 %"]]
    for point in points:
        difference, _ = compare(points[0].scores[group], point.scores[group])
        low, high = difference.interval
        differs = [f"{difference.value:+.3f}", f"{low:+.2f} to {high:+.2f}"]
        rows.append([f"`{point.setting}`", share(point.cost), *sure(point.scores[group]), *differs])
    return rows


def told(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Cost and scores of each setting, as JSON takes them."""
    return [
        {
            "setting": str(point.setting),
            "cost": point.cost,
            "scores": {group: number(score) for group, score in point.scores.items()},
        }
        for point in points
    ]


def ratios(points: Sequence[Point]) -> dict[str, dict[str, Any]]:
    """Ratios of scores that the issue sets a bar to, as far as `points` have what they are of.

    `score_6hz` is the mean score at 6.25 Hz over that at 25 Hz. `needle_quarter` is the needle's best score with at
    most a quarter of the first setting's audio tokens, over that of the first; the best of several is a little high.
    """
    named = {str(point.setting): point for point in points}
    pairs = {}
    if {FULL_RATE, SLOW_RATE} <= named.keys():
        pairs["score_6hz"] = named[SLOW_RATE], named[FULL_RATE], OVERALL
    if NEEDLE.name in points[0].scores:
        quarter = [point for point in points if point.setting.kept <= QUARTER * points[0].setting.kept]
        best = max(quarter, key=lambda point: point.scores[NEEDLE.name].value, default=points[0])
        pairs["needle_quarter"] = best, points[0], NEEDLE.name
    return {
        key: {
            "value": ours.scores[group].value / base.scores[group].value,
            "setting": str(ours.setting),
            "scores": {str(point.setting): number(point.scores[group]) for point in (base, ours)},
        }
        for key, (ours, base, group) in pairs.items()
        if ours is not base and group in base.scores and base.scores[group].value
    }


def number(score: Estimate) -> dict[str, Any]:
    """Value and interval."""
    return {"value": score.value, "interval_95": list(score.interval)}
