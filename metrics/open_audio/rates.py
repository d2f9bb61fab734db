"""`python -m metrics.open_audio.rates`: one checkpoint at every audio token rate, on the same clips.

Accuracy of each task, its mean over tasks, and that mean over the one at the highest rate; intervals are over whole
groups, and the same groups are drawn at every rate. `score_6hz` is what `metrics.efficiency bars` takes.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from datasets import load_dataset
from rich.console import Console
from rich.table import Table

import dataset_builders  # noqa: F401  (makes open_audio known to load_dataset)
from dataset_builders.errors import plain_errors
from metrics.intervals import Estimate, combine, estimate, mean
from metrics.machine import environment
from metrics.reports import write_report
from modeling_uniwhisper import UniWhisperForConditionalGeneration, UniWhisperProcessor
from modeling_uniwhisper.checkpoints import find_checkpoint

from .answers import answer_rows
from .scores import right

TASKS = (
    "language_id",
    "speaker_id",
    "speaker_gender",
    "spoken_letter",
    "spoken_topic",
    "sound_event",
    "animal",
    "instrument_family",
    "instrument",
    "drum_class",
    "pitch",
    "audio_domain",
)
"""Those with labels that the language model of the shipped checkpoint was trained on."""

SLOW = "6.25"


def main(
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results/rates.json"),
    model: Annotated[Path | None, typer.Option(help="Checkpoint folder; the assembled one if not given.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many clips a task, drawn with a fixed seed.")] = 100,
) -> None:
    """Answer the same test clips at every rate of the checkpoint."""
    checkpoint = find_checkpoint(model)
    processor = UniWhisperProcessor.from_pretrained(checkpoint)
    network = UniWhisperForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.bfloat16).eval()
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    found: dict[str, dict[str, Estimate]] = {}
    for rate in sorted(network.config.audio_token_rates, reverse=True):
        found[f"{rate:g}"] = {task: accuracy(network, processor, task, rate, limit) for task in TASKS}
    report = summary(found)
    command = f"python -m metrics.open_audio.rates --limit {limit}"
    made = {"command": command, **environment(("torch", "transformers")), "limit": limit}
    score = report[SLOW]["over_first"] | {"of": "tasks of open audio, clips"}
    write_report({**made, "rates": report, "score_6hz": score}, out)
    show(report)


def accuracy(
    model: UniWhisperForConditionalGeneration, processor: UniWhisperProcessor, task: str, rate: float, limit: int
) -> Estimate:
    """Share of the clips that are answered rightly at a rate in tokens a second."""
    rows = load_dataset("open_audio", task, split="test")
    rows = rows.shuffle(seed=0).select(range(min(limit, len(rows))))
    found = right(answer_rows(model, processor, rows, rate), rows["label"])
    return estimate(lambda weights: mean(weights, found), rows["group"], task)


def summary(found: dict[str, dict[str, Estimate]]) -> dict[str, dict[str, Any]]:
    """By rate, the highest first: its tasks, their mean, and that over the first rate's."""
    means = {rate: combine(lambda *tasks: np.mean(tasks, axis=0), *tasks.values()) for rate, tasks in found.items()}
    first = next(iter(means.values()))
    return {
        rate: {
            "mean": means[rate].plain,
            "over_first": combine(np.divide, means[rate], first).plain,
            "tasks": {task: one.plain for task, one in tasks.items()},
        }
        for rate, tasks in found.items()
    }


def show(report: dict[str, dict[str, Any]]) -> None:
    """Print a row a rate."""
    table = Table("tokens a second", "mean accuracy", "over the first")
    for rate, of_rate in report.items():
        cells = ("{:.3f} ({:.3f}-{:.3f})".format(of["value"], *of["interval_95"]) for of in list(of_rate.values())[:2])
        table.add_row(rate, *cells)
    Console(width=120).print(table)


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
