"""Draw a run's loss curves: `python -m training.curve runs/starter --out loss.png`."""

import json
from pathlib import Path

import typer

from dataset_builders.errors import plain_errors


def read_losses(run: Path) -> tuple[list[tuple[int, float]], dict[str, list[tuple[int, float]]]]:
    """Training loss and each task's validation loss, by step, of the newest state that `run` holds.

    Raises `FileNotFoundError` where no state was saved yet.
    """
    states = sorted(run.rglob("trainer_state.json"), key=lambda path: path.stat().st_mtime)
    if not states:
        raise FileNotFoundError(f"{run} holds no trainer_state.json: nothing was trained there yet")
    training: list[tuple[int, float]] = []
    validation: dict[str, list[tuple[int, float]]] = {}
    for entry in json.loads(states[-1].read_text())["log_history"]:
        if "loss" in entry:
            training.append((entry["step"], entry["loss"]))
        for name, value in entry.items():
            if name.startswith("eval_") and name.endswith("_loss"):
                validation.setdefault(name[5:-5], []).append((entry["step"], value))
    return training, validation


def main(
    run: Path = typer.Argument(..., exists=True, help="Folder of the run."),
    out: Path = typer.Option(Path("loss.png"), help="Picture to write."),
) -> None:
    """Draw training and validation loss by step."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    training, validation = read_losses(run)
    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    axes.plot(*zip(*training), color="0.8", label="training, all tasks")
    for task, points in sorted(validation.items()):
        axes.plot(*zip(*points), marker="o", markersize=3, label=task)
    axes.set(xlabel="step", ylabel="loss of an answer token", ylim=(0, None))
    axes.legend(title="validation", fontsize=8)
    figure.savefig(out, dpi=120)
    print(f"written: {out}")


if __name__ == "__main__":
    with plain_errors():
        typer.run(main)
