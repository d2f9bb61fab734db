"""The README's picture: `python -m model_cards.overview` writes docs/overview.png from kept results and a screenshot.

What an encoder of speech became on twenty tasks, what 300 s of audio cost at each token rate, and the page.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "model_cards/uniwhisper-base/results"
SCREENSHOT, PICTURE = (REPOSITORY / "docs" / name for name in ("screenshot.png", "overview.png"))
BEFORE, AFTER, PALE = "#94a3b8", "#0f766e", "#cbd5e1"


def read(name: str) -> dict[str, Any]:
    """Kept results."""
    return json.loads((RESULTS / name).read_text("utf-8"))


def probes(axes: Axes) -> None:
    """A line a task from Whisper-base's trained probe to ours, by domain."""
    before, after = (read(f"probe/{name}.json")["tasks"] for name in ("whisper-base", "uniwhisper"))
    names = list(before)[::-1]
    places = range(len(names))
    whisper, ours = ([tasks[name]["scores"]["mlp_chosen"]["value"] for name in names] for tasks in (before, after))
    axes.hlines(places, whisper, ours, PALE, lw=3, zorder=0)
    axes.scatter(whisper, places, s=28, color=BEFORE, label="Whisper-base")
    axes.scatter(ours, places, s=40, color=AFTER, label="UniWhisper-base")
    axes.set_yticks(places, [name.replace("_", " ") for name in names], size=8)
    for domain, some in groupby(places, lambda place: before[names[place]]["domain"]):
        *_, top = some
        axes.axhline(top + 0.5, color=PALE, lw=0.8)
        axes.text(0.005, top + 0.35, domain, color=BEFORE, size=8, va="top")
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.7, len(names) - 0.5)
    axes.set_title("Trained probe of the frozen encoder, layer chosen on validation", loc="left", size=10)
    axes.legend(frameon=False, fontsize=8, loc="lower right")


def costs(axes: Axes) -> None:
    """Seconds of a reply about 300 s of audio, and how well clips are answered, by audio tokens a second."""
    found, rates = read("cost.json"), read("rates.json")["rates"]
    seconds = [row["seconds"]["reply"]["median"] for row in found["rows"]]
    right = [of["mean"]["value"] for of in rates.values()]
    told = [f"{time:.1f} s · {share:.0%} right on clips" for time, share in zip(seconds, right)]
    bars = axes.barh(range(len(seconds)), seconds, color=[BEFORE, AFTER, AFTER, AFTER], height=0.6)
    axes.bar_label(bars, told, padding=4, size=8)
    axes.set_yticks(range(len(seconds)), [f"{rate} a second" for rate in rates], size=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.5 * max(seconds))
    axes.set_title("Reply about 300 s of audio on two CPU cores, by audio tokens", loc="left", size=10)


def main() -> None:
    """Writes the picture."""
    figure = Figure(figsize=(13, 6.6), layout="constrained")
    panels = figure.subplot_mosaic("pt;ps", width_ratios=[1.15, 1], height_ratios=[4, 1.2])
    page, by_task, seconds = (panels[place] for place in "pts")
    page.imshow(imread(SCREENSHOT))
    page.axis("off")
    probes(by_task)
    costs(seconds)
    for axes in (by_task, seconds):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
