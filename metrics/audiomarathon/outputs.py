"""What a run left in its folder, read back and held against itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from dataset_builders.audiomarathon.tasks import TASKS, MarathonTask, find_task
from metrics.intervals import Estimate, estimate

from . import strict

Fields = Mapping[str, type | tuple[type, ...]]
ABSENT = type(None)
RUN: Fields = {"command": str, "model": str, "split": str, "data": (str, ABSENT), "settings": dict, "environment": dict}
RESULT: Fields = {
    "strict": dict,
    "paper": (dict, ABSENT),
    "heard_seconds": (Real, ABSENT),
    "duration": Real,
    "seconds": dict,
    "new_tokens": (Real, ABSENT),
    "peak_memory_gb": (Real, ABSENT),
    "errors": int,
}
PAPER: Fields = {"score": Real, "dropped": Real}
SECONDS: Fields = {"median": Real, "p95": Real}
STRICT = {"wer": ("wer",), "accuracy": ("accuracy", "macro_f1", "majority", "random")}
"""By name of the strict score: the numbers that are told of a task."""
SAMPLE: Fields = {
    "id": str,
    "parsed": (str, ABSENT),
    "answer": str,
    "choices": (list, ABSENT),
    "group": (str, ABSENT),
    "duration": Real,
    "heard_seconds": (Real, ABSENT),
    "left_out": (str, ABSENT),
}
PARTS = {"by_duration": ["other", *strict.DURATIONS], "by_evidence": [*strict.THIRDS]}
"""Parts of the items that strict scores may be told of, "other" being the shortest recordings."""
HEARD_WHOLE = 0.99
"""Share of a recording from which on it counts as heard whole: a model's last frame may be cut."""


Score = TypeVar("Score", float, np.ndarray)


class RunError(ValueError):
    """A folder that does not hold what a run writes, or holds what does not fit together."""


@dataclass(frozen=True)
class Result:
    """What a run came to on one task.

    Args:
        task: One of the ten, or another.
        scores: Its entry in `scores.json`.
        measure: Name of the strict score in `scores`.
        samples: Those that the scores count: all that are not left out, or all if the task is made.
        made: Whether every item is left out, so that the task is in no average.
    """

    task: MarathonTask
    scores: dict[str, Any]
    measure: Literal["wer", "accuracy"]
    samples: list[dict[str, Any]]
    made: bool

    def good(self, value: Score) -> Score:
        """A strict score such that more is better: accuracy as it is, or 1 - WER, at least 0."""
        return np.maximum(0, 1 - value) if self.measure == "wer" else value

    @property
    def cut(self) -> int:
        """How many samples were not heard whole, as far as that is known."""
        heard = [sample for sample in self.samples if sample["heard_seconds"] is not None]
        return sum(sample["heard_seconds"] < HEARD_WHOLE * sample["duration"] for sample in heard)

    @cached_property
    def estimate(self) -> Estimate:
        """The strict score, made again from the samples, with its draws; accuracy or 1 - WER."""
        parsed, answers, choices = (
            [sample[field] for sample in self.samples] for field in ("parsed", "answer", "choices")
        )
        if self.measure == "wer":
            statistic, _ = strict.transcripts([text or "" for text in parsed], answers)
        else:
            statistic, _ = strict.labels(self.task, parsed, answers, choices)
        groups = [sample["group"] or sample["id"] for sample in self.samples]
        return estimate(lambda weights: self.good(statistic(weights)), groups, self.task.name)


@dataclass(frozen=True)
class Run:
    """One folder of outputs.

    Args:
        name: Of the folder, for tables and legends.
        about: Command, model, split, data, settings and environment.
        results: By task name.
    """

    name: str
    about: dict[str, Any]
    results: dict[str, Result]

    @property
    def hears(self) -> str:
        """What the model got of a recording: "audio", or what a baseline gets in its place."""
        return self.about["settings"].get("hear", "audio")

    @property
    def items(self) -> int:
        """How many items its averages are over."""
        return sum(len(result.samples) for result in self.counted.values())

    @property
    def counted(self) -> dict[str, Result]:
        """Results that are in averages: those of the ten tasks that are not made."""
        return {name: result for name, result in self.results.items() if name in TASKS and not result.made}


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Return the runs in the order of `folders`, named after them: by the last part, or the whole path if that is
    not enough to tell them apart.

    Raises:
        RunError: a file is missing or broken, or lacks a field; or `scores.json` is not of the samples beside it.
    """
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    return [read_run(folder, name) for folder, name in zip(folders, names)]


def read_run(folder: Path, name: str) -> Run:
    """Return the run that lies in `folder`; raises as `read_runs`."""
    file = folder / "scores.json"
    about = _check(read_json(_text(file), file), {**RUN, "tasks": dict}, file)
    results, tasks = {}, about.pop("tasks")
    for key, scores in tasks.items():
        try:
            task = find_task(key)
        except ValueError as error:
            raise RunError(f"{file}: {error}") from None
        results[task.name] = _result(folder, task, scores, f"{file}, {key}")
    if not results:
        raise RunError(f"{file}: there is no task in it")
    return Run(name, about, results)


def read_json(text: str | bytes, where: Any) -> Any:
    """What `text` holds; raises `RunError`, which says `where` it is, if that is not JSON."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise RunError(f"{where}: not JSON: {error}") from None


def _result(folder: Path, task: MarathonTask, scores: Any, where: str) -> Result:
    _check(scores, RESULT, where)
    measure: Literal["wer", "accuracy"] = "wer" if task.answer == "transcript" else "accuracy"
    _check(scores["strict"], dict.fromkeys(("items", "parse_rate", *STRICT[measure]), Real), f"{where}, strict")
    if task.name in TASKS or scores["paper"] is not None:
        _check(scores["paper"], PAPER, f"{where}, paper")
    _check(scores["seconds"], SECONDS, f"{where}, seconds")
    for field, known in PARTS.items():
        for part, one in scores["strict"].get(field, {}).items():
            if part not in known:
                raise RunError(f"{where}, strict, {field}: {part!r} is none of {', '.join(known)}")
            _check(one, {measure: Real, "items": int}, f"{where}, strict, {field}, {part}")
    file = folder / f"{task.name}.jsonl"
    samples = [
        _check(read_json(line, f"{file}, line {number}"), SAMPLE, f"{file}, line {number}")
        for number, line in enumerate(_text(file).rstrip("\n").split("\n"), 1)
    ]
    counted = [sample for sample in samples if sample["left_out"] is None]
    result = Result(task, scores, measure, counted or samples, made=not counted)
    held, items = len(result.samples), scores["strict"]["items"]
    if held != items:
        raise RunError(f"{where}: the scores are of {items} items, but {file} holds {held} that count")
    told, found = float(result.good(scores["strict"][measure])), result.estimate.value
    if abs(told - found) > 1e-6:
        raise RunError(f"{where}: the strict score is {told:.4f}, but {file} makes it {found:.4f}")
    return result


def _text(file: Path) -> str:
    if not file.is_file():
        raise RunError(f"{file} is missing: the folder does not hold a finished run")
    return file.read_text("utf-8")


def _check(values: Any, fields: Fields, where: Any) -> dict[str, Any]:
    """Return `values` if it is a dict with these fields of these kinds."""
    if not isinstance(values, dict):
        raise RunError(f"{where}: should be an object with {', '.join(fields)}, is {values!r}")
    for field, kind in fields.items():
        if field not in values:
            raise RunError(f"{where}: the field {field!r} is missing")
        if not isinstance(values[field], kind):
            raise RunError(f"{where}: the field {field!r} cannot be {values[field]!r}")
    return values
