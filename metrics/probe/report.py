"""Results of probes as tables and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.table import Table

COLUMNS = {
    "knn_last": "kNN, last layer",
    "knn_chosen": "kNN, chosen",
    "mlp_last": "MLP, last layer",
    "mlp_chosen": "MLP, chosen",
}
"""Views that tables show; the chosen layer, raw or centred, is validation's."""

PARTS = ("speech", "sound", "music", "unseen", "all")
DPI = 110
COLOURS = ("#cb3c33", "#4063d8", "#389826", "#9558b2", "#8a8a8a", "#d99a2b")


def lines(reports: list[dict]) -> list[list[str]]:
    """Header and rows: a task or an average each, with the scores of every encoder."""
    head = ["task", "clips", "chance"] + [
        f"{r['encoder']['name']}: {title}" for r in reports for title in COLUMNS.values()
    ]
    rows = [head]
    for name, found in reports[0]["tasks"].items():
        chance = "" if found["chance"] is None else f"{found['chance']:.2f}"
        scores = [
            _cell(report["tasks"].get(name, {}).get("scores", {}).get(view)) for report in reports for view in COLUMNS
        ]
        rows.append([name + (" *" if found["unseen"] else ""), str(found["test_clips"]), chance, *scores])
    for part in reports[0]["averages"]["mlp_chosen"]:
        scores = [_cell(report["averages"].get(view, {}).get(part)) for report in reports for view in COLUMNS]
        rows.append([f"average: {part}", "", "", *scores])
    return rows


def markdown(reports: list[dict]) -> str:
    """The table in Markdown; a star marks tasks that no training mixture holds."""
    head, *rows = lines(reports)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)) + "\n"


def table(reports: list[dict]) -> Table:
    """The table for a terminal."""
    head, *rows = lines(reports)
    shown = Table(*head)
    for row in rows:
        shown.add_row(*row)
    return shown


def draw(reports: list[dict], folder: Path) -> None:
    """Write `radar.png`, the trained probe on every task, and `domains.png`, averages with 95 % intervals."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    for name, figure in (("radar", _radar(pyplot, reports)), ("domains", _domains(pyplot, reports))):
        figure.savefig(folder / f"{name}.png", dpi=DPI)
        pyplot.close(figure)


def _radar(pyplot, reports: list[dict]):
    tasks = reports[0]["tasks"]
    angles = np.linspace(0, 2 * np.pi, len(tasks), endpoint=False)
    figure, axes = pyplot.subplots(figsize=(8, 8), subplot_kw={"projection": "polar"}, layout="constrained")
    for report, colour in zip(reports, COLOURS):
        found = [report["tasks"].get(name, {}).get("scores", {}).get("mlp_chosen") for name in tasks]
        places = [place for place, score in enumerate(found) if score]
        if len(places) == len(tasks):
            places.append(0)  # the ring closes
        values = [found[place]["value"] for place in places]
        axes.plot(angles[places], values, color=colour, label=report["encoder"]["name"])
    axes.set_xticks(angles, [name.replace("_", "\n") for name in tasks], size=8)
    axes.set_ylim(0, 1)
    axes.set_yticks([0.25, 0.5, 0.75, 1], ["", "0.5", "", "1"], size=8, color="grey")
    axes.set_title("Trained probe at the layer chosen on validation, by task", pad=24)
    axes.legend(loc="upper right", bbox_to_anchor=(1.15, 1.1), frameon=False)
    return figure


def _domains(pyplot, reports: list[dict]):
    figure, both = pyplot.subplots(1, 2, figsize=(11, 4), sharey=True, layout="constrained")
    width = 0.8 / len(reports)
    for axes, view, title in zip(both, ("knn_chosen", "mlp_chosen"), ("Nearest neighbours", "Trained probe")):
        for number, (report, colour) in enumerate(zip(reports, COLOURS)):
            means = {part: mean for part, mean in report["averages"].get(view, {}).items() if part in PARTS}
            values = np.array([mean["value"] for mean in means.values()])
            ends = np.array([mean["interval_95"] for mean in means.values()]).reshape(-1, 2).T
            places = np.array([PARTS.index(part) for part in means]) + (number - (len(reports) - 1) / 2) * width
            errors = np.abs(ends - values)
            axes.bar(
                places, values, width, yerr=errors, color=colour, ecolor="#333333", label=report["encoder"]["name"]
            )
        axes.set_xticks(range(len(PARTS)), PARTS)
        axes.set_ylim(0, 1)
        axes.set_title(f"{title}, weighted average and 95 % interval")
        axes.spines[["top", "right"]].set_visible(False)
    both[0].legend(frameon=False, fontsize=8)
    return figure


def _cell(score: dict | None) -> str:
    if score is None:
        return ""
    low, high = score["interval_95"]
    return f"{score['value']:.3f} ({low:.2f}-{high:.2f})"
