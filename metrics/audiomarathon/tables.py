"""Tables of a report: header and rows of text."""

from __future__ import annotations

from collections.abc import Sequence

from dataset_builders.audiomarathon.tasks import TASKS, MarathonTask
from metrics.intervals import Estimate, compare

from .comparison import average, common, parted, parts_of, same_items, tasks_of
from .outputs import Result, Run
from .published import average as published_average
from .published import published

NONE = "–"
"""What stands where there is nothing to tell."""


def strict_rows(run: Run) -> list[list[str]]:
    """A row a task: the strict score, its interval, and what it is to be held against."""
    rows = [["task", "name", "items", "score", "95 %", "macro F1", "majority", "random", "parsed", "paper drops"]]
    for result in ordered(run):
        scores, paper = result.scores["strict"], result.scores["paper"]
        guesses = [share(scores.get(field)) for field in ("macro_f1", "majority", "random")]
        read = [f"{scores['parse_rate']:.0%}", f"{paper['dropped']:.0%}" if paper else NONE]
        name = result.task.name.replace("_", " ")
        rows.append([abbreviation(result), name, str(scores["items"]), *sure(result.estimate), *guesses, *read])
    if tasks := common([run]):
        mean = sure(average(run, tasks))
        rows.append(["average", f"tasks: {len(tasks)}", str(run.items), *mean, *[""] * 5])
    return rows


def paired_rows(runs: Sequence[Run]) -> list[list[str]]:
    """A row a task that two runs share, and one for the average: differences from the first run."""
    base, *others = runs
    rows = [["task", "run", "score", base.name, "difference", "95 %", "p"]]
    for ours in others:
        for task in tasks_of(runs):
            if task.name in base.results and task.name in ours.results:
                pair = base.results[task.name], ours.results[task.name]
                rows.append([abbreviation(pair[1]), *paired(base, ours, [task], *(one.estimate for one in pair))])
        if tasks := common([base, ours]):
            averages = average(base, tasks), average(ours, tasks)
            rows.append([f"average, tasks: {len(tasks)}", *paired(base, ours, tasks, *averages)])
    return rows


def paired(base: Run, ours: Run, tasks: Sequence[MarathonTask], first: Estimate, second: Estimate) -> list[str]:
    """Two scores, and how they differ if they are of the same items."""
    scores = [ours.name, share(second.value), share(first.value)]
    if not same_items(base, ours, tasks):
        return [*scores, "other items", NONE, NONE]
    difference, p = compare(first, second)
    low, high = difference.interval
    return [*scores, f"{difference.value:+.3f}", f"{low:+.2f} to {high:+.2f}", f"{p:.3f}"]


def published_rows(runs: Sequence[Run]) -> list[list[str]]:
    """A row a run, then the published ones, all as the paper takes scores."""
    columns, shared = list(published()[0].scores), [task.abbreviation for task in common(runs)]
    rows = [["model", "data", "Avg", "Avg of the same", *columns]]
    for run in runs:
        results = {result.task.abbreviation: result for result in run.results.values()}
        counted = {result.task.abbreviation: result.scores["paper"]["score"] for result in run.counted.values()}
        data, cells = f"{run.about['split']}, {run.items} items", [paper_cell(results.get(name)) for name in columns]
        rows.append([f"**{run.name}**", data, *averages(counted, shared), *cells])
    for row in published():
        cells = [number(row.scores.get(name)) for name in columns]
        rows.append([row.model, "published, full test set", *averages(row.scores, shared), *cells])
    return rows


def averages(scores: dict[str, float], shared: Sequence[str]) -> list[str]:
    """Avg of all `scores`, and of those of `shared` if none of them lacks; with how many those are if not ten."""
    held = [scores, {task: scores[task] for task in shared} if shared and scores.keys() >= {*shared} else {}]
    return [
        f"{published_average(one):.1f}{f' ({len(one)})' if len(one) < len(TASKS) else ''}" if one else NONE
        for one in held
    ]


def part_rows(runs: Sequence[Run], field: str) -> list[list[str]]:
    """A row a task and run: the strict score of each part of the items, and how many those are."""
    tasks = parted(runs, field)
    shown = parts_of(runs, tasks, field)
    rows = [["task", "run", *shown]]
    for task in tasks:
        for run in runs:
            if (result := run.results.get(task.name)) and (held := result.scores["strict"].get(field)):
                cells = [
                    f"{result.good(held[part][result.measure]):.2f} ({held[part]['items']})" if part in held else NONE
                    for part in shown
                ]
                rows.append([abbreviation(result), run.name, *cells])
    return rows


def cost_rows(run: Run) -> list[list[str]]:
    """A row a task: seconds of audio given and heard, and what an answer cost."""
    rows = [
        ["task", "given, s", "heard, s", "heard", "no reply", "median, s", "p95, s", "new tokens", "peak memory, GB"]
    ]
    for result in ordered(run):
        scores = result.scores
        given, heard, tokens = (number(scores[name]) for name in ("duration", "heard_seconds", "new_tokens"))
        times = [number(scores["seconds"][name], 2) for name in ("median", "p95")]
        costs = [str(scores["errors"]), *times, tokens, number(scores["peak_memory_gb"], 2)]
        rows.append([abbreviation(result), given, heard, hearing(run, result), *costs])
    return rows


def ordered(run: Run) -> list[Result]:
    """Results of a run in the order of the tasks."""
    return [run.results[task.name] for task in tasks_of([run])]


def hearing(run: Run, result: Result) -> str:
    """In words, how much of the recordings the model took in."""
    if run.hears != "audio":
        return run.hears
    if result.scores["heard_seconds"] is None:
        return "unknown"
    return f"**cut short** in {result.cut} of {len(result.samples)}" if result.cut else "all of it"


def paper_cell(result: Result | None) -> str:
    """Score as the paper takes it; in italics if it is of made data."""
    if result is None:
        return NONE
    score = number(result.scores["paper"]["score"])
    return f"*{score}*" if result.made else score


def abbreviation(result: Result) -> str:
    """Of the task, marked if its data are made."""
    return f"{result.task.abbreviation} (made)" if result.made else result.task.abbreviation


def sure(estimate: Estimate) -> list[str]:
    """Value and 95 % interval."""
    low, high = estimate.interval
    return [share(estimate.value), f"{low:.2f} to {high:.2f}"]


def share(value: float | None) -> str:
    """A share with three decimals."""
    return number(value, 3)


def number(value: float | None, decimals: int = 1) -> str:
    """A number, or that there is none."""
    return NONE if value is None else f"{value:.{decimals}f}"
