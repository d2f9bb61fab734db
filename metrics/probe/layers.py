"""Encoders layer by layer, on validation alone: `python -m metrics.probe.layers whisper-base runs/encoder-cpu/final`.

What is to be shipped, and which of its layers `embed` reads, is chosen by this; test clips are not read. Neighbours
vote raw and centred, as in the probes; ridge regression stands for a trained head, as it has a closed form.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from dataset_builders.errors import plain_errors
from dataset_builders.probe_suite.registry import TASKS, load_splits
from metrics.reports import write_report
from modeling_uniwhisper.checkpoints import cache_home

from .embed import embed
from .encoders import Encoder, open_encoder
from .heads import choose_layer
from .labels import classes_of, targets
from .neighbours import choose_neighbourhood

CLIP_TASKS = [name for name, task in TASKS.items() if task.kind == "clip"]


def layer_scores(encoder: Encoder, name: str, cache: Path) -> dict[str, list[float]]:
    """Validation accuracy on the task `name` at each layer, the input of the first one included."""
    rows = {split: part for split, part in load_splits(TASKS[name]).items() if split != "test"}
    classes = classes_of(rows["train"]["label"])
    train, validation = (
        (embed(encoder, part, cache, description=f"{name} {split}").pooled, targets(part["label"], classes))
        for split, part in rows.items()
    )
    raw, centred = choose_neighbourhood(train, validation).scores
    return {"knn": raw, "knn_centred": centred, "ridge": choose_layer(train, validation)[1]}


def main(
    encoders: Annotated[list[str], typer.Argument(help="Built-in names, checkpoint folders or Hub ids.")],
    tasks: Annotated[str, typer.Option(help="Names with commas between; all with one label a clip if not given.")] = "",
    out: Annotated[Path, typer.Option(help="JSON to write.")] = Path("results/layers.json"),
) -> None:
    """Print and write the mean over tasks, and each task's scores, by layer."""
    names = tasks.split(",") if tasks else CLIP_TASKS
    if unknown := [name for name in names if name not in CLIP_TASKS]:
        raise typer.BadParameter(f"no task with one label a clip is called {', '.join(unknown)}")
    report: dict[str, Any] = {
        "command": f"python -m metrics.probe.layers {' '.join(encoders)}" + f" --tasks {tasks}" * bool(tasks)
    }
    for source in encoders:
        encoder = open_encoder(source)
        scores = {name: layer_scores(encoder, name, cache_home() / "embeddings") for name in names}
        means = {kind: np.mean([scores[name][kind] for name in names], axis=0).tolist() for kind in scores[names[0]]}
        report[source] = {"mean": means, **scores}
        for kind, by_layer in means.items():
            print(f"{source}, {kind}: " + " ".join(f"{score:.3f}" for score in by_layer), flush=True)
    write_report(report, out)


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
