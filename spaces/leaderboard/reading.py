"""Results files as what a board shows: runs of AudioMarathon, its published rows, and probes of encoders."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from dataset_builders.audiomarathon.tasks import TASKS

ALL = "all"
STRICT, PAPER = "strict", "paper"
RUN_FILE, RUN_FIELDS = "scores.json", {"model", "split", "settings", "tasks"}
PROBE_FIELDS = {"encoder", "averages", "tasks"}
VIEWS = ("knn_last", "knn_chosen", "mlp_last", "mlp_chosen")
BROKEN = (AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)  # which any content may raise


class Score(NamedTuple):
    """In percent, with its 95 % interval if that is known; `counts` in averages unless `note` says why not."""

    value: float
    interval: tuple[float, float] | None = None
    note: str = ""
    counts: bool = True


class Task(NamedTuple):
    """A column: its head, its whole name, the part of the suite that it belongs to, and what else is told of it."""

    head: str
    title: str
    part: str
    note: str = ""


@dataclass(frozen=True)
class Entry:
    """A row: a model, what it was measured on, and its scores.

    Args:
        scores: by way of scoring, then task.
        averages: by way of scoring, then part of the suite, where a file tells them.
    """

    model: str
    about: str
    scores: dict[str, dict[str, Score]]
    averages: dict[str, dict[str, Score]] = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """What a folder holds; `problems` are sentences on what is not shown."""

    runs: list[Entry] = field(default_factory=list)
    probes: list[Entry] = field(default_factory=list)
    probe_tasks: dict[str, Task] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


MARATHON_TASKS = {
    task.abbreviation: Task(task.abbreviation, task.name.replace("_", " "), task.group) for task in TASKS.values()
}


def read_results(folder: Path, pattern: str = "**/*.json") -> Results:
    """Reads every file of a folder that matches, and names them as they are called within it."""
    found, others = Results(), []
    for file in sorted(folder.glob(pattern)):
        name = file.relative_to(folder).as_posix()
        try:
            report = json.loads(file.read_bytes())
            fields = report.keys() if isinstance(report, dict) else set()
            if fields >= RUN_FIELDS:
                found.runs.append(read_run(report, name.removesuffix(f"/{RUN_FILE}")))
            elif fields >= PROBE_FIELDS:
                probe, tasks = read_probe(report, name), read_probe_tasks(report)
                found.probes.append(probe)
                found.probe_tasks.update(tasks | found.probe_tasks)
            elif not file.with_name(RUN_FILE).exists():  # else it is a part of that run
                others.append(name)
        except BROKEN as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            reason = f"it lacks {reason}" if isinstance(error, LookupError) else reason
            found.problems.append(f"{name} is broken: {reason}.")
    if others:
        found.problems.append(f"Neither a run of AudioMarathon nor a probe: {', '.join(others)}.")
    return found


def read_published(file: Path) -> list[Entry]:
    """The rows of the paper's main table."""
    table = json.loads(file.read_text("utf-8"))
    return [
        Entry(
            row["model"],
            "published, full test set",
            {PAPER: {task: Score(score) for task, score in zip(table["columns"], row["scores"]) if score is not None}},
            {PAPER: {ALL: Score(row["average"])}},
        )
        for row in table["rows"]
    ]


def read_run(report: Mapping[str, Any], source: str) -> Entry:
    """What `metrics.audiomarathon` wrote; tasks that are not of the ten are left out."""
    scores: dict[str, dict[str, Score]] = {STRICT: {}, PAPER: {}}
    items = 0
    for name in TASKS.keys() & report["tasks"].keys():
        found, task = report["tasks"][name], TASKS[name].abbreviation
        made = {"note": "made data", "counts": False} if found.get("made") else {}
        scores[STRICT][task] = _strict(found["strict"])._replace(**made)
        scores[PAPER][task] = Score(float(found["paper"]["score"]), **made)
        items += 0 if made else found["strict"]["items"]
    hears, setting = report["settings"].get("hear", "audio"), report["settings"].get("setting")
    of = [report["split"], f"{items} items", "" if hears == "audio" else f"hears {hears}", setting]
    model = Path(report["model"])
    name = model.name if model.is_absolute() else report["model"]  # no folder of the machine that ran it
    return Entry(name, f"{', '.join(filter(None, of))} · {source}", scores)


def read_probe(report: Mapping[str, Any], source: str) -> Entry:
    """What `metrics.probe` wrote."""
    tasks = report["tasks"]
    scores = {
        view: {name: _share(task["scores"][view]) for name, task in tasks.items() if view in task["scores"]}
        for view in VIEWS
    }
    averages = {
        view: {part: _share(average) for part, average in report["averages"].get(view, {}).items()} for view in VIEWS
    }
    clips = sum(task["test_clips"] for task in tasks.values())
    return Entry(str(report["encoder"]["name"]), f"{len(tasks)} tasks, {clips:,} clips · {source}", scores, averages)


def read_probe_tasks(report: Mapping[str, Any]) -> dict[str, Task]:
    """The tasks of a report of `metrics.probe`, a star where no training mixture holds the task."""
    return {
        name: Task(
            name.replace("_", " ") + " *" * task["unseen"],
            f"{name.replace('_', ' ')}: {task['metric']}, {task['test_clips']} test clips",
            task["domain"],
            "" if task["chance"] is None else f"chance {100 * task['chance']:.0f}",
        )
        for name, task in report["tasks"].items()
    }


def _strict(found: Mapping[str, Any]) -> Score:
    """Accuracy, or 1 - WER, at least 0."""
    if "wer" not in found:
        return _share({"value": found["accuracy"], "interval_95": found["accuracy_95"]})
    low, high = found["wer_95"]
    return _share({"value": max(0, 1 - found["wer"]), "interval_95": (max(0, 1 - high), max(0, 1 - low))})


def _share(found: Mapping[str, Any]) -> Score:
    low, high = found["interval_95"]
    return Score(100 * found["value"], (100 * low, 100 * high))
