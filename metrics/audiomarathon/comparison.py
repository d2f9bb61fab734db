"""What runs have in common, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import confusion_matrix

from dataset_builders.audiomarathon.tasks import TASKS, MarathonTask
from metrics.intervals import Estimate, combine

from .outputs import PARTS, Result, Run


def tasks_of(runs: Sequence[Run]) -> list[MarathonTask]:
    """Tasks that any of the runs has: of the ten in their order, then others."""
    found = {result.task for run in runs for result in run.results.values()}
    return [task for task in TASKS.values() if task in found] + sorted(found - {*TASKS.values()}, key=str)


def common(runs: Sequence[Run]) -> list[MarathonTask]:
    """Tasks that every run has and counts: what averages are over."""
    return [task for task in TASKS.values() if all(task.name in run.counted for run in runs)]


def average(run: Run, tasks: Sequence[MarathonTask]) -> Estimate:
    """The mean strict score over `tasks`, accuracy or 1 - WER, with its draws."""
    estimates = [run.results[task.name].estimate for task in tasks]
    return combine(lambda *values: np.mean(values, axis=0), *estimates)


def parted(runs: Sequence[Run], field: str) -> list[MarathonTask]:
    """Tasks of which a run has scores by duration or by evidence."""
    return [task for task in tasks_of(runs) if parts_of(runs, [task], field)]


def parts_of(runs: Sequence[Run], tasks: Sequence[MarathonTask], field: str) -> list[str]:
    """Parts that have items in any of `tasks` of any run."""
    results = [run.results[task.name] for run in runs for task in tasks if task.name in run.results]
    return [part for part in PARTS[field] if any(part in one.scores["strict"].get(field, {}) for one in results)]


def same_items(base: Run, ours: Run, tasks: Sequence[MarathonTask]) -> bool:
    """Whether two runs answered the same items of `tasks`, so that they can be compared in pairs."""

    def asked(run: Run) -> list[tuple[str, str, float]]:
        results = (run.results[task.name] for task in tasks)
        return [(sample["id"], sample["answer"], sample["duration"]) for one in results for sample in one.samples]

    return asked(base) == asked(ours)


def confusion(result: Result, labels: Sequence[str]) -> np.ndarray:
    """Counts `(labels, labels + 1)` of what was said where a label was right; the last column is invalid answers."""
    invalid = len(labels)
    meant = [labels.index(sample["answer"]) for sample in result.samples]
    said = [invalid if sample["parsed"] is None else labels.index(sample["parsed"]) for sample in result.samples]
    return confusion_matrix(meant, said, labels=range(invalid + 1))[:-1]


def labels_of(results: Sequence[Result]) -> list[str]:
    """Labels of a task that are right or said somewhere: those that the task lists in its order, then any other."""
    seen = {sample[field] for one in results for sample in one.samples for field in ("answer", "parsed")} - {None}
    listed = [label for label in results[0].task.labels if label in seen]
    return listed + sorted(seen - {*listed})
