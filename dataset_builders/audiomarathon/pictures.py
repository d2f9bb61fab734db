"""Pictures of the items: how long they are, and where their evidence lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .sources import FILES
from .stats import Statistics

COLUMNS, WIDTH, HEIGHT, DPI, BINS = 5, 2.4, 1.8, 80, 20


def draw(statistics: Statistics, folder: Path) -> list[Path]:
    """Write `durations.png` and, if any item tells where its evidence is, `evidence.png`; return their paths.

    A task is drawn from `full` if it is there, or else from `test`, or else from `mini`.
    """
    fullest = {
        task: next(splits[split] for split in reversed(FILES) if split in splits) for task, splits in statistics.items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, unit in (("durations", "seconds"), ("evidence", "where in the item, 0 to 1")):
        values = {task: held[name] for task, held in fullest.items() if held[name]}
        if values:
            longest = 1.0 if name == "evidence" else max(map(max, values.values()))
            drawn.append(_histograms(values, longest, unit, folder / f"{name}.png"))
    return drawn


def _histograms(values: dict[str, list[float]], longest: float, unit: str, path: Path) -> Path:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    columns = min(COLUMNS, len(values))
    rows = -(-len(values) // columns)
    figure, grid = pyplot.subplots(
        rows, columns, figsize=(WIDTH * columns, HEIGHT * rows), layout="constrained", squeeze=False, sharex=True
    )
    panels: list[Any] = list(grid.flat)
    for axes, (task, numbers) in zip(panels, values.items()):
        axes.hist(numbers, bins=BINS, range=(0, longest), color="#4063d8")
        axes.set_title(f"{task}: {len(numbers)}", fontsize=7)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(values) :]:
        axes.axis("off")
    figure.supxlabel(unit, fontsize=8)
    figure.savefig(path, dpi=DPI)
    pyplot.close(figure)
    return path
