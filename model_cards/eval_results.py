"""Results in the form that the Hub reads today: `.eval_results/*.yaml`, an entry for each task of a data set there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

RESULTS = Path(__file__).parent / "uniwhisper-base/results"
OPEN_AUDIO_TASK = "spoken_topic"
"""The one task of open audio that is passed on: all of it comes from one package, under one licence."""


def write_eval_results(folder: Path, org: str) -> None:
    """Write the results on the data sets that are published with the model into its `folder`."""
    (folder / ".eval_results").mkdir()
    for dataset, entries in (("audiomarathon", _audiomarathon(org)), ("open-audio", _open_audio(org))):
        text = yaml.safe_dump(eval_result_entries_to_yaml([*entries]), sort_keys=False, allow_unicode=True)
        (folder / f".eval_results/{dataset}.yaml").write_text(text, "utf-8")


def _audiomarathon(org: str) -> Iterator[EvalResultEntry]:
    scores = json.loads((RESULTS / "audiomarathon/ours/scores.json").read_text("utf-8"))
    for task, found in scores["tasks"].items():
        strict = found["strict"]
        if not found.get("made"):
            yield _entry(org, "audiomarathon", task, strict, strict["items"], f"split {scores['split']}")


def _open_audio(org: str) -> Iterator[EvalResultEntry]:
    results = json.loads((RESULTS / "open_audio.json").read_text("utf-8"))
    found = results["tasks"][OPEN_AUDIO_TASK]
    yield _entry(org, "open-audio", OPEN_AUDIO_TASK, found, found["clips"], f"split {results['split']}")


def _entry(org: str, dataset: str, task: str, found: dict[str, Any], items: int, split: str) -> EvalResultEntry:
    """Accuracy in percent, or 100 - WER and at least 0, as the benchmark's own table has it."""
    if "accuracy" in found:
        name, value, (low, high) = "accuracy", found["accuracy"], found["accuracy_95"]
    else:
        name, value, (high, low) = "100 - WER", 1 - found["wer"], (1 - bound for bound in found["wer_95"])
    value, low, high = (round(100 * max(0.0, share), 1) for share in (value, low, high))
    return EvalResultEntry(
        dataset_id=f"{org}/{dataset}",
        task_id=task,
        value=value,
        source_url=f"https://huggingface.co/{org}/uniwhisper-base",
        source_name="The model's own card",
        notes=f"{name}, {split}, {items} items, 95 % interval {low:g} to {high:g}",
    )
