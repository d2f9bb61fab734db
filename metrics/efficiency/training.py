"""How fast our training loop hears clips: `python -m metrics.efficiency.training`.

The same clips, model and trained parts go through one pass of

- `training.train`: windows as long as the clip, like lengths in a batch of so many seconds, token rates sampled;
- a plain `Trainer`: batches of 8 in random order, every clip padded to 30 s, tokens at 12.5 Hz (of the clip alone).

Arms take turns, after a warm-up; a speedup is the median over rounds. Loading the model is not timed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from copy import copy
from functools import partial
from pathlib import Path
from time import perf_counter

import datasets
import numpy as np
import transformers
import typer
from transformers import Trainer

from dataset_builders.errors import plain_errors
from metrics.machine import environment
from metrics.reports import write_report
from modeling_uniwhisper.feature_extraction_uniwhisper import MAX_WINDOW_SECONDS
from training.assemble import assemble_base
from training.config import Recipe, read_recipe
from training.train import TOLD, UniWhisperTrainer, make_trainer

from .timing import spread

RECIPE = Path("training/recipes/encoder-cpu.yaml")
CLIPS, REPEATS = 64, 3
PLAIN_RATE = 12.5
BARS = {"speedup": 5.0, "six_second_clips_per_second": 6.0}


def main(
    out: Path | None = typer.Option(None, help="Where the JSON goes; printed if not given."),
    recipe: Path = typer.Option(RECIPE, exists=True, help="What is trained, and on what."),
    clips: int = typer.Option(CLIPS, help="Clips of a pass."),
    repeats: int = typer.Option(REPEATS, help="Timed rounds after the warm-up."),
) -> None:
    """Clips a second of both loops."""
    datasets.disable_progress_bars()
    transformers.logging.set_verbosity_error()
    command = f"python -m metrics.efficiency.training --recipe {recipe} --clips {clips} --repeats {repeats}"
    with tempfile.TemporaryDirectory() as scratch:
        trainer = make_trainer(shortened(read_recipe(recipe), clips, Path(scratch)))
        report = {"command": command, **environment(), "bars": BARS, **measure(trainer, repeats)}
    write_report(report, out)


def shortened(recipe: Recipe, clips: int, output: Path) -> Recipe:
    """`recipe` for one pass over `clips`, with everything learning from the first step and nothing kept."""
    recipe.base, recipe.output = recipe.base or assemble_base(), output
    recipe.mixture.examples, recipe.encoder.starts, recipe.validation_clips = clips, 0.0, 1
    quiet = {"eval_strategy": "no", "save_strategy": "no", "report_to": "none", "disable_tqdm": True}
    recipe.trainer |= {**quiet, "logging_steps": 10**6}
    return recipe


def measure(trainer: UniWhisperTrainer, repeats: int) -> dict[str, object]:
    """Both loops in turns on the trainer's clips."""
    mixture = trainer.train_dataset
    seconds = np.array([mixture[place]["duration"] for place in range(len(mixture))])
    taken: dict[str, list[float]] = {"ours": [], "plain": []}
    for turn in range(repeats + 1):
        for name, loop in (("ours", trainer), ("plain", plain(trainer))):
            start = perf_counter()
            loop.train()
            if turn:  # the first warms up
                taken[name].append(perf_counter() - start)
    ours, theirs = map(np.array, taken.values())
    return {
        "clips": len(seconds),
        "clip_seconds_min_median_mean_max": [
            round(float(one), 2) for one in (seconds.min(), np.median(seconds), seconds.mean(), seconds.max())
        ],
        "repeats": repeats,
        "clips_per_second": {name: spread(len(seconds) / np.array(times)) for name, times in taken.items()},
        "six_second_clips_per_second": spread(seconds.sum() / 6 / ours),
        "times_real_time": spread(seconds.sum() / ours),
        "speedup": spread(theirs / ours),
    }


def plain(trainer: UniWhisperTrainer) -> Trainer:
    """Hugging Face's own loop on the same model, clips and prompts; every window is 30 s."""
    collator = copy(trainer.data_collator)
    vars(collator)["inputs"] = partial(padded, collator.inputs)

    def collate(rows: list[dict]) -> dict:
        return {name: value for name, value in collator(rows).items() if name not in TOLD}

    return Trainer(trainer.model, trainer.args, collate, trainer.train_dataset)


def padded(inputs: Callable[..., dict], rows: list[dict], audio: list[np.ndarray], rate: float, tail: float) -> dict:
    """What `inputs` makes of clips with as much silence after them as fills a window, at the plain rate."""
    return inputs(rows, audio, PLAIN_RATE, MAX_WINDOW_SECONDS)


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
