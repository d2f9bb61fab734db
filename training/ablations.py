"""One short run again and again, each with one thing changed: `python -m training.ablations training/ablations.yaml`.

The file holds a `recipe` and, by name, `variants`: what of it each changes. All hear the same clips in the same order,
so many of them that a run takes minutes. What a variant came to is what its recipe's validation says at the end. Runs
that are done are not repeated, and an interrupted one goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from dataset_builders.errors import plain_errors

from .config import RecipeError, build_recipe
from .sampling import is_transcription

STATE = "trainer_state.json"


def main(
    file: Annotated[Path, typer.Argument(exists=True, help="Recipe and variants.")],
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results/ablations.json"),
) -> None:
    """Train every variant and compare them on validation."""
    from .train import run

    entries = yaml.safe_load(file.read_text())
    found = {}
    for name, changes in entries["variants"].items():
        recipe = build_recipe(changed(entries["recipe"], changes or {}))
        recipe.output = recipe.output / name.replace(" ", "-")
        if not (recipe.output / STATE).exists():
            run(recipe)
        if not (recipe.output / STATE).exists():  # asked to stop
            raise typer.Exit(1)
        found[name] = {"changes": changes or {}, **outcome(recipe.output)}
    show(found)
    report = {"command": f"python -m training.ablations {file}", "recipe": entries["recipe"], "runs": found}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written: {out}")


def changed(entries: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`entries` with `changes` in them, mappings entry by entry.

    Raises:
        RecipeError: a mapping is replaced by something else.
    """
    result = dict(entries)
    for name, value in changes.items():
        if isinstance(result.get(name), Mapping):
            if not isinstance(value, Mapping):
                raise RecipeError(f"a variant sets {name} to {value!r}, but it is a mapping")
            value = changed(result[name], value)
        result[name] = value
    return result


def outcome(folder: Path) -> dict[str, float]:
    """What a finished run in `folder` says of itself: losses on validation, nearest neighbours, and minutes."""
    history = json.loads((folder / STATE).read_text())["log_history"]
    last = {name: value for entry in history for name, value in entry.items()}
    losses = {name[5:-5]: value for name, value in last.items() if name.startswith("eval_") and name.endswith("_loss")}
    spoken = [loss for task, loss in losses.items() if is_transcription(task)]
    others = [loss for task, loss in losses.items() if not is_transcription(task)]
    return {
        "knn": last["eval_knn"],
        "loss_of_transcription": sum(spoken) / len(spoken),
        "loss_of_other_tasks": sum(others) / len(others),
        "minutes": last["train_runtime"] / 60,
        "losses": losses,
    }


def show(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Print a row a variant."""
    names = ("knn", "loss_of_transcription", "loss_of_other_tasks", "minutes")
    table = Table("variant", *(name.replace("_", " ") for name in names))
    for variant, one in found.items():
        table.add_row(variant, *(f"{one[name]:.3f}" for name in names))
    Console().print(table)


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
