"""Every task on made sounds of a few seconds: whether a model, the runner, the scores and the report go together."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import soundfile
from rich.console import Console

from dataset_builders.audiomarathon.items import Item, write_items
from dataset_builders.audiomarathon.tasks import TASKS, MarathonTask
from modeling_uniwhisper.audio_io import SAMPLING_RATE

from .report import write
from .run import Settings, run

ITEMS, SECONDS = 2, 3
OPTIONS = ("two", "three", "four", "five")
"""Of the tasks whose options belong to the item."""


def mock_run(model: str, **options: Any) -> None:
    """Run all ten tasks, score and report them, and print what worked.

    Args:
        model, options: as `Settings.resolve` takes them.
    """
    console = Console(highlight=False)
    start = perf_counter()
    with TemporaryDirectory() as scratch:
        items, out, to = (Path(scratch, name) for name in ("items", "run", "report"))
        make_items(items)
        settings = Settings.resolve(model=model, split="test", data_dir=str(items), batch_size=ITEMS, **options)
        scores = run(settings, list(TASKS.values()), out, console)["tasks"]
        write([out], to)
        pictures = len(list(to.glob("*.png")))
    for name, task in scores.items():
        errors = f", {task['errors']} without a reply" if task["errors"] else ""
        read, paper = task["strict"]["parse_rate"], task["paper"]["score"]
        console.print(f"{name}: {task['seconds']['median']:.1f} s a reply, {read:.0%} read, paper {paper:.0f}{errors}")
    console.print(f"report: Markdown, HTML and {pictures} pictures")
    console.print(f"{len(scores)} tasks answered, scored and reported in {perf_counter() - start:.0f} s")


def make_items(folder: Path) -> None:
    """Write items of every task, on two chirps in noise, that count in no score."""
    folder.mkdir(parents=True)
    time = np.arange(SECONDS * SAMPLING_RATE) / SAMPLING_RATE
    noise = np.random.default_rng(0).normal(0, 0.05, (ITEMS, len(time)))
    for number in range(ITEMS):
        tone = 0.3 * np.sin(2 * np.pi * (200 + 300 * number + 100 * time) * time)
        soundfile.write(folder / f"{number}.wav", tone + noise[number], SAMPLING_RATE)
    for task in TASKS.values():
        write_items(folder, task, [make_item(task, number) for number in range(ITEMS)])


def make_item(task: MarathonTask, number: int) -> Item:
    """An item whose answer is its `number`th choice."""
    choices = task.labels if task.answer == "labels" else (task.labels or OPTIONS)[:4]
    return Item(
        id=str(number),
        audio=f"{number}.wav",
        answer="nothing is said" if task.answer == "transcript" else choices[number],
        duration=SECONDS,
        source="made",
        license="CC0-1.0",
        group=str(number),
        question="Which is it?",
        choices=() if task.answer == "transcript" else tuple(choices),
        left_out="made sound",
    )
