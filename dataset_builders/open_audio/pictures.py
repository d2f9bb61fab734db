"""Pictures of the dataset card: durations, class balance, one spectrogram a task."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from pyarrow import parquet
from scipy import signal

COLUMNS = 5
DPI = 80
COLOURS = {"speech": "#4063d8", "sound": "#389826", "music": "#cb3c33"}


def draw(manifests: dict[str, dict[str, Any]], data: Path, folder: Path) -> None:
    """Write `durations.png`, `classes.png` and `spectrograms.png` into `folder`."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in (
        ("durations", _durations(pyplot, manifests)),
        ("classes", _classes(pyplot, manifests)),
        ("spectrograms", _spectrograms(pyplot, manifests, data)),
    ):
        figure.savefig(folder / f"{name}.png", dpi=DPI)
        pyplot.close(figure)


def _domain(manifest: dict[str, Any]) -> str:
    domains = manifest["splits"]["train"]["domains"]
    return max(domains, key=domains.get)


def _durations(pyplot: Any, manifests: dict[str, dict[str, Any]]) -> Any:
    """Draw what lies between the 5th and 95th centile of the training clips, the median marked."""
    figure, axes = pyplot.subplots(figsize=(9, 0.3 * len(manifests) + 1), layout="constrained")
    for place, manifest in enumerate(manifests.values()):
        shortest, low, median, high, longest = manifest["splits"]["train"]["seconds"]
        axes.plot([shortest, longest], [place, place], color="0.8", linewidth=1)
        colour = COLOURS[_domain(manifest)]
        axes.plot([low, high], [place, place], color=colour, linewidth=6)
        axes.plot([median], [place], "o", color="white", markeredgecolor=colour, markersize=4)
    axes.set(xscale="log", xlabel="seconds", yticks=range(len(manifests)), yticklabels=list(manifests))
    axes.set_xticks([0.3, 1, 3, 10, 30, 100, 300], ["0.3", "1", "3", "10", "30", "100", "300"])
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _classes(pyplot: Any, manifests: dict[str, dict[str, Any]]) -> Any:
    """Draw how many training clips each label has, from the commonest to the rarest."""
    labelled = {name: m for name, m in manifests.items() if m["splits"]["train"]["labels"]}
    figure, grid = _grid(pyplot, len(labelled), height=1.5)
    for axes, (name, manifest) in zip(grid, labelled.items()):
        counts = sorted(manifest["splits"]["train"]["labels"].values(), reverse=True)
        axes.bar(range(len(counts)), counts, width=0.9, color=COLOURS[_domain(manifest)])
        axes.set_title(f"{name}: {len(counts)}", fontsize=9)
        axes.set_xticks([])
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _spectrograms(pyplot: Any, manifests: dict[str, dict[str, Any]], data: Path) -> Any:
    """Draw the first test clip of each task, at most 10 s of it, with its answer."""
    figure, grid = _grid(pyplot, len(manifests), height=1.7)
    for axes, name in zip(grid, manifests):
        row = next(parquet.ParquetFile(data / name / "test-00000.parquet").iter_batches(1)).to_pylist()[0]
        samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32", frames=160_000)
        frequencies, times, power = signal.spectrogram(samples, rate, nperseg=512, noverlap=352)
        decibels = 10 * np.log10(power + 1e-10)
        axes.pcolormesh(times, frequencies / 1000, decibels, vmin=decibels.max() - 80, cmap="magma", rasterized=True)
        axes.set_yscale("symlog", linthresh=1)
        axes.set_yticks([0, 1, 4, 8], ["0", "1", "4", "8"])
        answer = row["answer"] if len(row["answer"]) < 34 else row["answer"][:32] + "..."
        axes.set_title(f"{name}\n{answer}", fontsize=8)
        axes.tick_params(labelsize=7)
    return figure


def _grid(pyplot: Any, panels: int, height: float) -> tuple[Any, list[Any]]:
    rows = -(-panels // COLUMNS)
    figure, grid = pyplot.subplots(rows, COLUMNS, figsize=(12, height * rows), layout="constrained", squeeze=False)
    for axes in grid.flat[panels:]:
        axes.axis("off")
    return figure, list(grid.flat)
