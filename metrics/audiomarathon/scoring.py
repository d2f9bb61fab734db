"""What the lines of a run come to: `scores.json` from samples, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dataset_builders.audiomarathon.tasks import TASKS, MarathonTask

from . import paper, strict
from .parsing import choices_of
from .published import average

Sample = Mapping[str, Any]


def summarise(task: MarathonTask, samples: Sequence[Sample]) -> dict[str, Any]:
    """Scores and costs of one task.

    Items that are left out count in the costs alone. If all are, they are scored, and `made` says that it is for show.
    """
    counted = [sample for sample in samples if sample["left_out"] is None]
    scored = counted or samples
    columns = {field: [sample[field] for sample in scored] for field in scored[0]}
    choices = [() if task.answer == "transcript" else choices_of(task, one) for one in columns["choices"]]
    seconds = [sample["seconds"] for sample in samples]
    return {
        "strict": strict.score(
            task,
            columns["parsed"],
            columns["answer"],
            choices,
            columns["duration"],
            [sample["group"] or sample["id"] for sample in scored],
            columns["start"],
            columns["end"],
        ),
        "paper": paper.score(task, columns["reply"], columns["answer"], choices) if task.name in TASKS else None,
        **({} if counted else {"made": True}),
        "heard_seconds": mean(samples, "heard_seconds"),
        "duration": mean(samples, "duration"),
        "seconds": {"median": float(np.median(seconds)), "p95": float(np.percentile(seconds, 95))},
        "new_tokens": mean(samples, "new_tokens"),
        "peak_memory_gb": max(known(samples, "peak_memory_gb"), default=None),
        "errors": sum(sample["error"] is not None for sample in samples),
    }


def average_scores(tasks: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Means over those of the ten tasks that are not made, which `tasks` names; no scores if there is none.

    `strict` is of accuracies, and of 1 - WER for transcripts, at least 0; `paper` is the authors' Avg.
    """
    counted = {
        TASKS[name].abbreviation: scores for name, scores in tasks.items() if name in TASKS and not scores.get("made")
    }
    if not counted:
        return {"tasks": [], "strict": None, "paper": None}
    good = [
        scores["strict"]["accuracy"] if "accuracy" in scores["strict"] else max(0.0, 1 - scores["strict"]["wer"])
        for scores in counted.values()
    ]
    return {
        "tasks": list(counted),
        "strict": float(np.mean(good)),
        "paper": average({name: scores["paper"]["score"] for name, scores in counted.items()}),
    }


def known(samples: Sequence[Sample], field: str) -> list[float]:
    """Values of a field, without those that no one knows."""
    return [sample[field] for sample in samples if sample[field] is not None]


def mean(samples: Sequence[Sample], field: str) -> float | None:
    """Mean of what is known."""
    values = known(samples, field)
    return float(np.mean(values)) if values else None
